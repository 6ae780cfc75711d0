/**
 * Any accepted image to a decoded picture in pooled memory.
 *
 * @module
 */
import type Sharp from "sharp";
import { BadFrameError } from "../definition/frame.ts";
import { type ImageInfo, inspectImage } from "./inspect.ts";
import { decodeJpeg } from "./jpeg.ts";
import { decompressReduced, hasLibrary } from "./jpeg_library.ts";
import { type Channels, PooledImage, type RawImage } from "./raw.ts";
import { shrink } from "./shrink.ts";

let sharp: Promise<typeof Sharp> | undefined;

/** Loads libvips when the first picture needs it: most topics hold nothing but JPEG. */
function loadSharp(): Promise<typeof Sharp> {
  sharp ??= import("sharp").then(({ default: loaded }) => {
    // No picture comes twice, so there is nothing to gain from a cache.
    loaded.cache(false);
    return loaded;
  });
  return sharp;
}

/**
 * Decodes a JPEG, PNG or WebP image off this thread. Pixels come as stored: an EXIF orientation is
 * not applied. Transparent parts of PNG and WebP are laid on black unless RGBA is asked for.
 *
 * @param bytes the encoded image; must stay as it is until the promise settles
 * @param channels 1 grey, 3 RGB, 4 RGBA
 * @param info what `inspectImage` said of it, where that is known
 * @throws {BadFrameError} `corrupt`, or what `inspectImage` throws.
 *
 * @example
 * ```ts
 * import { decodeImage } from "./decode.ts";
 *
 * const picture = await decodeImage(Deno.readFileSync("frame.webp"), 3);
 * console.log(`The first pixel is rgb(${picture.data.subarray(0, 3).join(",")})`);
 * picture.release();
 * ```
 */
export async function decodeImage(
  bytes: Uint8Array,
  channels: Channels,
  info: ImageInfo = inspectImage(bytes),
): Promise<RawImage> {
  // libjpeg-turbo turns one and three components into what is asked for, but no inks into light.
  if (info.type === "jpeg" && (info.components === 1 || info.components === 3)) {
    try {
      return await decodeJpeg(bytes, channels, info);
    } catch (error) {
      if (!(error instanceof BadFrameError)) throw error;
      // Some cameras pad before the end marker. libvips takes that, and says what is wrong else.
    }
  }
  return await decodeWithSharp(bytes, channels, info);
}

/** How much smaller a picture may be decoded. */
export type Denominator = 1 | 2 | 4 | 8;

/**
 * Decodes an image at 1, 1/2, 1/4 or 1/8 of its size, rounded up, which is cheaper for a JPEG and
 * free of aliasing for all; the values are those of OpenCV's `IMREAD_REDUCED_*` and, at full size,
 * of its `imdecode`. Where libjpeg-turbo is no shared library (macOS, Windows) they differ a little.
 * For the rest see {@linkcode decodeImage}.
 *
 * @example
 * ```ts
 * import { decodeReduced } from "./decode.ts";
 *
 * const small = await decodeReduced(Deno.readFileSync("frame.jpg"), 1, 4);
 * console.log(`${small.width}x${small.height}`);
 * small.release();
 * ```
 */
export async function decodeReduced(
  bytes: Uint8Array,
  channels: Channels,
  denominator: Denominator,
  info: ImageInfo = inspectImage(bytes),
): Promise<RawImage> {
  const direct = info.type === "jpeg" && (info.components === 1 || info.components === 3);
  if (direct && hasLibrary && bytes.buffer instanceof ArrayBuffer) {
    const width = Math.ceil(info.width / denominator);
    const height = Math.ceil(info.height / denominator);
    const image = new PooledImage(width, height, channels);
    if (await decompressReduced(bytes as Uint8Array<ArrayBuffer>, image, denominator)) return image;
    // As in decodeImage: another decoder tells whether it is bad, and why.
    image.release();
  }
  const full = await decodeImage(bytes, channels, info);
  if (denominator === 1) return full;
  try {
    return shrink(full, denominator);
  } finally {
    full.release();
  }
}

async function decodeWithSharp(
  bytes: Uint8Array,
  channels: Channels,
  info: ImageInfo,
): Promise<RawImage> {
  // The header was checked against the caller's limit; a body that disagrees with it is refused.
  const load = await loadSharp();
  let pipeline = load(bytes, { limitInputPixels: info.width * info.height, failOn: "warning" })
    .toColourspace("srgb");
  pipeline = channels === 4 ? pipeline.ensureAlpha() : pipeline.flatten();
  let decoded;
  try {
    decoded = await pipeline.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  } catch (error) {
    throw new BadFrameError(
      "corrupt",
      `Cannot decode the ${info.type} image: ${(error as Error).message.trim()}`,
      { cause: error },
    );
  }
  const { data, info: { width, height, channels: given } } = decoded;
  if (width !== info.width || height !== info.height) {
    throw new BadFrameError(
      "corrupt",
      `Cannot decode the ${info.type} image: its header says ${info.width}x${info.height}, ` +
        `its picture is ${width}x${height}`,
    );
  }
  const image = new PooledImage(width, height, channels);
  if (channels === given) image.data.set(data);
  else if (channels === 1 && given === 3) toLuma(data, image.data);
  else {
    image.release();
    throw new Error(`Expected ${channels} channels from libvips: it gave ${given}`);
  }
  return image;
}

/** RGB to the luma that a JPEG of it would hold (Rec. 601, in 16 bits of fraction). */
function toLuma(rgb: Uint8Array, luma: Uint8Array): void {
  for (let from = 0, to = 0; to < luma.length; from += 3, to++) {
    const sum = 19_595 * rgb[from]! + 38_470 * rgb[from + 1]! + 7_471 * rgb[from + 2]!;
    luma[to] = (sum + 32_768) >> 16;
  }
}
