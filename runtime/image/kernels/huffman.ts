// Huffman tables as the kernels want them.
import {
  DC_BITS,
  DELTAS,
  LIMITS,
  LOOKUP_BITS,
  SYMBOLS,
  TABLE_BYTES,
  TABLE_SLOTS,
  TABLES,
} from "./layout.ts";

/** The step of what ends a block: beyond any other. */
const END = 128;

/** The kernels' memory, which grows: its views are to be read at each use. */
export interface KernelMemory {
  readonly bytes: Uint8Array;
  readonly longs: Int32Array;
}

/** Tables that the kernels have, the most recently used ones last. */
export class HuffmanTables {
  readonly #kernels: KernelMemory;
  readonly #slots: {
    readonly slot: number;
    readonly dc: boolean;
    readonly definition: Uint8Array;
  }[] = [];

  constructor(kernels: KernelMemory) {
    this.#kernels = kernels;
  }

  /**
   * Address of a table, which is made if it is not there. At most eight are kept.
   *
   * @param definition 16 counts and the symbols
   * @returns undefined for one that no baseline JPEG has
   */
  find(definition: Uint8Array, dc: boolean): number | undefined {
    for (const [index, one] of this.#slots.entries()) {
      if (one.dc !== dc || !equal(one.definition, definition)) continue;
      this.#slots.copyWithin(index, index + 1);
      this.#slots[this.#slots.length - 1] = one;
      return addressOf(one.slot);
    }
    const slot = this.#slots.length < TABLE_SLOTS ? this.#slots.length : this.#slots.shift()!.slot;
    const made = this.#make(addressOf(slot), definition, dc);
    this.#slots.push({ slot, dc, definition: Uint8Array.from(made ? definition : []) });
    return made ? addressOf(slot) : undefined;
  }

  #make(at: number, definition: Uint8Array, dc: boolean): boolean {
    const { bytes, longs } = this.#kernels;
    const symbols = definition.subarray(16);
    bytes.set(symbols, at + SYMBOLS);
    singles.fill(0);
    let code = 0, index = 0;
    for (let length = 1; length <= 16; length++) {
      code <<= 1;
      longs[(at + DELTAS >> 2) + length] = index - code;
      for (let n = definition[length - 1]!; n > 0; n--, code++, index++) {
        if (index >= symbols.length || code >= 1 << length) return false;
        const symbol = symbols[index]!;
        const size = dc ? symbol : symbol & 15;
        if (size > (dc ? 11 : 10)) return false;
        if (!dc && size === 0 && symbol !== 0 && symbol !== 0xf0) return false;
        const step = symbol === 0 ? END : (symbol >> 4) + 1;
        if (dc) enterCode(code, length, symbol, DC_BITS);
        else if (length + size > LOOKUP_BITS) enterCode(code, length, symbol, LOOKUP_BITS);
        else enterValues(code, length, size, step);
      }
      longs[(at + LIMITS >> 2) + length] = code << (16 - length);
    }
    longs[(at + LIMITS >> 2) + 17] = -1;
    pair(longs, at >> 2);
    return index === symbols.length;
  }
}

function addressOf(slot: number): number {
  return TABLES + slot * TABLE_BYTES;
}

/** What one code gives: its value, the step and the bits that both take. */
const singles = new Int32Array(1 << LOOKUP_BITS);

/** Enters a code without a value: its length and its symbol, where a step and a value would be. */
function enterCode(code: number, length: number, symbol: number, bits: number): void {
  if (length > bits) return;
  const at = code << (bits - length);
  singles.fill(symbol << 16 | length << 8, at, at + (1 << (bits - length)));
}

/** Enters a code with each value that can follow it. */
function enterValues(code: number, length: number, size: number, step: number): void {
  const total = length + size;
  const each = 1 << (LOOKUP_BITS - total);
  for (let i = 0, at = code << (LOOKUP_BITS - length); i < 1 << size; i++, at += each) {
    const value = size === 0 ? 0 : i >> (size - 1) === 1 ? i : i - (1 << size) + 1;
    singles.fill(value << 16 | step << 8 | total, at, at + each);
  }
}

/**
 * Puts codes together that fit into one look-up. An entry's first half is the first code's, with the
 * bits of both; its second half the second one's, with the bits of the first. Where there is but one
 * it comes again, with no step.
 */
function pair(to: Int32Array, at: number): void {
  for (let bits = 0; bits < singles.length; bits++, at += 2) {
    const first = singles[bits]!;
    const length = first & 63;
    if (length === 0) {
      to[at] = first;
      to[at + 1] = 0;
      continue;
    }
    let second = 0;
    if ((first >> 8 & 255) < END) {
      second = singles[bits << length & (singles.length - 1)]!;
      const both = length + (second & 63);
      if (both === length || both > LOOKUP_BITS) second = 0;
    }
    if (second === 0) second = first & ~0xffff;
    to[at] = first + (second & 63);
    to[at + 1] = second & ~63 | length;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
