// Codecs for compressed batches, loaded when first needed: that takes 50 ms of processor in each executor.
import type { Buffer } from "node:buffer";
import type { Compression } from "../../log.ts";

/** gzip and zstd. */
export const zlib = once(() => process.getBuiltinModule("node:zlib"));

/** Snappy and LZ4. */
export const blocks = once(() => {
  const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);
  return require("@platformatic/wasm-utils") as typeof import("@platformatic/wasm-utils");
});

/** `number`: the codec in the batch's attributes. */
export const COMPRESSORS: Readonly<
  Record<Exclude<Compression, "none">, { number: number; compress: (data: Buffer) => Buffer }>
> = {
  gzip: { number: 1, compress: (data) => zlib().gzipSync(data) },
  snappy: { number: 2, compress: (data) => blocks().snappyCompress(data) },
  lz4: { number: 3, compress: (data) => blocks().lz4Compress(data) },
  zstd: { number: 4, compress: (data) => zlib().zstdCompressSync(data) },
};

function once<T>(load: () => T): () => T {
  let loaded: T | undefined;
  return () => loaded ??= load();
}
