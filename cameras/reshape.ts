/**
 * Encoded images that must become others: another size, another quality, the right way up.
 *
 * @module
 */
import { BadFrameError } from "../runtime/definition/frame.ts";
import { DEFAULT_MAX_PIXELS, inspectImage } from "../runtime/image/inspect.ts";
import { DEFAULT_QUALITY, type ImageSettings } from "./source.ts";

/** An encoded image and what it is. */
export interface EncodedImage {
  readonly value: Uint8Array;
  readonly contentType: string;
  readonly width: number;
  readonly height: number;
}

/**
 * The image as it is, where it is upright and neither a size nor a quality is asked for; else a
 * JPEG made of it.
 *
 * @throws {BadFrameError} when it is no image that Framelane accepts.
 */
export async function reshape(
  value: Uint8Array,
  { size, quality }: ImageSettings,
): Promise<EncodedImage> {
  const { contentType, width, height, orientation = 1 } = inspectImage(value);
  const fits = size === undefined || (size.width === width && size.height === height);
  if (fits && quality === undefined && orientation === 1) {
    return { value, contentType, width, height };
  }
  const { default: sharp } = await import("sharp");
  try {
    let image = sharp(value, { limitInputPixels: DEFAULT_MAX_PIXELS }).autoOrient();
    if (size !== undefined) image = image.resize(size.width, size.height, { fit: "fill" });
    const { data, info } = await image.flatten()
      .jpeg({ quality: quality ?? DEFAULT_QUALITY })
      .toBuffer({ resolveWithObject: true });
    return { value: data, contentType: "image/jpeg", width: info.width, height: info.height };
  } catch (error) {
    throw new BadFrameError("corrupt", `Cannot decode the image: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** True when the bytes end where an image of their kind ends: a file is not half written. */
export function endsLikeAnImage(bytes: Uint8Array): boolean {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    let end = bytes.length;
    // Some cameras pad with zeros.
    while (end > 2 && bytes[end - 1] === 0) end--;
    return bytes[end - 2] === 0xff && bytes[end - 1] === 0xd9;
  }
  if (bytes[0] === 0x89 && bytes[1] === 0x50) {
    const tail = bytes.subarray(-8);
    return [0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82].every((byte, i) => tail[i] === byte);
  }
  if (bytes[0] === 0x52 && bytes[1] === 0x49 && bytes.length >= 12) {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
    return bytes.length >= length + 8;
  }
  return false;
}
