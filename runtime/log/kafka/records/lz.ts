// Decoders of Snappy and LZ4, which both copy literals and earlier output. They check every length:
// the WebAssembly codecs stop working, for all lanes, after some thousands of damaged batches.

/** Decompression exceeds its limit. */
export class TooLarge extends Error {
  override readonly name = "TooLarge";
}

/** Fewer bytes are copied faster one by one. */
const SHORT = 24;

/** Decompressed bytes, at most `most`. */
class Output {
  readonly #most: number;
  #bytes: Uint8Array;
  #length = 0;

  constructor(expected: number, most: number) {
    if (expected > most) throw new TooLarge();
    this.#most = most;
    this.#bytes = new Uint8Array(expected);
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  literals(from: Uint8Array, at: number, length: number): void {
    this.#reserve(length);
    const bytes = this.#bytes;
    if (length > SHORT) bytes.set(from.subarray(at, at + length), this.#length);
    else for (let i = 0; i < length; i++) bytes[this.#length + i] = from[at + i]!;
    this.#length += length;
  }

  /** Repeats `length` bytes from `distance` bytes before the end; they may overlap. */
  match(distance: number, length: number): void {
    const start = this.#length - distance;
    if (distance < 1 || start < 0) throw new RangeError("it refers to bytes before its start");
    this.#reserve(length);
    const bytes = this.#bytes;
    const end = this.#length + length;
    // A byte at a time: most matches are short, and they may overlap.
    for (let to = this.#length, from = start; to < end;) bytes[to++] = bytes[from++]!;
    this.#length = end;
  }

  #reserve(length: number): void {
    const needed = this.#length + length;
    if (needed <= this.#bytes.length) return;
    if (needed > this.#most) throw new TooLarge();
    const bytes = new Uint8Array(Math.min(this.#most, Math.max(needed, 2 * this.#bytes.length)));
    bytes.set(this.bytes);
    this.#bytes = bytes;
  }
}

/** Reads compressed bytes. */
class Input {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(length: number): number {
    if (length > this.left) throw new RangeError("it ends too early");
    return (this.#at += length) - length;
  }

  take(length: number): Uint8Array {
    const at = this.skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  literals(length: number, to: Output): void {
    to.literals(this.#bytes, this.skip(length), length);
  }

  byte(): number {
    if (this.left < 1) throw new RangeError("it ends too early");
    return this.#bytes[this.#at++]!;
  }

  /** Little-endian, unsigned. */
  number(bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value += this.byte() * 2 ** (8 * i);
    return value;
  }
}

/**
 * Decompresses a Snappy block.
 *
 * @throws {TooLarge}
 * @throws {RangeError} if it is damaged
 */
export function snappy(packed: Uint8Array, most: number): Uint8Array {
  const from = new Input(packed);
  let size = 0;
  for (let byte = 128, times = 1; byte > 127; times *= 128) {
    byte = from.byte();
    size += (byte & 127) * times;
  }
  const to = new Output(size, most);
  while (from.left > 0) {
    const tag = from.byte();
    const high = tag >> 2;
    if ((tag & 3) === 0) {
      from.literals(1 + (high < 60 ? high : from.number(high - 59)), to);
    } else if ((tag & 3) === 1) {
      to.match((tag >> 5) * 256 + from.byte(), 4 + (high & 7));
    } else {
      to.match(from.number((tag & 3) === 2 ? 2 : 4), 1 + high);
    }
  }
  if (to.bytes.length !== size) throw new RangeError("it has a wrong length");
  return to.bytes;
}

const LZ4_MAGIC = 0x184d2204;
/** Flags of the frame header. */
const BLOCK_CHECKSUM = 1 << 4;
const CONTENT_SIZE = 1 << 3;
const DICTIONARY = 1;
/** Flag in a block's length: not compressed. */
const STORED = 2 ** 31;

/**
 * Decompresses an LZ4 frame; what follows it is ignored.
 *
 * @throws {TooLarge}
 * @throws {RangeError} if it is damaged
 */
export function lz4(packed: Uint8Array, most: number): Uint8Array {
  const from = new Input(packed);
  if (from.number(4) !== LZ4_MAGIC) throw new RangeError("it is not an LZ4 frame");
  const flags = from.byte();
  from.skip(1 + ((flags & CONTENT_SIZE) === 0 ? 0 : 8) + ((flags & DICTIONARY) === 0 ? 0 : 4) + 1);
  const to = new Output(Math.min(most, 2 * packed.length), most);
  for (let word; (word = from.number(4)) !== 0;) {
    if (word >= STORED) from.literals(word - STORED, to);
    else lz4Block(new Input(from.take(word)), to);
    if ((flags & BLOCK_CHECKSUM) !== 0) from.skip(4);
  }
  return to.bytes;
}

function lz4Block(from: Input, to: Output): void {
  /** Lengths beyond four bits continue until a byte is not 255. */
  const length = (bits: number) => {
    let sum = bits;
    for (let byte = bits === 15 ? 255 : 0; byte === 255;) sum += byte = from.byte();
    return sum;
  };
  while (from.left > 0) {
    const token = from.byte();
    from.literals(length(token >> 4), to);
    // The last sequence has no match.
    if (from.left === 0) return;
    const distance = from.number(2);
    to.match(distance, 4 + length(token & 15));
  }
}
