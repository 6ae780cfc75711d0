/**
 * Reads Kafka's types out of an answer that lies in several pieces of memory.
 *
 * What is taken out is a view where it lies within a piece, and else a copy of its own: frames of one
 * partition never keep the memory of another one's alive, however long a slow query holds them.
 *
 * @module
 */

/** A place in the pieces, moving forward. */
export class PieceCursor {
  readonly #pieces: readonly Uint8Array[];
  #index = 0;
  #piece: Uint8Array;
  #at = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
    this.#piece = pieces[0] ?? new Uint8Array(0);
  }

  skip(length: number): void {
    let left = length;
    while (left > this.#piece.length - this.#at) {
      left -= this.#piece.length - this.#at;
      this.#next();
    }
    this.#at += left;
  }

  /** @throws {RangeError} when there is less. */
  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end <= this.#piece.length) {
      const view = this.#piece.subarray(this.#at, end);
      this.#at = end;
      return view;
    }
    const copy = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      if (this.#at === this.#piece.length) this.#next();
      const part = this.#piece.subarray(this.#at, this.#at + length - filled);
      copy.set(part, filled);
      filled += part.length;
      this.#at += part.length;
    }
    return copy;
  }

  int16(): number {
    return this.#view(2).getInt16(0);
  }

  int32(): number {
    return this.#view(4).getInt32(0);
  }

  bigint64(): bigint {
    return this.#view(8).getBigInt64(0);
  }

  int64(): number {
    return Number(this.bigint64());
  }

  uuid(): string {
    let hex = "";
    for (const byte of this.take(16)) hex += byte.toString(16).padStart(2, "0");
    return [8, 12, 16, 20].reduceRight((id, at) => `${id.slice(0, at)}-${id.slice(at)}`, hex);
  }

  /** Length of a compact array or of bytes; none when it is null. */
  count(): number {
    return Math.max(0, this.varint() - 1);
  }

  varint(): number {
    let value = 0;
    for (let shift = 0;; shift += 7) {
      while (this.#at === this.#piece.length) this.#next();
      const byte = this.#piece[this.#at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }

  /** Skips tagged fields. */
  tags(see: (tag: number) => void = () => {}): void {
    for (let count = this.varint(); count > 0; count--) {
      see(this.varint());
      this.skip(this.varint());
    }
  }

  #view(length: number): DataView {
    const { buffer, byteOffset } = this.take(length);
    return new DataView(buffer, byteOffset, length);
  }

  #next(): void {
    this.#index++;
    this.#at = 0;
    const piece = this.#pieces[this.#index];
    if (piece === undefined) throw new RangeError("An answer of Kafka ends too early");
    this.#piece = piece;
  }
}
