/**
 * Values of WebAssembly: each is the instructions that compute it, and its operations make longer ones.
 *
 * @module
 */

export type Kind = "i32" | "i64" | "v128";
export type Code = readonly number[];

export const KINDS: Readonly<Record<Kind, number>> = { i32: 0x7f, i64: 0x7e, v128: 0x7b };

/** An unsigned number in as many bytes as it needs. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value === 0 ? low : low | 0x80);
  } while (value !== 0);
  return bytes;
}

function signed(value: bigint): number[] {
  for (const bytes: number[] = [];; value >>= 7n) {
    const low = Number(value & 0x7fn);
    const rest = value >> 7n;
    if (rest === (low & 0x40 ? -1n : 0n)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** Instructions of 128 bits have a prefix. */
export function simd(opcode: number): number[] {
  return [0xfd, ...unsigned(opcode)];
}

/** Alignment is a hint: none is promised. */
export function memory(offset: number): number[] {
  return [0, ...unsigned(offset)];
}

/** Something to compute: its instructions leave one value on the stack. */
export abstract class Value<K extends Kind> {
  constructor(readonly kind: K, readonly code: Code) {}
}

export type Like32 = I32 | number;
export type Like64 = I64 | number;

/** 32 bits; also an address, and what is true when it is not 0. */
export class I32 extends Value<"i32"> {
  static of(value: Like32): I32 {
    if (value instanceof I32) return value;
    return new I32("i32", [0x41, ...signed(BigInt(value | 0))]);
  }

  #with(opcode: number, other: Like32): I32 {
    return new I32("i32", [...this.code, ...I32.of(other).code, opcode]);
  }

  #load(opcode: number, offset: number): I32 {
    return new I32("i32", [...this.code, opcode, ...memory(offset)]);
  }

  #vector(opcode: number, offset: number): V128 {
    return new V128("v128", [...this.code, ...simd(opcode), ...memory(offset)]);
  }

  add = (other: Like32) => this.#with(0x6a, other);
  sub = (other: Like32) => this.#with(0x6b, other);
  mul = (other: Like32) => this.#with(0x6c, other);
  divU = (other: Like32) => this.#with(0x6e, other);
  remU = (other: Like32) => this.#with(0x70, other);
  and = (other: Like32) => this.#with(0x71, other);
  or = (other: Like32) => this.#with(0x72, other);
  xor = (other: Like32) => this.#with(0x73, other);
  shl = (other: Like32) => this.#with(0x74, other);
  shrS = (other: Like32) => this.#with(0x75, other);
  shrU = (other: Like32) => this.#with(0x76, other);
  eq = (other: Like32) => this.#with(0x46, other);
  ne = (other: Like32) => this.#with(0x47, other);
  ltS = (other: Like32) => this.#with(0x48, other);
  ltU = (other: Like32) => this.#with(0x49, other);
  gtS = (other: Like32) => this.#with(0x4a, other);
  gtU = (other: Like32) => this.#with(0x4b, other);
  geU = (other: Like32) => this.#with(0x4f, other);
  not = () => new I32("i32", [...this.code, 0x45]);
  /** How many of the highest bits are 0. */
  clz = () => new I32("i32", [...this.code, 0x67]);
  /** How many of the lowest bits are 0. */
  ctz = () => new I32("i32", [...this.code, 0x68]);
  extendU = () => new I64("i64", [...this.code, 0xad]);

  load = (offset = 0) => this.#load(0x28, offset);
  load8U = (offset = 0) => this.#load(0x2d, offset);
  load16S = (offset = 0) => this.#load(0x2e, offset);
  load16U = (offset = 0) => this.#load(0x2f, offset);
  load8as64 = (offset = 0) => new I64("i64", [...this.code, 0x31, ...memory(offset)]);
  load64 = (offset = 0) => new I64("i64", [...this.code, 0x29, ...memory(offset)]);
  /** 16 bytes. */
  loadV = (offset = 0) => this.#vector(0, offset);
  /** 8 bytes, each as 16 bits. */
  loadV8x8S = (offset = 0) => this.#vector(1, offset);
  loadV8x8U = (offset = 0) => this.#vector(2, offset);
  /** 4 bytes, four times. */
  loadSplat32 = (offset = 0) => this.#vector(9, offset);
  /** 8 bytes, then zeros. */
  loadV64 = (offset = 0) => this.#vector(93, offset);

  splat8 = () => new V128("v128", [...this.code, ...simd(15)]);
  splat16 = () => new V128("v128", [...this.code, ...simd(16)]);
  splat32 = () => new V128("v128", [...this.code, ...simd(17)]);
}

/** 64 bits. Shifts use the lowest six bits of what they are told. */
export class I64 extends Value<"i64"> {
  static of(value: Like64): I64 {
    if (value instanceof I64) return value;
    return new I64("i64", [0x42, ...signed(BigInt(value))]);
  }

  #with(opcode: number, other: Like64): I64 {
    return new I64("i64", [...this.code, ...I64.of(other).code, opcode]);
  }

  add = (other: Like64) => this.#with(0x7c, other);
  sub = (other: Like64) => this.#with(0x7d, other);
  and = (other: Like64) => this.#with(0x83, other);
  or = (other: Like64) => this.#with(0x84, other);
  xor = (other: Like64) => this.#with(0x85, other);
  shl = (other: Like64) => this.#with(0x86, other);
  shrS = (other: Like64) => this.#with(0x87, other);
  shrU = (other: Like64) => this.#with(0x88, other);
  isZero = () => new I32("i32", [...this.code, 0x50]);
  wrap = () => new I32("i32", [...this.code, 0xa7]);
}

/** 128 bits; the operation says what they hold. */
export class V128 extends Value<"v128"> {
  #with(opcode: number, other: V128): V128 {
    return new V128("v128", [...this.code, ...other.code, ...simd(opcode)]);
  }

  #one(opcode: number): V128 {
    return new V128("v128", [...this.code, ...simd(opcode)]);
  }

  #shift(opcode: number, by: number): V128 {
    return new V128("v128", [...this.code, ...I32.of(by).code, ...simd(opcode)]);
  }

  static bytes(bytes: readonly number[]): V128 {
    return new V128("v128", [...simd(12), ...bytes]);
  }

  /** Eight numbers of 16 bits; fewer are repeated. */
  static words(...words: readonly number[]): V128 {
    const all = Array.from({ length: 8 }, (_, i) => words[i % words.length]!);
    return V128.bytes(all.flatMap((word) => [word & 0xff, (word >> 8) & 0xff]));
  }

  /** Four numbers of 32 bits; fewer are repeated. */
  static longs(...longs: readonly number[]): V128 {
    const all = Int32Array.from({ length: 4 }, (_, i) => longs[i % longs.length]!);
    return V128.bytes([...new Uint8Array(all.buffer)]);
  }

  and = (other: V128) => this.#with(78, other);
  or = (other: V128) => this.#with(80, other);
  xor = (other: V128) => this.#with(81, other);
  eq8 = (other: V128) => this.#with(35, other);
  /** The highest bit of each byte, as the 16 lowest bits. */
  bitmask8 = () => new I32("i32", [...this.code, ...simd(100)]);
  /** 16 bytes of the two, by number: those of the other begin at 16. */
  shuffle = (other: V128, bytes: readonly number[]) =>
    new V128("v128", [...this.code, ...other.code, ...simd(13), ...bytes]);

  narrow16S = (other: V128) => this.#with(101, other);
  narrow16U = (other: V128) => this.#with(102, other);
  narrow32S = (other: V128) => this.#with(133, other);
  low8U = () => this.#one(137);
  high8U = () => this.#one(138);
  low16S = () => this.#one(167);
  high16S = () => this.#one(168);

  add16 = (other: V128) => this.#with(142, other);
  addSaturated16 = (other: V128) => this.#with(143, other);
  sub16 = (other: V128) => this.#with(145, other);
  mul16 = (other: V128) => this.#with(149, other);
  /** `(a * b + 2^14) >> 15`. */
  mulRound15 = (other: V128) => this.#with(130, other);
  shl16 = (by: number) => this.#shift(139, by);
  shrS16 = (by: number) => this.#shift(140, by);
  shrU16 = (by: number) => this.#shift(141, by);
  add32 = (other: V128) => this.#with(174, other);
  sub32 = (other: V128) => this.#with(177, other);
  shl32 = (by: number) => this.#shift(171, by);
  shrS32 = (by: number) => this.#shift(172, by);
  /** Pairs of 16 bits multiplied and added up to 32 bits. */
  dot = (other: V128) => this.#with(186, other);

  addF = (other: V128) => this.#with(228, other);
  mulF = (other: V128) => this.#with(230, other);
  toFloat = () => this.#one(250);

  /** Takes turns with another, 16 bits each, the lower or the upper half of both. */
  unpackLow16 = (other: V128) => this.shuffle(other, alternate(2, 0));
  unpackHigh16 = (other: V128) => this.shuffle(other, alternate(2, 8));
  unpackLow32 = (other: V128) => this.shuffle(other, alternate(4, 0));
  unpackHigh32 = (other: V128) => this.shuffle(other, alternate(4, 8));
  unpackLow64 = (other: V128) => this.shuffle(other, alternate(8, 0));
  unpackHigh64 = (other: V128) => this.shuffle(other, alternate(8, 8));
}

function alternate(size: number, from: number): number[] {
  return Array.from({ length: 16 }, (_, i) => {
    const element = Math.floor(i / size);
    return from + (element >> 1) * size + i % size + (element & 1) * 16;
  });
}
