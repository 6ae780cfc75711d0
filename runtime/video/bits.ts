// The payload of NAL units, bit by bit (ITU-T H.264 and H.265, 7.2 and 9).

/** The payload of a NAL unit without the bytes that keep start codes out of it. */
export function unescaped(unit: Uint8Array): Uint8Array {
  // Most slices have none of these bytes at their heads.
  let bytes: Uint8Array | undefined;
  let length = 0, zeros = 0;
  // By index: an iterator makes an object for each byte.
  for (let at = 0; at < unit.length; at++) {
    const byte = unit[at]!;
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      // A copy: `slice` of a `Buffer` of Node's is none.
      bytes ??= new Uint8Array(unit);
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    if (bytes !== undefined) bytes[length] = byte;
    length++;
  }
  return bytes?.subarray(0, length) ?? unit;
}

/** The way back: with the bytes that keep start codes out of it. */
function escaped(payload: readonly number[]): number[] {
  let zeros = 0;
  return payload.flatMap((byte) => {
    const whole = zeros >= 2 && byte <= 3 ? [3, byte] : [byte];
    zeros = byte !== 0 ? 0 : whole.length === 2 ? 1 : zeros + 1;
    return whole;
  });
}

/** Numbers of a parameter set or slice header; behind the end there are zeros. */
export class BitReader {
  #at = 0;
  constructor(readonly bytes: Uint8Array) {}

  /** Bits read so far. */
  get position(): number {
    return this.#at;
  }

  bit(): number {
    const byte = this.bytes[this.#at >> 3] ?? 0;
    return (byte >> (7 - (this.#at++ & 7))) & 1;
  }

  /** A number of fixed length, 31 bits at most. */
  number(length: number): number {
    let value = 0;
    for (let i = 0; i < length; i++) value = value * 2 + this.bit();
    return value;
  }

  /** A number in Exp-Golomb code. */
  exponentialGolomb(): number {
    let zeros = 0;
    while (zeros < 31 && this.bit() === 0) zeros++;
    return 2 ** zeros + this.number(zeros) - 1;
  }

  skip(bits: number): void {
    this.#at += bits;
  }

  /** Skips numbers in Exp-Golomb code. */
  skipNumbers(count: number): void {
    for (let i = 0; i < count; i++) this.exponentialGolomb();
  }
}

/** Writes what a `BitReader` reads. */
export class BitWriter {
  readonly #bits: number[] = [];

  number(value: number, length: number): this {
    for (let bit = length - 1; bit >= 0; bit--) this.#bits.push((value >> bit) & 1);
    return this;
  }

  exponentialGolomb(value: number): this {
    const length = 32 - Math.clz32(value + 1);
    return this.number(0, length - 1).number(value + 1, length);
  }

  /** Bits [from, to) of a payload. */
  copy(bytes: Uint8Array, from: number, to: number): this {
    const reader = new BitReader(bytes);
    reader.skip(from);
    while (reader.position < to) this.#bits.push(reader.bit());
    return this;
  }

  /** The NAL unit of this header and payload. */
  unit(header: Uint8Array): Uint8Array {
    // The last 1 ends the payload, zeros fill its last byte.
    const bits = this.#bits.slice(0, this.#bits.lastIndexOf(1) + 1);
    const payload = Array.from({ length: Math.ceil(bits.length / 8) }, (_, byte) => {
      const part = bits.slice(byte * 8, byte * 8 + 8);
      return part.reduce((sum, bit, at) => sum | bit << (7 - at), 0);
    });
    return Uint8Array.from([...header, ...escaped(payload)]);
  }
}
