/**
 * Small JPEGs of large ones, for a thread that does nothing else: the decoder reduces them while it
 * decodes, and nothing is done twice or handed to another thread.
 *
 * @module
 */
import type { Denominator } from "./decode.ts";
import { openLibrary } from "./jpeg_library.ts";
import { pool } from "./pool.ts";

const SYMBOLS = {
  tj3Init: { parameters: ["i32"], result: "pointer" },
  tj3Destroy: { parameters: ["pointer"], result: "void" },
  tj3Set: { parameters: ["pointer", "i32", "i32"], result: "i32" },
  tj3SetScalingFactor: { parameters: ["pointer", { struct: ["i32", "i32"] }], result: "i32" },
  tj3DecompressHeader: { parameters: ["pointer", "buffer", "usize"], result: "i32" },
  tj3Decompress8: {
    parameters: ["pointer", "buffer", "usize", "buffer", "i32", "i32"],
    result: "i32",
  },
  tj3JPEGBufSize: { parameters: ["i32", "i32", "i32"], result: "usize" },
  tj3Compress8: {
    parameters: ["pointer", "buffer", "i32", "i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
  // Of the C library that it is linked with.
  memmove: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" },
} as const;

/** Constants of turbojpeg.h. */
const TJINIT_COMPRESS = 0;
const TJINIT_DECOMPRESS = 1;
const TJPARAM_NOREALLOC = 2;
const TJPARAM_QUALITY = 3;
const TJPARAM_SUBSAMP = 4;
const TJPARAM_SCANLIMIT = 13;
const TJSAMP_420 = 2;
const TJSAMP_GRAY = 3;
const TJPF_RGB = 0;
const TJPF_GRAY = 6;
/** Constants of sys/resource.h: the calling thread, and the least that it can ask for. */
const PRIO_PROCESS = 0;
const LOWEST_PRIORITY = 19;
/** Of sched.h: who wakes up does not wait for such a thread's turn to end. */
const SCHED_IDLE = 5;
const CALLING_THREAD = 0;

/** See `inspectImage`, which counts them too. */
const MAX_SCANS = 100;

const library = openLibrary(SYMBOLS);

/** True where `reduceJpeg` can be used. */
export const canReduce = library !== undefined;

/**
 * Lets every other thread of the machine go first, from now on: this one works in what they leave.
 * Where the system has no such thing nothing changes.
 */
export function stepBack(): void {
  // Linux counts threads here, whatever its name says. It never refuses to lower a priority.
  library?.symbols.setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY);
  library?.symbols.sched_setscheduler(CALLING_THREAD, SCHED_IDLE, new Int32Array(1));
}

/** What is known of a JPEG that is to be reduced. */
export interface JpegSize {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly components: 1 | 3;
}

/**
 * A JPEG at 1/2, 1/4 or 1/8 of its size, rounded up: grey as grey, colour with halved chroma
 * (4:2:0), without metadata. Blocks this thread.
 *
 * @param quality 1 to 100
 * @returns the JPEG on a buffer of exactly its size; undefined where libjpeg finds anything to
 * complain of.
 *
 * @example
 * ```ts
 * import { inspectImage } from "./inspect.ts";
 * import { reduceJpeg } from "./reduce_jpeg.ts";
 *
 * const bytes = Deno.readFileSync("frame.jpg");
 * const { width, height } = inspectImage(bytes);
 * const small = reduceJpeg(bytes, { width, height, components: 3 }, 4, 72);
 * if (small !== undefined) Deno.writeFileSync("small.jpg", small);
 * ```
 */
export function reduceJpeg(
  bytes: Uint8Array<ArrayBuffer>,
  size: JpegSize,
  denominator: Exclude<Denominator, 1>,
  quality: number,
): Uint8Array<ArrayBuffer> | undefined {
  const width = Math.ceil(size.width / denominator);
  const height = Math.ceil(size.height / denominator);
  const pixels = pool.acquire(width * height * size.components);
  try {
    const format = size.components === 1 ? TJPF_GRAY : TJPF_RGB;
    if (!decompress(bytes, pixels, format, denominator)) return undefined;
    return compress(pixels, width, height, format, quality);
  } finally {
    pool.release(pixels);
  }
}

function decompress(
  bytes: Uint8Array<ArrayBuffer>,
  pixels: Uint8Array<ArrayBuffer>,
  format: number,
  denominator: number,
): boolean {
  const { symbols } = library!;
  return withHandle(TJINIT_DECOMPRESS, (handle) => {
    const length = BigInt(bytes.length);
    const scale = new Uint8Array(Int32Array.of(1, denominator).buffer);
    symbols.tj3Set(handle, TJPARAM_SCANLIMIT, MAX_SCANS);
    return symbols.tj3DecompressHeader(handle, bytes, length) === 0 &&
      symbols.tj3SetScalingFactor(handle, scale) === 0 &&
      symbols.tj3Decompress8(handle, bytes, length, pixels, 0, format) === 0;
  });
}

function compress(
  pixels: Uint8Array<ArrayBuffer>,
  width: number,
  height: number,
  format: number,
  quality: number,
): Uint8Array<ArrayBuffer> {
  const { symbols } = library!;
  const subsampling = format === TJPF_GRAY ? TJSAMP_GRAY : TJSAMP_420;
  const room = symbols.tj3JPEGBufSize(width, height, subsampling);
  const out = pool.acquire(Number(room));
  try {
    return withHandle(TJINIT_COMPRESS, (handle) => {
      symbols.tj3Set(handle, TJPARAM_NOREALLOC, 1);
      symbols.tj3Set(handle, TJPARAM_QUALITY, quality);
      symbols.tj3Set(handle, TJPARAM_SUBSAMP, subsampling);
      // Address and size of the output, as the library wants them: arrays of one. Moving nothing
      // returns the address, for which `Deno.UnsafePointer` asks leave to load any library there is.
      const address = BigUint64Array.of(symbols.memmove(out, out, 0n));
      const length = BigUint64Array.of(room);
      const failed = symbols.tj3Compress8(
        handle,
        pixels,
        width,
        0,
        height,
        format,
        new Uint8Array(address.buffer),
        new Uint8Array(length.buffer),
      );
      if (failed !== 0) throw new Error(`Cannot encode a picture of ${width}x${height} as JPEG`);
      return out.slice(0, Number(length[0]));
    });
  } finally {
    pool.release(out);
  }
}

function withHandle<T>(kind: number, use: (handle: Deno.PointerValue) => T): T {
  const { symbols } = library!;
  const handle = symbols.tj3Init(kind);
  if (handle === null) throw new Error("Cannot make a JPEG codec: out of memory");
  try {
    return use(handle);
  } finally {
    symbols.tj3Destroy(handle);
  }
}
