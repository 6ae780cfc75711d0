/**
 * libjpeg-turbo itself. On Linux, the package `@julusian/jpeg-turbo` ships it as a shared library beside its
 * addon. The addon supports neither reduced sizes nor the accurate transform nor error messages.
 *
 * @module
 */
import { pool } from "./pool.ts";
import type { Channels, Denominator, RawImage } from "./raw.ts";

const DECOMPRESS = {
  parameters: ["pointer", "buffer", "usize", "buffer", "i32", "i32"],
  result: "i32",
} as const;

const SYMBOLS = {
  tj3Init: { parameters: ["i32"], result: "pointer" },
  tj3Destroy: { parameters: ["pointer"], result: "void" },
  tj3Set: { parameters: ["pointer", "i32", "i32"], result: "i32" },
  tj3Get: { parameters: ["pointer", "i32"], result: "i32" },
  tj3SetScalingFactor: { parameters: ["pointer", { struct: ["i32", "i32"] }], result: "i32" },
  tj3DecompressHeader: { parameters: ["pointer", "buffer", "usize"], result: "i32" },
  decompressHere: { name: "tj3Decompress8", ...DECOMPRESS },
  decompressElsewhere: { name: "tj3Decompress8", nonblocking: true, ...DECOMPRESS },
  tj3GetErrorStr: { parameters: ["pointer"], result: "pointer" },
  tj3JPEGBufSize: { parameters: ["i32", "i32", "i32"], result: "usize" },
  tj3Compress8: {
    parameters: ["pointer", "buffer", "i32", "i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
  tj3Transform: {
    parameters: ["pointer", "buffer", "usize", "i32", "buffer", "buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  // From the C library it is linked with. `Deno.UnsafePointer` would need permission to load any library.
  memmove: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
  strncpy: { parameters: ["buffer", "pointer", "usize"], result: "pointer" },
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  // Missing in old C libraries.
  gettid: { parameters: [], result: "i32", optional: true },
} as const;

/** Constants of turbojpeg.h. */
const TJINIT_COMPRESS = 0, TJINIT_DECOMPRESS = 1, TJINIT_TRANSFORM = 2;
const TJPARAM_STOPONWARNING = 0,
  TJPARAM_NOREALLOC = 2,
  TJPARAM_QUALITY = 3,
  TJPARAM_SUBSAMP = 4,
  TJPARAM_FASTDCT = 10;
const TJPARAM_SCANLIMIT = 13;
const TJPARAM_JPEGWIDTH = 5, TJPARAM_JPEGHEIGHT = 6;
const TJSAMP_420 = 2, TJSAMP_GRAY = 3;
const TJXOPT_GRAY = 8, TJXOPT_COPYNONE = 64;
const FORMATS: Readonly<Record<Channels, number>> = { 1: 6, 3: 0, 4: 7 };
/** Size of an error message including its terminator. */
const MESSAGE_BYTES = 200;

/** The message if the library provides none. */
export const DAMAGED = "codes are damaged or missing";

/** Maximum number of scans: real progressive JPEGs have about ten. */
export const MAX_SCANS = 100;

// Loaded with the module: it belongs to the thread, not to the first caller that decodes.
const library = openLibrary();

/** Whether the functions of this module are available. */
export const hasLibrary = library !== undefined;

function openLibrary(): Deno.DynamicLibrary<typeof SYMBOLS> | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const cpu = Deno.build.arch === "x86_64" ? "x64" : "arm64";
  const module = import.meta.resolve("@julusian/jpeg-turbo");
  for (const platform of [`linux-${cpu}`, `linux-${cpu}-musl`]) {
    try {
      const file = `prebuilds/jpeg-turbo-${platform}/libturbojpeg.so.0`;
      return Deno.dlopen(new URL(file, module), SYMBOLS);
    } catch (error) {
      // Built for another C library, or not shipped: use the addon, which decodes at full size.
      if (error instanceof Deno.errors.NotCapable) throw error;
    }
  }
  return undefined;
}

type Kind = typeof TJINIT_COMPRESS | typeof TJINIT_DECOMPRESS | typeof TJINIT_TRANSFORM;

const idle: Readonly<Record<Kind, Codec[]>> = { 0: [], 1: [], 2: [] };

/** A codec for one call at a time. */
class Codec implements Disposable {
  readonly #kind: Kind;
  readonly handle: Deno.PointerValue;
  /** Memory that native code is using and must not outlive. */
  readonly busy = new Set<unknown>();
  #succeeded = false;

  constructor(kind: Kind) {
    const { symbols } = library!;
    this.#kind = kind;
    this.handle = symbols.tj3Init(kind);
    if (this.handle === null) throw new Error("Cannot make a JPEG codec: out of memory");
    if (kind !== TJINIT_COMPRESS) {
      symbols.tj3Set(this.handle, TJPARAM_SCANLIMIT, MAX_SCANS);
      // Stop at the first warning: such images are rejected anyway.
      symbols.tj3Set(this.handle, TJPARAM_STOPONWARNING, 1);
    }
    if (kind !== TJINIT_DECOMPRESS) symbols.tj3Set(this.handle, TJPARAM_NOREALLOC, 1);
  }

  /** Ends a call: undefined if it succeeded, otherwise the library's message about it. */
  end(succeeded: boolean): string | undefined {
    this.#succeeded = succeeded;
    if (succeeded) return undefined;
    const text = new Uint8Array(MESSAGE_BYTES);
    const { symbols } = library!;
    symbols.strncpy(text, symbols.tj3GetErrorStr(this.handle), BigInt(MESSAGE_BYTES - 1));
    const message = new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
    // Warning texts stay on the thread that decoded.
    return message === "No error" ? DAMAGED : message.replace(/^tj3\w+\(\): /, "");
  }

  /** Only a successful codec is reused: a failed one keeps state of its failure. */
  [Symbol.dispose](): void {
    this.busy.clear();
    if (this.#succeeded) idle[this.#kind].push(this);
    else library!.symbols.tj3Destroy(this.handle);
    this.#succeeded = false;
  }
}

function acquire(kind: Kind): Codec {
  return idle[kind].pop() ?? new Codec(kind);
}

/** Reads the header and sets the output size; false if it does not fit the buffer. */
function prepare(
  { handle }: Codec,
  bytes: Uint8Array<ArrayBuffer>,
  { data, width, height, channels }: Pixels,
  denominator: number,
  fast: boolean,
): boolean {
  const { symbols } = library!;
  symbols.tj3Set(handle, TJPARAM_FASTDCT, fast ? 1 : 0);
  if (symbols.tj3DecompressHeader(handle, bytes, BigInt(bytes.length)) !== 0) return false;
  const size = [TJPARAM_JPEGWIDTH, TJPARAM_JPEGHEIGHT]
    .map((one) => Math.ceil(symbols.tj3Get(handle, one) / denominator));
  if (size[0] !== width || size[1] !== height) return false;
  if (data.length < width * height * channels) return false;
  const scale = new Uint8Array(Int32Array.of(1, denominator).buffer);
  return symbols.tj3SetScalingFactor(handle, scale) === 0;
}

/**
 * Decodes a JPEG with one or three components into `image`, at 1, 1/2, 1/4 or 1/8 of its size, rounded up.
 * Smaller sizes are cheaper, without aliasing.
 *
 * @param bytes must not change until the promise settles
 * @param fast uses the fast transform, whose values differ from the accurate one's by about one step
 * @returns undefined on success; otherwise libjpeg's complaint, even if the picture is complete
 */
export async function decompress(
  bytes: Uint8Array<ArrayBuffer>,
  image: Pixels,
  denominator: Denominator,
  fast = false,
): Promise<string | undefined> {
  using codec = acquire(TJINIT_DECOMPRESS);
  codec.busy.add(bytes).add(image);
  const { decompressElsewhere } = library!.symbols;
  const format = FORMATS[image.channels], length = BigInt(bytes.length);
  return codec.end(
    prepare(codec, bytes, image, denominator, fast) &&
      await decompressElsewhere(codec.handle, bytes, length, image.data, 0, format) === 0,
  );
}

/** A picture's samples and size. */
export type Pixels = Omit<RawImage, "release" | "data"> & {
  readonly data: Uint8Array<ArrayBuffer>;
};

/** Like `decompress`, on this thread. */
export function decompressHere(
  bytes: Uint8Array<ArrayBuffer>,
  image: Pixels,
  denominator: Denominator,
): string | undefined {
  using codec = acquire(TJINIT_DECOMPRESS);
  const format = FORMATS[image.channels], length = BigInt(bytes.length);
  return codec.end(
    prepare(codec, bytes, image, denominator, false) &&
      library!.symbols.decompressHere(codec.handle, bytes, length, image.data, 0, format) === 0,
  );
}

/** Pooled memory for a JPEG, and its address and size in the form that the library expects: arrays of one. */
function outputFor(width: number, height: number, subsampling: number) {
  const { symbols } = library!;
  const room = symbols.tj3JPEGBufSize(width, height, subsampling);
  const memory = pool.acquire(Number(room));
  // Moving nothing returns the address.
  const address = BigUint64Array.of(symbols.memmove(memory, memory, 0n));
  const size = BigUint64Array.of(room);
  return {
    address: new Uint8Array(address.buffer),
    size: new Uint8Array(size.buffer),
    copy: () => memory.slice(0, Number(size[0])),
    [Symbol.dispose]: () => pool.release(memory),
  };
}

/** Encodes a picture on this thread: grey as grey, colour with 4:2:0 chroma subsampling. */
export function compressHere(
  { data, width, height, channels }: Pixels,
  quality: number,
): Uint8Array<ArrayBuffer> {
  const { symbols } = library!;
  const subsampling = channels === 1 ? TJSAMP_GRAY : TJSAMP_420;
  using output = outputFor(width, height, subsampling);
  using codec = acquire(TJINIT_COMPRESS);
  const { handle } = codec;
  symbols.tj3Set(handle, TJPARAM_QUALITY, quality);
  symbols.tj3Set(handle, TJPARAM_SUBSAMP, subsampling);
  const format = FORMATS[channels];
  const { address, size } = output;
  const failure = codec.end(
    symbols.tj3Compress8(handle, data, width, 0, height, format, address, size) === 0,
  );
  if (failure === undefined) return output.copy();
  throw new Error(`Cannot encode ${width}x${height} pixels as JPEG: ${failure}`);
}

/** A `tjtransform` that keeps only the luma, without metadata. */
const LUMA_ONLY = new Uint8Array(40);
new Int32Array(LUMA_ONLY.buffer)[5] = TJXOPT_GRAY | TJXOPT_COPYNONE;

/**
 * Drops the colour of a JPEG with three components and re-encodes its luma losslessly. No samples are
 * computed, so this is cheaper than decoding and encoding.
 *
 * @param bytes must not change until the promise settles
 * @param size of its picture, pixels
 * @returns a grey baseline JPEG without metadata in a buffer of exactly its size; undefined if libjpeg
 * reports a fault, or its components are not luma and chroma
 */
export async function keepLuma(
  bytes: Uint8Array<ArrayBuffer>,
  { width, height }: Pick<RawImage, "width" | "height">,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  using output = outputFor(width, height, TJSAMP_GRAY);
  using codec = acquire(TJINIT_TRANSFORM);
  codec.busy.add(bytes).add(output);
  const { tj3Transform } = library!.symbols;
  const { address, size } = output, length = BigInt(bytes.length);
  const code = await tj3Transform(codec.handle, bytes, length, 1, address, size, LUMA_ONLY);
  return codec.end(code === 0) === undefined ? output.copy() : undefined;
}

/** From sys/resource.h: one thread, and two priorities. */
const PRIO_PROCESS = 0, LOW_PRIORITY = 10, LOWEST_PRIORITY = 19;
/** From sched.h: any thread that wakes up preempts one with this policy. */
const SCHED_IDLE = 5;
/** Denotes the calling thread. */
const THIS_THREAD = 0;

/** The system's id of this thread; 0 if unknown. */
export function threadId(): number {
  return library?.symbols.gettid?.() ?? THIS_THREAD;
}

/**
 * Lowers a thread's priority permanently: it gets a tenth of what other busy threads get. Even less would delay
 * threads that wait for its locks. Has no effect on systems without such priorities.
 *
 * @param options.thread another thread of this process, even a blocked one; see `threadId`
 * @param options.idle run only while the machine is otherwise idle: for work that holds no locks and that
 * nothing waits for
 */
export function yieldToOthers({ thread = THIS_THREAD, idle = false } = {}): void {
  const priority = idle ? LOWEST_PRIORITY : LOW_PRIORITY;
  // On Linux this applies to threads despite its name, and lowering a priority is always allowed.
  library?.symbols.setpriority(PRIO_PROCESS, thread, priority);
  if (idle) library?.symbols.sched_setscheduler(thread, SCHED_IDLE, new Int32Array(1));
}
