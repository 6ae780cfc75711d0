/**
 * libjpeg-turbo itself. The package `@julusian/jpeg-turbo` brings it as a shared library on Linux
 * beside its addon, which offers neither decoding at reduced size nor the accurate transform.
 *
 * @module
 */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pool } from "./pool.ts";
import type { Channels, RawImage } from "./raw.ts";

const SYMBOLS = {
  tj3Init: { parameters: ["i32"], result: "pointer" },
  tj3Set: { parameters: ["pointer", "i32", "i32"], result: "i32" },
  tj3SetScalingFactor: { parameters: ["pointer", { struct: ["i32", "i32"] }], result: "i32" },
  tj3DecompressHeader: { parameters: ["pointer", "buffer", "usize"], result: "i32" },
  tj3Decompress8: {
    parameters: ["pointer", "buffer", "usize", "buffer", "i32", "i32"],
    result: "i32",
    nonblocking: true,
  },
  tj3JPEGBufSize: { parameters: ["i32", "i32", "i32"], result: "usize" },
  tj3Transform: {
    parameters: ["pointer", "buffer", "usize", "i32", "buffer", "buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  // Of the C library that it is linked with; see `addressOf`.
  memmove: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
} as const;

/** Constants of turbojpeg.h. */
const TJINIT_DECOMPRESS = 1;
const TJINIT_TRANSFORM = 2;
const TJPARAM_NOREALLOC = 2;
const TJPARAM_SCANLIMIT = 13;
const TJSAMP_GRAY = 3;
const TJXOPT_GRAY = 8;
const TJXOPT_COPYNONE = 64;
const FORMATS: Readonly<Record<Channels, number>> = { 1: 6, 3: 0, 4: 7 };

/** See `inspectImage`, which counts them too. */
const MAX_SCANS = 100;

// Opened with the module: it belongs to the thread, not to who decodes first.
const library = openLibrary(SYMBOLS);

/** True where `decompressReduced` and `keepLuma` can be used. */
export const hasLibrary = library !== undefined;

/**
 * Opens the library for the thread that asks.
 *
 * @returns undefined where there is none for this system.
 */
export function openLibrary<Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols> | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const cpu = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  const require = createRequire(import.meta.url);
  const folder = `${dirname(require.resolve("@julusian/jpeg-turbo"))}/prebuilds`;
  for (const platform of [`linux-${cpu}`, `linux-${cpu}-musl`]) {
    try {
      return Deno.dlopen(`${folder}/jpeg-turbo-${platform}/libturbojpeg.so.0`, symbols);
    } catch (error) {
      // Built for another C library, or not shipped: the addon decodes, at full size.
      if (error instanceof Deno.errors.NotCapable) throw error;
    }
  }
  return undefined;
}

/** A decompressor, and what it works on: native code must not outlive the memory that it uses. */
interface Decompressor {
  readonly handle: Deno.PointerValue;
  readonly busy: Set<unknown>;
}

const idle: Decompressor[] = [];

function acquire(): Decompressor {
  const free = idle.pop();
  if (free !== undefined) return free;
  const handle = library!.symbols.tj3Init(TJINIT_DECOMPRESS);
  if (handle === null) throw new Error("Cannot make a JPEG decompressor: out of memory");
  library!.symbols.tj3Set(handle, TJPARAM_SCANLIMIT, MAX_SCANS);
  return { handle, busy: new Set() };
}

/**
 * Decodes a JPEG of one or three components into `image`, at 1, 1/2, 1/4 or 1/8 of its size: as
 * many pixels as are left, rounded up. The smaller ones cost less, and are free of aliasing.
 *
 * @param bytes must stay as it is until the promise settles
 * @returns false where libjpeg finds anything to complain of, also what leaves the picture whole.
 */
export async function decompressReduced(
  bytes: Uint8Array<ArrayBuffer>,
  image: RawImage & { readonly data: Uint8Array<ArrayBuffer> },
  denominator: 1 | 2 | 4 | 8,
): Promise<boolean> {
  const { symbols } = library!;
  const decompressor = acquire();
  const { handle, busy } = decompressor;
  busy.add(bytes).add(image);
  try {
    const length = BigInt(bytes.length);
    const scale = new Uint8Array(Int32Array.of(1, denominator).buffer);
    if (symbols.tj3DecompressHeader(handle, bytes, length) !== 0) return false;
    if (symbols.tj3SetScalingFactor(handle, scale) !== 0) return false;
    const format = FORMATS[image.channels];
    return await symbols.tj3Decompress8(handle, bytes, length, image.data, 0, format) === 0;
  } finally {
    busy.clear();
    idle.push(decompressor);
  }
}

/** A transformer with what it reads and writes, all of it alive as long as it is. */
interface Transformer {
  readonly handle: Deno.PointerValue;
  readonly busy: Set<unknown>;
  /** Address and size of the output, as the library wants them: arrays of one. */
  readonly outputs: BigUint64Array<ArrayBuffer>;
  readonly sizes: BigUint64Array<ArrayBuffer>;
}

const idleTransformers: Transformer[] = [];

/** A `tjtransform` that keeps the grey part of a whole picture, and nothing but pixels. */
const LUMA_ONLY = new Uint8Array(40);
new Int32Array(LUMA_ONLY.buffer)[5] = TJXOPT_GRAY | TJXOPT_COPYNONE;

function acquireTransformer(): Transformer {
  const free = idleTransformers.pop();
  if (free !== undefined) return free;
  const { symbols } = library!;
  const handle = symbols.tj3Init(TJINIT_TRANSFORM);
  if (handle === null) throw new Error("Cannot make a JPEG transformer: out of memory");
  symbols.tj3Set(handle, TJPARAM_SCANLIMIT, MAX_SCANS);
  symbols.tj3Set(handle, TJPARAM_NOREALLOC, 1);
  const outputs = new BigUint64Array(1), sizes = new BigUint64Array(1);
  return { handle, busy: new Set(), outputs, sizes };
}

/**
 * Where a buffer lies. `Deno.UnsafePointer` tells too, to programs that may load any library there is;
 * moving nothing returns the address as well.
 */
function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return library!.symbols.memmove(bytes, bytes, 0n);
}

/**
 * Drops the colour of a JPEG of three components and codes its luma anew, without loss: no sample
 * is computed, so that this costs less than decoding and encoding.
 *
 * @param bytes must stay as it is until the promise settles
 * @param size of its picture, pixels
 * @returns a grey baseline JPEG without metadata on a buffer of exactly its size; undefined where
 * libjpeg finds anything to complain of, or its components are no luma and chroma.
 */
export async function keepLuma(
  bytes: Uint8Array<ArrayBuffer>,
  { width, height }: Pick<RawImage, "width" | "height">,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { symbols } = library!;
  const room = symbols.tj3JPEGBufSize(width, height, TJSAMP_GRAY);
  const out = pool.acquire(Number(room));
  const transformer = acquireTransformer();
  const { handle, busy, outputs, sizes } = transformer;
  busy.add(bytes).add(out);
  try {
    outputs[0] = addressOf(out);
    sizes[0] = room;
    const failed = await symbols.tj3Transform(
      handle,
      bytes,
      BigInt(bytes.length),
      1,
      new Uint8Array(outputs.buffer),
      new Uint8Array(sizes.buffer),
      LUMA_ONLY,
    );
    return failed === 0 ? out.slice(0, Number(sizes[0])) : undefined;
  } finally {
    busy.clear();
    idleTransformers.push(transformer);
    pool.release(out);
  }
}
