// JPEG in and out of pooled memory, through libjpeg-turbo on the process's thread pool.
import { Buffer } from "node:buffer";
import type jpegTurbo from "@julusian/jpeg-turbo";
import { type ImageInfo, inspectImage } from "./inspect.ts";
import { refusal } from "./flaws.ts";
import { repaired } from "./kernels/repair.ts";
import {
  DAMAGED,
  decompress,
  decompressHere,
  hasLibrary,
  keepLuma,
  type Pixels,
} from "./turbojpeg.ts";
import { pool } from "./pool.ts";
import { type Channels, PooledImage, type RawImage } from "./raw.ts";
import { withKernels } from "./kernels/kernels.ts";
import { takeLuma } from "./kernels/luma_jpeg.ts";

/** This many equal bytes are hardly codes. */
const LIKELY_PADDING = 8;

const FORMATS = { 1: "FORMAT_GRAY", 3: "FORMAT_RGB", 4: "FORMAT_RGBA" } as const;

/** What encodes, and decodes where the library cannot be used. Loaded when it is needed: most executors never do. */
let addon: typeof jpegTurbo | undefined;

async function loadAddon(): Promise<typeof jpegTurbo> {
  return addon ??= (await import("@julusian/jpeg-turbo")).default;
}

/** Loads what encodes, for those whose first picture must not wait for it. */
export async function prepareEncoder(): Promise<void> {
  await loadAddon();
}

/** True for a JPEG that libjpeg-turbo turns into what is asked for: it makes no light of inks. */
export function isDirect({ type, components }: ImageInfo): boolean {
  return type === "jpeg" && (components === 1 || components === 3);
}

/**
 * Decodes a JPEG of one or three components. What is wrong with it and leaves its picture whole is
 * repaired: see `FLAWS`. All else is refused, whatever the decoder would make of it.
 *
 * @param bytes the JPEG; must stay as it is until the promise settles
 * @param channels 1 grey (the luma plane, which costs the least), 3 RGB, 4 RGBA
 * @param info the result of `inspectImage`, if there is one already
 * @param denominator decodes at one over this of its size; by the accurate transform then
 * @throws {BadFrameError} `corrupt`, or what `inspectImage` throws.
 *
 * @example
 * ```ts
 * import { decodeJpeg, encodeJpeg } from "./jpeg.ts";
 *
 * const grey = await decodeJpeg(Deno.readFileSync("frame.jpg"), 1);
 * const jpeg = await encodeJpeg(grey, { quality: 80 });
 * grey.release();
 * Deno.writeFileSync("grey.jpg", jpeg);
 * ```
 */
export async function decodeJpeg(
  bytes: Uint8Array,
  channels: Channels,
  info: ImageInfo = inspectImage(bytes),
  denominator?: 1 | 2 | 4 | 8,
): Promise<RawImage> {
  const { width, height, flaws } = info;
  const image = new PooledImage(
    Math.ceil(width / (denominator ?? 1)),
    Math.ceil(height / (denominator ?? 1)),
    channels,
  );
  const decode = (jpeg: Uint8Array) =>
    hasLibrary
      ? decompress(ofOwnMemory(jpeg), image, denominator ?? 1, denominator === undefined)
      : decompressByAddon(jpeg, image);
  try {
    const whole = flaws === undefined && !seemsPadded(bytes) ? undefined : repaired(bytes);
    let complaint = await decode(whole ?? bytes);
    if (complaint !== undefined && whole === undefined) {
      const second = repaired(bytes);
      if (second !== undefined) complaint = await decode(second);
    }
    if (complaint === undefined) return image;
    throw refusal("codes", `Cannot decode the jpeg image: ${complaint}`);
  } catch (error) {
    image.release();
    throw error;
  }
}

/**
 * Decodes a JPEG on this thread into `target`, to the values of `decodeJpeg` with a denominator.
 *
 * @returns false where anything is odd about it: `decodeJpeg` looks closer.
 */
export function decodeJpegHere(
  bytes: Uint8Array,
  info: ImageInfo,
  target: Pixels,
  denominator: 1 | 2 | 4 | 8,
): boolean {
  return hasLibrary && isDirect(info) && info.flaws === undefined && !seemsPadded(bytes) &&
    decompressHere(ofOwnMemory(bytes), target, denominator) === undefined;
}

/** @returns undefined when it is done at full size, else what is wrong. */
async function decompressByAddon(
  jpeg: Uint8Array,
  image: PooledImage,
): Promise<string | undefined> {
  try {
    const addon = await loadAddon();
    const format = addon[FORMATS[image.channels]];
    await addon.decompress(asBuffer(jpeg), asBuffer(image.data), { format });
    return undefined;
  } catch (error) {
    // The addon's message is that of its thread, mostly "No error".
    if (error instanceof Error) return DAMAGED;
    throw error;
  }
}

/** True where bytes before the end marker are alike: looking closer saves decoding twice. */
function seemsPadded(jpeg: Uint8Array): boolean {
  const tail = jpeg.subarray(-2 - LIKELY_PADDING, -2);
  return tail.every((byte) => byte === tail[0]);
}

/** Native code takes no memory that threads share. */
function ofOwnMemory(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? bytes as Uint8Array<ArrayBuffer> : bytes.slice();
}

/**
 * The luma of a colour JPEG as a grey JPEG, without loss: the coefficients stay as they are, what
 * they are quantised with too.
 *
 * @param bytes the JPEG; must stay as it is until the promise settles
 * @param info the result of `inspectImage`, if there is one already
 * @returns undefined where there is none: no colour JPEG, one that is damaged or holds no luma,
 * or, where it is not of the usual kind (baseline, 4:2:0, no restart markers, 512 KB at most), a
 * system without libjpeg-turbo's own library. Decoding then says what is the matter.
 *
 * @example
 * ```ts
 * import { extractLuma } from "./jpeg.ts";
 *
 * const grey = await extractLuma(Deno.readFileSync("frame.jpg"));
 * if (grey !== undefined) Deno.writeFileSync("grey.jpg", grey);
 * ```
 */
export async function extractLuma(
  bytes: Uint8Array,
  info: ImageInfo = inspectImage(bytes),
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (info.type !== "jpeg" || info.components !== 3) return undefined;
  const taken = withKernels((kernels) => takeLuma(kernels, bytes));
  if (taken !== undefined || !hasLibrary) return taken;
  const whole = info.flaws === undefined && !seemsPadded(bytes) ? undefined : repaired(bytes);
  const kept = await keepLuma(ofOwnMemory(whole ?? bytes), info);
  if (kept !== undefined || whole !== undefined) return kept;
  const second = repaired(bytes);
  return second === undefined ? undefined : await keepLuma(second, info);
}

/** How to encode. */
export interface EncodeJpegOptions {
  /** 1 (small) to 100 (good). */
  readonly quality?: number;
  /** Pixels from one row to the next; its width unless given. */
  readonly stride?: number;
}

/**
 * Encodes a picture: grey as grey, RGB and RGBA with halved chroma (4:2:0).
 *
 * The picture must stay as it is until the promise settles; it is not released.
 *
 * @returns the JPEG on a buffer of exactly its size
 */
export async function encodeJpeg(
  { data, width, height, channels }: Omit<RawImage, "release">,
  { quality = 80, stride = width }: EncodeJpegOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const addon = await loadAddon();
  const settings = {
    format: addon[FORMATS[channels]],
    width,
    height,
    stride,
    subsampling: channels === 1 ? addon.SAMP_GRAY : addon.SAMP_420,
    quality: checkQuality(quality),
  };
  const out = pool.acquire(addon.bufferSize(settings));
  try {
    return new Uint8Array(await addon.compress(asBuffer(data), asBuffer(out), settings));
  } finally {
    pool.release(out);
  }
}

/**
 * Checks a JPEG quality.
 *
 * @throws {RangeError} unless it is a whole number from 1 to 100.
 */
export function checkQuality(quality: number): number {
  if (!Number.isInteger(quality) || quality < 1 || quality > 100) {
    throw new RangeError(
      `Cannot encode with quality ${quality}: expected a whole number from 1 to 100`,
    );
  }
  return quality;
}

/** The same memory as a Buffer, which the codec asks for. */
function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
