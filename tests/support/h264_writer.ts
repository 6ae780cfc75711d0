// H.264 bit by bit (ITU-T H.264, 7.3), for streams that no encoder here makes: pictures of raw samples,
// or of samples and copies of an earlier picture.

/** What a sequence parameter set says. */
export interface Sequence {
  readonly id?: number;
  /** Macroblocks of 16×16. */
  readonly columns: number;
  readonly rows: number;
  /** Pictures may be single fields. */
  readonly fields?: boolean;
  /** Pictures that may come before one that is shown earlier; says nothing unless given. */
  readonly reorder?: number;
  readonly references?: number;
}

/** What a picture is. */
export interface Slice {
  readonly type: "I" | "P";
  readonly keyframe?: boolean;
  /** 0: no other picture depends on it. */
  readonly reference?: 0 | 1;
  readonly pps?: number;
  /** Its number among the reference pictures of its group. */
  readonly number: number;
  /** Its place in the order of showing: 2 for each frame. */
  readonly order: number;
  readonly field?: "top" | "bottom";
  /** A P picture copies the long-term reference instead of the picture before. */
  readonly longTerm?: boolean;
  /** From now on it is the long-term reference. */
  readonly keep?: boolean;
  /** Value of the luma samples; of a P picture only the last macroblock has samples of its own. */
  readonly luma: number;
}

const START = [0, 0, 0, 1];

export function sequenceSet(sequence: Sequence): Uint8Array {
  const { id = 0, columns, rows, fields = false, reorder, references = 4 } = sequence;
  const bits = new BitWriter().bits(77, 8).bits(0, 8).bits(30, 8).count(id);
  // Numbers and orders of 8 bits.
  bits.count(4).count(0).count(4).count(references).bits(0, 1);
  bits.count(columns - 1).count((fields ? rows / 2 : rows) - 1).bits(fields ? 0 : 1, 1);
  if (fields) bits.bits(0, 1);
  bits.bits(1, 1).bits(0, 1);
  if (reorder === undefined) return unit(0x67, bits.bits(0, 1));
  bits.bits(1, 1).bits(0, 8).bits(0b11, 2);
  return unit(0x67, bits.count(0).count(0).count(10).count(10).count(reorder).count(references));
}

export function pictureSet(id = 0, sequence = 0): Uint8Array {
  const bits = new BitWriter().count(id).count(sequence).bits(0, 2).count(0).count(0).count(0);
  return unit(0x68, bits.bits(0, 3).count(0).count(0).count(0).bits(0b100, 3));
}

export function slice(sequence: Sequence, picture: Slice): Uint8Array {
  const { type, keyframe = false, reference = 1, pps = 0, number, order, field, luma } = picture;
  const bits = new BitWriter().count(0).count(type === "I" ? 7 : 5).count(pps).bits(number, 8);
  if (sequence.fields) {
    bits.bits(field === undefined ? 0 : 1, 1);
    if (field !== undefined) bits.bits(field === "bottom" ? 1 : 0, 1);
  }
  if (keyframe) bits.count(0);
  bits.bits(order & 255, 8);
  if (type === "P") {
    bits.bits(0, 1).bits(picture.longTerm ? 1 : 0, 1);
    if (picture.longTerm) bits.count(2).count(0).count(3);
  }
  if (keyframe) bits.bits(0, 2);
  else if (reference === 1) {
    bits.bits(picture.keep ? 1 : 0, 1);
    // One long-term picture at most; this one is it.
    if (picture.keep) bits.count(4).count(1).count(6).count(0).count(0);
  }
  bits.count(0).count(1);
  const { columns, rows } = sequence;
  const blocks = columns * (field === undefined ? rows : rows / 2);
  if (type === "P") bits.count(blocks - 1).count(30).samples(luma);
  else for (let block = 0; block < blocks; block++) bits.count(25).samples(luma + block);
  return unit(reference << 5 | (keyframe ? 5 : 1), bits);
}

/** A NAL unit behind a start code. */
function unit(header: number, bits: BitWriter): Uint8Array {
  const bytes = [...START, header];
  let zeros = 0;
  for (const byte of bits.end()) {
    if (zeros === 2 && byte <= 3) {
      bytes.push(3);
      zeros = 0;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** Parts of an access unit, one after the other. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

class BitWriter {
  readonly #bits: number[] = [];

  bits(value: number, count: number): this {
    for (let bit = count - 1; bit >= 0; bit--) this.#bits.push((value >> bit) & 1);
    return this;
  }

  /** A number in Exp-Golomb code. */
  count(value: number): this {
    const length = 32 - Math.clz32(value + 1);
    return this.bits(0, length - 1).bits(value + 1, length);
  }

  /** A macroblock's raw samples, from the next byte on: a ramp of luma, grey chroma. */
  samples(luma: number): this {
    while (this.#bits.length % 8 !== 0) this.#bits.push(0);
    for (let at = 0; at < 256; at++) this.bits(16 + (luma + at) % 200, 8);
    for (let at = 0; at < 128; at++) this.bits(128, 8);
    return this;
  }

  end(): Uint8Array {
    this.#bits.push(1);
    while (this.#bits.length % 8 !== 0) this.#bits.push(0);
    return Uint8Array.from(
      { length: this.#bits.length / 8 },
      (_, byte) => this.#bits.slice(byte * 8, byte * 8 + 8).reduce((sum, bit) => sum * 2 + bit, 0),
    );
  }
}
