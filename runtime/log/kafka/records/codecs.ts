/**
 * Compression of record batches, by the numbers that Kafka gives each kind: over `node:zlib` and
 * WebAssembly, synchronously.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import {
  lz4Compress,
  lz4Decompress,
  snappyCompress,
  snappyDecompress,
} from "@platformatic/wasm-utils";
import type { Compression } from "../../log.ts";

/** Output is collected in pieces of this size. */
const chunkSize = 256 * 1024;
/** What Java's producers write before their pieces of snappy: a magic word and two versions. */
const XERIAL = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0];
const XERIAL_HEADER = 16;

/** Compresses; the number goes into the batch's attributes. */
export const COMPRESSORS: Readonly<
  Record<Exclude<Compression, "none">, { number: number; compress: (data: Buffer) => Buffer }>
> = {
  gzip: { number: 1, compress: (data) => gzipSync(data) },
  snappy: { number: 2, compress: snappyCompress },
  lz4: { number: 3, compress: lz4Compress },
  zstd: { number: 4, compress: (data) => zstdCompressSync(data) },
};

/** Unpacks gzip to `most` bytes at most. */
export function gunzip(packed: Buffer, most: number): Buffer {
  return gunzipSync(packed, { maxOutputLength: most, chunkSize });
}

/** Unpacks Zstandard to `most` bytes at most. */
export function unzstd(packed: Buffer, most: number): Buffer {
  return zstdDecompressSync(packed, { maxOutputLength: most, chunkSize });
}

/** Unpacks one LZ4 frame. */
export function unlz4(packed: Buffer): Buffer {
  return lz4Decompress(packed);
}

/** Unpacks snappy, in one piece or in Java's many. */
export function unsnappy(packed: Buffer): Buffer {
  const pieces = snappyPieces(packed).map((piece) => snappyDecompress(piece));
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

/** The pieces of snappy: one, or Java's many. */
export function snappyPieces(packed: Buffer): Buffer[] {
  if (!XERIAL.every((byte, at) => packed[at] === byte)) return [packed];
  const pieces: Buffer[] = [];
  for (let at = XERIAL_HEADER; at + 4 <= packed.length;) {
    const end = at + 4 + packed.readUInt32BE(at);
    if (end > packed.length) throw new RangeError("it ends inside a piece");
    pieces.push(packed.subarray(at + 4, end));
    at = end;
  }
  return pieces;
}
