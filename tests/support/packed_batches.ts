// Record batches of Kafka whose compressed records a test chooses byte by byte.
import { Buffer } from "node:buffer";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { COMPRESSORS } from "../../runtime/log/kafka/records/codecs.ts";
import { crc32c } from "../../runtime/log/kafka/records/crc32c.ts";
import { encodeBatch } from "../../runtime/log/kafka/records/encoder.ts";
import type { Compression, LogRecord } from "../../runtime/log/log.ts";

const HEADER = 61;
const SIZE_AT = 8;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
/** What is packed at once, where streams of a compression may follow one another. */
const PIECE = 16 * 1024 * 1024;

/** A batch with the header that these records would have, and other records. */
export function packedBatch(
  records: readonly LogRecord[],
  compression: Compression,
  packed: Uint8Array,
): Buffer {
  const head = encodeBatch(records).subarray(0, HEADER);
  const bytes = Buffer.concat([head, packed]);
  bytes.writeInt32BE(bytes.length - 12, SIZE_AT);
  return withAttributes(bytes, compression === "none" ? 0 : COMPRESSORS[compression].number);
}

/** Changes the attributes of a batch, and its checksum with them. */
export function withAttributes(bytes: Buffer, attributes: number): Buffer {
  bytes.writeInt16BE(attributes, ATTRIBUTES_AT);
  bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES_AT)), CRC_AT);
  return bytes;
}

/** One record whose value is nothing but this many zeros, packed small. */
export function bomb(compression: Compression, bytes: number): Buffer {
  const streams = compression === "gzip" || compression === "zstd";
  const zeros = Buffer.alloc(Math.min(streams ? PIECE : Infinity, bytes + 1));
  const begin = recordBefore(bytes);
  const pack = PACKERS[compression]!;
  const pieces = [pack(Buffer.concat([begin, zeros]))];
  const piece = pack(zeros);
  // The last zero says that there are no headers.
  let left = bytes + 1 - zeros.length;
  for (; left >= zeros.length; left -= zeros.length) pieces.push(piece);
  if (left > 0) pieces.push(pack(zeros.subarray(0, left)));
  const record = { key: null, value: new Uint8Array(1), timestamp: Date.now(), headers: {} };
  return packedBatch([record], compression, Buffer.concat(pieces));
}

const PACKERS: Readonly<Partial<Record<Compression, (bytes: Buffer) => Buffer>>> = {
  gzip: (bytes) => gzipSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
  lz4: (bytes) => COMPRESSORS.lz4.compress(bytes),
  snappy: (bytes) => COMPRESSORS.snappy.compress(bytes),
};

/** A record up to its value. */
function recordBefore(valueBytes: number): Buffer {
  // Attributes, both deltas, no key, the value's length; after it the number of headers.
  const body = [0, 0, 0, 1, ...varint(valueBytes)];
  return Buffer.from([...varint(body.length + valueBytes + 1), ...body]);
}

function varint(number: number): number[] {
  const bytes: number[] = [];
  let rest = 2 * number;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}
