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

/** The way back: a NAL unit of this header, with the bytes that keep start codes out of it. */
function escaped(header: Uint8Array, payload: Uint8Array): Uint8Array {
  const unit = new Uint8Array(header.length + Math.ceil(payload.length * 1.5));
  unit.set(header);
  let length = header.length, zeros = 0;
  for (let at = 0; at < payload.length; at++) {
    const byte = payload[at]!;
    if (zeros >= 2 && byte <= 3) {
      unit[length++] = 3;
      zeros = 0;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    unit[length++] = byte;
  }
  return unit.slice(0, length);
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
  #bytes = new Uint8Array(256);
  #at = 0;

  /** Appends up to eight bits. */
  #append(bits: number, count: number): void {
    const place = this.#at >> 3;
    if (place + 2 > this.#bytes.length) {
      const more = new Uint8Array(4 * this.#bytes.length);
      more.set(this.#bytes);
      this.#bytes = more;
    }
    const pair = (bits & ((1 << count) - 1)) << (16 - count - (this.#at & 7));
    this.#bytes[place]! |= pair >> 8;
    this.#bytes[place + 1]! |= pair & 255;
    this.#at += count;
  }

  number(value: number, length: number): this {
    for (let left = length; left > 0; left -= 8) {
      this.#append(value >> Math.max(0, left - 8), Math.min(8, left));
    }
    return this;
  }

  exponentialGolomb(value: number): this {
    const length = 32 - Math.clz32(value + 1);
    return this.number(0, length - 1).number(value + 1, length);
  }

  /** Bits [from, to) of a payload. */
  copy(bytes: Uint8Array, from: number, to: number): this {
    for (let at = from; at < to; at += 8) {
      const pair = bytes[at >> 3]! << 8 | (bytes[(at >> 3) + 1] ?? 0);
      const count = Math.min(8, to - at);
      this.#append(pair >> (16 - (at & 7) - count), count);
    }
    return this;
  }

  /** The NAL unit of this header and payload. */
  unit(header: Uint8Array): Uint8Array {
    // The last 1 ends the payload, zeros fill its last byte.
    let length = Math.ceil(this.#at / 8);
    while (length > 0 && this.#bytes[length - 1] === 0) length--;
    return escaped(header, this.#bytes.subarray(0, length));
  }
}
