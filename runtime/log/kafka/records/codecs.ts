// Compression of record batches, by the numbers that Kafka gives each kind: over `node:zlib` and
// WebAssembly, synchronously.
import type { Buffer } from "node:buffer";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { lz4Compress, snappyCompress } from "@platformatic/wasm-utils";
import type { Compression } from "../../log.ts";

/** Compresses; the number goes into the batch's attributes. */
export const COMPRESSORS: Readonly<
  Record<Exclude<Compression, "none">, { number: number; compress: (data: Buffer) => Buffer }>
> = {
  gzip: { number: 1, compress: (data) => gzipSync(data) },
  snappy: { number: 2, compress: snappyCompress },
  lz4: { number: 3, compress: lz4Compress },
  zstd: { number: 4, compress: (data) => zstdCompressSync(data) },
};
