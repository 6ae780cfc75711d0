// Writes and reads the protocol's primitive types, by default in compact (flexible) encoding.
const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);
const decoder = new TextDecoder();

const FIRST_BYTES = 512;
/** Longer values are sent without a copy. */
const COPIED_BYTES = 16 * 1024;

/** Writes a request as one chunk, and large values as chunks of their own. */
export class RequestWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  /** Start of the current chunk. */
  #from = 0;
  #pieces: Uint8Array[] = [];
  #size = 0;

  /** Begins another request in the same memory. */
  reset(): this {
    this.#at = this.#from = this.#size = 0;
    this.#pieces = [];
    return this;
  }

  int8(value: number): this {
    this.#room(1);
    this.#view.setInt8(this.#at, value);
    this.#at += 1;
    return this;
  }

  int16(value: number): this {
    this.#room(2);
    this.#view.setInt16(this.#at, value);
    this.#at += 2;
    return this;
  }

  int32(value: number): this {
    this.#room(4);
    this.#view.setInt32(this.#at, value);
    this.#at += 4;
    return this;
  }

  /** @param value a number must be a safe integer */
  int64(value: number | bigint): this {
    this.#room(8);
    if (typeof value === "bigint") {
      this.#view.setBigInt64(this.#at, value);
    } else {
      this.#view.setInt32(this.#at, Math.floor(value / 2 ** 32));
      this.#view.setUint32(this.#at + 4, value);
    }
    this.#at += 8;
    return this;
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  /** Length of what follows; null differs from 0. */
  count(value: number | null, compact = true): this {
    if (!compact) return this.int32(value ?? -1);
    this.#room(5);
    let rest = value === null ? 0 : value + 1;
    for (; rest > 127; rest >>>= 7) this.#bytes[this.#at++] = rest & 127 | 128;
    this.#bytes[this.#at++] = rest;
    return this;
  }

  string(text: string | null, compact = true): this {
    const bytes = text === null ? undefined : text === "" ? EMPTY : encoder.encode(text);
    if (compact) this.count(bytes?.length ?? null);
    else this.int16(bytes?.length ?? -1);
    return bytes === undefined ? this : this.raw(bytes);
  }

  bytes(bytes: Uint8Array, compact = true): this {
    return this.count(bytes.length, compact).raw(bytes);
  }

  /** @param id 32 hexadecimal digits */
  uuid(id: string): this {
    this.#room(16);
    for (let at = 0; at < 32; at += 2) {
      this.#bytes[this.#at++] = digit(id, at) << 4 | digit(id, at + 1);
    }
    return this;
  }

  noTags(): this {
    return this.int8(0);
  }

  /** The bytes must not change until the request is sent. */
  raw(bytes: Uint8Array): this {
    if (bytes.length > COPIED_BYTES) {
      this.#cut();
      this.#pieces.push(bytes);
      this.#size += bytes.length;
    } else {
      this.#room(bytes.length);
      this.#bytes.set(bytes, this.#at);
      this.#at += bytes.length;
    }
    return this;
  }

  get size(): number {
    return this.#size + this.#at - this.#from;
  }

  pieces(): readonly Uint8Array[] {
    this.#cut();
    return this.#pieces;
  }

  #cut(): void {
    if (this.#at === this.#from) return;
    this.#pieces.push(this.#bytes.subarray(this.#from, this.#at));
    this.#size += this.#at - this.#from;
    this.#from = this.#at;
  }

  #room(length: number): void {
    const need = this.#at - this.#from + length;
    if (this.#at + length <= this.#bytes.length) return;
    // Finished chunks keep their memory; only the current one moves.
    const bytes = new Uint8Array(Math.max(2 * need, FIRST_BYTES));
    bytes.set(this.#bytes.subarray(this.#from, this.#at));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#at -= this.#from;
    this.#from = 0;
  }
}

/** The value of a hexadecimal digit, without the garbage of `parseInt`. */
function digit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return (code & 15) + 9 * (code >> 6);
}

export class ResponseReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #owned: boolean;
  #at = 0;
  #end: number;

  /** @param owned the memory is used by this response only */
  constructor(bytes: Uint8Array<ArrayBuffer>, owned = true) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#owned = owned;
    this.#end = bytes.length;
  }

  /** Reads another response, at this place of the same memory. */
  moveTo(from: number, end: number): this {
    this.#at = from;
    this.#end = end;
    return this;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  skip(length: number): this {
    this.#pass(length);
    return this;
  }

  int8(): number {
    return this.#view.getInt8(this.#pass(1));
  }

  int16(): number {
    return this.#view.getInt16(this.#pass(2));
  }

  int32(): number {
    return this.#view.getInt32(this.#pass(4));
  }

  bigint64(): bigint {
    return this.#view.getBigInt64(this.#pass(8));
  }

  /** A safe integer. */
  int64(): number {
    const at = this.#pass(8);
    return this.#view.getInt32(at) * 2 ** 32 + this.#view.getUint32(at + 4);
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.#bytes[this.#pass(1)]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }

  string(compact = true): string {
    return this.nullableString(compact) ?? "";
  }

  nullableString(compact = true): string | null {
    const length = compact ? this.varint() - 1 : this.int16();
    return length < 0 ? null : this.#text(length);
  }

  /** Returns a copy. */
  bytes(compact = true): Uint8Array<ArrayBuffer> {
    return this.take(this.#length(compact));
  }

  /** Returns a copy of the next bytes. */
  take(length: number): Uint8Array<ArrayBuffer> {
    const at = this.#pass(length);
    return this.#bytes.slice(at, at + length);
  }

  /**
   * Records of a partition: a view if they are most of the response, otherwise a copy, so that a slow
   * query's frames never keep other partitions' memory alive.
   */
  records(compact = true): Uint8Array<ArrayBuffer> {
    const length = this.#length(compact);
    if (length === 0) return EMPTY;
    if (!this.#owned || 2 * length < this.#bytes.length) return this.take(length);
    const at = this.#pass(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** 32 hexadecimal digits. */
  uuid(): string {
    const at = this.#pass(16);
    return this.#hex(at) + this.#hex(at + 8);
  }

  #hex(at: number): string {
    return this.#view.getBigUint64(at).toString(16).padStart(16, "0");
  }

  /** Number of items in a list; 0 for null. */
  count(compact = true): number {
    const length = this.#length(compact);
    // Each item takes at least one byte.
    if (length > this.left) throw tooShort();
    return length;
  }

  list<T>(read: () => T, compact = true): T[] {
    const items: T[] = [];
    for (let left = this.count(compact); left > 0; left--) items.push(read());
    return items;
  }

  /** Passes tagged fields by; returns whether one of them has this tag. */
  tags(wanted = -1): boolean {
    let found = false;
    for (let count = this.varint(); count > 0; count--) {
      if (this.varint() === wanted) found = true;
      this.skip(this.varint());
    }
    return found;
  }

  #text(length: number): string {
    const at = this.#pass(length);
    return decoder.decode(this.#bytes.subarray(at, at + length));
  }

  /** 0 for null. */
  #length(compact: boolean): number {
    return Math.max(0, compact ? this.varint() - 1 : this.int32());
  }

  #pass(length: number): number {
    const at = this.#at;
    if (!(length >= 0) || length > this.#end - at) throw tooShort();
    this.#at = at + length;
    return at;
  }
}

function tooShort(): RangeError {
  return new RangeError("it ends too early");
}
