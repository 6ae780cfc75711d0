// Encodes record batches (format 2) into one buffer: a frame's bytes are copied once.
import { Buffer } from "node:buffer";
import { timeOf } from "../../checks.ts";
import type { Compression, LogRecord } from "../../log.ts";
import type { ProducerIdentity } from "../protocol/transactions.ts";
import { COMPRESSORS } from "./codecs.ts";
import { crc32c } from "./crc32c.ts";
import { keyBytes } from "./key.ts";

export interface BatchOptions {
  readonly compression?: Compression;
  /** For idempotent and transactional batches. */
  readonly identity?: ProducerIdentity | undefined;
  /** Of the first record. */
  readonly sequence?: number;
  readonly transactional?: boolean;
}

const HEADER = 61;
const TRANSACTIONAL = 1 << 4;
/** Upper bound of a record's size without key, value and headers. */
const RECORD_OVERHEAD = 40;

/** Upper bound of the uncompressed size. */
export function sizeBound(records: readonly LogRecord[]): number {
  let size = HEADER;
  for (const { key, value, headers } of records) {
    size += RECORD_OVERHEAD + value.length + (key === null ? 0 : 3 * key.length);
    for (const name in headers) size += 20 + 3 * (name.length + headers[name]!.length);
  }
  return size;
}

/** Encodes at least one record as a batch. */
export function encodeBatch(records: readonly LogRecord[], options: BatchOptions = {}): Buffer {
  const { compression = "none", identity, sequence = -1, transactional = false } = options;
  const first = timeOf(records[0]!);
  const writer = new RecordWriter(sizeBound(records));
  let latest = first;
  for (let i = 0; i < records.length; i++) {
    const timestamp = timeOf(records[i]!);
    if (timestamp > latest) latest = timestamp;
    writer.record(records[i]!, i, timestamp - first);
  }
  let buffer = writer.buffer;
  let end = writer.end;
  const compressor = compression === "none" ? undefined : COMPRESSORS[compression];
  if (compressor !== undefined) {
    const compressed = compressor.compress(buffer.subarray(HEADER, end));
    end = HEADER + compressed.length;
    buffer = Buffer.allocUnsafeSlow(end);
    buffer.set(compressed, HEADER);
  }
  buffer.writeBigInt64BE(0n, 0);
  buffer.writeInt32BE(end - 12, 8);
  buffer.writeInt32BE(-1, 12);
  buffer.writeInt8(2, 16);
  buffer.writeInt16BE((compressor?.number ?? 0) | (transactional ? TRANSACTIONAL : 0), 21);
  buffer.writeInt32BE(records.length - 1, 23);
  buffer.writeBigInt64BE(BigInt(first), 27);
  buffer.writeBigInt64BE(BigInt(latest), 35);
  buffer.writeBigInt64BE(identity?.producerId ?? -1n, 43);
  buffer.writeInt16BE(identity?.epoch ?? -1, 51);
  buffer.writeInt32BE(sequence, 53);
  buffer.writeInt32BE(records.length, 57);
  buffer.writeUInt32BE(crc32c(buffer.subarray(21, end)), 17);
  return buffer.subarray(0, end);
}

class RecordWriter {
  readonly buffer: Buffer;
  end = HEADER;

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafeSlow(size);
  }

  record({ key, value, headers }: LogRecord, offsetDelta: number, timestampDelta: number): void {
    // The length precedes the record, so it is computed first.
    const keyed = key === null ? undefined : keyBytes(key);
    const names = Object.keys(headers);
    const pairs = names.map((name) => [Buffer.from(name), Buffer.from(headers[name]!)] as const);
    let length = 1 + varintSize(timestampDelta) + varintSize(offsetDelta) +
      varintSize(keyed?.length ?? -1) + (keyed?.length ?? 0) +
      varintSize(value.length) + value.length + varintSize(pairs.length);
    for (const [name, text] of pairs) {
      length += varintSize(name.length) + name.length + varintSize(text.length) + text.length;
    }
    this.#varint(length);
    this.buffer[this.end++] = 0;
    this.#varint(timestampDelta);
    this.#varint(offsetDelta);
    if (keyed === undefined) this.#varint(-1);
    else this.#bytes(keyed);
    this.#bytes(value);
    this.#varint(pairs.length);
    for (const [name, text] of pairs) {
      this.#bytes(name);
      this.#bytes(text);
    }
  }

  #bytes(bytes: Uint8Array): void {
    this.#varint(bytes.length);
    this.buffer.set(bytes, this.end);
    this.end += bytes.length;
  }

  /** Without bit operators, since timestamps may be more than 32 bits apart. */
  #varint(number: number): void {
    let rest = zigzag(number);
    while (rest > 127) {
      this.buffer[this.end++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.end++] = rest;
  }
}

function zigzag(number: number): number {
  return number < 0 ? -2 * number - 1 : 2 * number;
}

function varintSize(number: number): number {
  let size = 1;
  for (let rest = zigzag(number); rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}
