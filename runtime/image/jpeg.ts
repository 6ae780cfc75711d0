// Decodes and encodes JPEG in pooled memory, using libjpeg-turbo on the process's thread pool.
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
import { type Channels, type Denominator, PooledImage, type RawImage } from "./raw.ts";
import { withKernels } from "./kernels/kernels.ts";
import { takeLuma } from "./kernels/luma_jpeg.ts";

/** This many equal bytes are unlikely to be codes. */
const LIKELY_PADDING = 8;

const FORMATS = { 1: "FORMAT_GRAY", 3: "FORMAT_RGB", 4: "FORMAT_RGBA" } as const;

/** Encodes, and decodes where the library is unavailable. Loaded on demand: most executors never need it. */
let addon: typeof jpegTurbo | undefined;

async function loadAddon(): Promise<typeof jpegTurbo> {
  return addon ??= (await import("@julusian/jpeg-turbo")).default;
}

/** Loads the encoder in advance, so that the first picture does not wait for it. */
export async function prepareEncoder(): Promise<void> {
  await loadAddon();
}

/** Whether libjpeg-turbo can decode this image; it cannot convert CMYK. */
export function isDirect({ type, components }: ImageInfo): boolean {
  return type === "jpeg" && (components === 1 || components === 3);
}

/**
 * Decodes a JPEG with one or three components. Flaws that leave the picture complete are repaired (see
 * `FLAWS`); all other damaged images are rejected, whatever the decoder would accept.
 *
 * @param bytes the JPEG; must not change until the promise settles
 * @param channels 1 grey (the luma plane, which is fastest), 3 RGB, 4 RGBA
 * @param info the result of `inspectImage`, if available
 * @param denominator reduces the size by this factor; uses the accurate transform
 * @throws {BadFrameError} `corrupt`, or any error of `inspectImage`
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
  denominator?: Denominator,
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
    const complaint = await asIsOrRepaired(bytes, flaws, decode, (words) => words === undefined);
    if (complaint === undefined) return image;
    throw refusal("codes", `Cannot decode the jpeg image: ${complaint}`);
  } catch (error) {
    image.release();
    throw error;
  }
}

/**
 * Decodes a JPEG on this thread into `target`, with the values of `decodeJpeg` with a denominator.
 *
 * @returns false if anything is unusual about it, for `decodeJpeg` to examine
 */
export function decodeJpegHere(
  bytes: Uint8Array,
  info: ImageInfo,
  target: Pixels,
  denominator: Denominator,
): boolean {
  return hasLibrary && isDirect(info) && info.flaws === undefined && !seemsPadded(bytes) &&
    decompressHere(ofOwnMemory(bytes), target, denominator) === undefined;
}

/** @returns undefined on success, otherwise the fault */
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
    // The addon's message belongs to its thread and is mostly "No error".
    if (error instanceof Error) return DAMAGED;
    throw error;
  }
}

/** What `attempt` makes of the bytes; of repaired ones where they seem flawed, or where it fails. */
async function asIsOrRepaired<T>(
  bytes: Uint8Array,
  flaws: ImageInfo["flaws"],
  attempt: (jpeg: Uint8Array) => Promise<T>,
  succeeded: (result: T) => boolean,
): Promise<T> {
  const whole = flaws === undefined && !seemsPadded(bytes) ? undefined : repaired(bytes);
  const first = await attempt(whole ?? bytes);
  const second = whole !== undefined || succeeded(first) ? undefined : repaired(bytes);
  return second === undefined ? first : await attempt(second);
}

/** Whether the bytes before the end marker are equal: repairing first avoids decoding twice. */
function seemsPadded(jpeg: Uint8Array): boolean {
  const tail = jpeg.subarray(-2 - LIKELY_PADDING, -2);
  return tail.every((byte) => byte === tail[0]);
}

/** Native code does not accept shared memory. */
function ofOwnMemory(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? bytes as Uint8Array<ArrayBuffer> : bytes.slice();
}

/**
 * Extracts the luma of a colour JPEG as a grey JPEG, without loss: coefficients and quantisation are kept.
 *
 * @param bytes the JPEG; must not change until the promise settles
 * @param info the result of `inspectImage`, if available
 * @returns undefined if it is not a colour JPEG, is damaged or has no luma; without the libjpeg-turbo shared
 * library also if it is not of the common kind (baseline, 4:2:0, no restart markers, up to 512 KB). Decoding
 * then reports any fault.
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
  const keep = (jpeg: Uint8Array) => keepLuma(ofOwnMemory(jpeg), info);
  return await asIsOrRepaired(bytes, info.flaws, keep, (kept) => kept !== undefined);
}

/** Encoder options. */
export interface EncodeJpegOptions {
  /** 1 (smallest) to 100 (best). */
  readonly quality?: number;
  /** Pixels from one row to the next. Default: the width. */
  readonly stride?: number;
}

/**
 * Encodes a picture: grey as grey, RGB and RGBA with 4:2:0 chroma subsampling. The picture must not change
 * until the promise settles and is not released.
 *
 * @returns the JPEG in a buffer of exactly its size
 * @throws {RangeError} unless the quality is a whole number from 1 to 100
 */
export async function encodeJpeg(
  { data, width, height, channels }: Omit<RawImage, "release">,
  { quality = 80, stride = width }: EncodeJpegOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  if (!Number.isInteger(quality) || quality < 1 || quality > 100) {
    throw new RangeError(
      `Cannot encode with quality ${quality}: expected a whole number from 1 to 100`,
    );
  }
  const addon = await loadAddon();
  const settings = {
    format: addon[FORMATS[channels]],
    width,
    height,
    stride,
    subsampling: channels === 1 ? addon.SAMP_GRAY : addon.SAMP_420,
    quality,
  };
  const out = pool.acquire(addon.bufferSize(settings));
  try {
    return new Uint8Array(await addon.compress(asBuffer(data), asBuffer(out), settings));
  } finally {
    pool.release(out);
  }
}

/** The same memory as a Buffer, as the codec requires. */
function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
