// Decodes any accepted image into pooled memory.
import { messageOf } from "../base/errors.ts";
import { ownWork } from "../base/own_work.ts";
import { type ImageInfo, inspectImage } from "./inspect.ts";
import { refusal } from "./flaws.ts";
import { decodeJpeg, isDirect } from "./jpeg.ts";
import { repaired } from "./kernels/repair.ts";
import { type Channels, type Denominator, PooledImage, type RawImage } from "./raw.ts";
import { loadSharp } from "./sharp.ts";
import { shrink } from "./shrink.ts";
import { hasLibrary } from "./turbojpeg.ts";

/**
 * Decodes a JPEG, PNG or WebP image off this thread. Pixels are returned as stored: an EXIF orientation is
 * not applied. Transparent parts of PNG and WebP are blended onto black unless RGBA is requested.
 *
 * @param bytes the encoded image; must not change until the promise settles
 * @param channels 1 grey, 3 RGB, 4 RGBA
 * @param info the result of `inspectImage`, if available
 * @throws {BadFrameError} `corrupt`, or any error of `inspectImage`
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
  if (isDirect(info)) return await decodeJpeg(bytes, channels, info);
  return await decodeWithSharp(bytes, channels, info);
}

/**
 * Decodes an image at 1, 1/2, 1/4 or 1/8 of its size, rounded up, without aliasing and, for JPEG, at lower
 * cost. Values match OpenCV's `IMREAD_REDUCED_*` and, at full size, its `imdecode`; without the libjpeg-turbo
 * shared library (macOS, Windows) they differ slightly. Parameters and errors are those of {@linkcode
 * decodeImage}.
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
  if (isDirect(info) && hasLibrary) {
    return await decodeJpeg(bytes, channels, info, denominator);
  }
  const full = await decodeImage(bytes, channels, info);
  if (denominator === 1) return full;
  try {
    return ownWork(() => shrink(full, denominator));
  } finally {
    full.release();
  }
}

async function decodeWithSharp(
  bytes: Uint8Array,
  channels: Channels,
  info: ImageInfo,
): Promise<RawImage> {
  // The header was checked against the limits: reject a body that disagrees with it.
  const open = await loadSharp();
  const options = {
    limitInputPixels: info.width * info.height,
    failOn: "warning",
    // Samples as stored, not converted by a colour profile.
    ignoreIcc: true,
  } as const;
  const whole = info.flaws === undefined ? bytes : repaired(bytes) ?? bytes;
  let pipeline = open(whole, options).toColourspace("srgb");
  pipeline = channels === 4 ? pipeline.ensureAlpha() : pipeline.flatten();
  let decoded;
  try {
    decoded = await pipeline.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  } catch (error) {
    const message = messageOf(error).trim();
    throw refusal("codes", `Cannot decode the ${info.type} image: ${message}`, { cause: error });
  }
  const { data, info: { width, height, channels: given } } = decoded;
  if (width !== info.width || height !== info.height) {
    throw refusal(
      "codes",
      `Cannot decode the ${info.type} image: its header says ${info.width}x${info.height}, ` +
        `its picture is ${width}x${height}`,
    );
  }
  const image = new PooledImage(width, height, channels);
  if (channels === given) image.data.set(data);
  else ownWork(() => toLuma(data, image.data));
  return image;
}

/** RGB to the luma that a JPEG would store (Rec. 601, 16-bit fixed point). */
function toLuma(rgb: Uint8Array, luma: Uint8Array): void {
  for (let from = 0, to = 0; to < luma.length; from += 3, to++) {
    const sum = 19_595 * rgb[from]! + 38_470 * rgb[from + 1]! + 7_471 * rgb[from + 2]!;
    luma[to] = (sum + 32_768) >> 16;
  }
}
