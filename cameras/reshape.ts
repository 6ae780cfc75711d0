// Resizes, re-encodes and rotates encoded images.
import { messageOf } from "../runtime/base/errors.ts";
import { BadFrameError } from "../runtime/definition/frame.ts";
import { type ImageType, inspectImage } from "../runtime/image/inspect.ts";
import { repaired } from "../runtime/image/kernels/repair.ts";
import { DEFAULT_QUALITY, type ImageSettings, type SourceImage } from "./source.ts";
import { loadSharp } from "../runtime/image/sharp.ts";

/**
 * Returns the image unchanged if it is upright and no size or quality was requested; otherwise a
 * JPEG made from it.
 *
 * @throws {BadFrameError} if Framelane does not accept the image.
 */
export async function reshape(
  value: Uint8Array,
  { size, quality }: ImageSettings,
): Promise<Omit<SourceImage, "timestamp">> {
  const { type, contentType, width, height, orientation: own } = inspectImage(value);
  const orientation = own ?? (type === "jpeg" ? 1 : await orientationInside(value, type));
  const fits = size === undefined || (size.width === width && size.height === height);
  if (fits && quality === undefined && orientation === 1) {
    return { value, contentType, width, height };
  }
  const open = await loadSharp();
  const make = async (bytes: Uint8Array) => {
    let image = open(bytes).autoOrient();
    if (size !== undefined) image = image.resize(size.width, size.height, { fit: "fill" });
    const { data, info } = await image.flatten()
      .jpeg({ quality: quality ?? DEFAULT_QUALITY })
      .toBuffer({ resolveWithObject: true });
    return { value: data, contentType: "image/jpeg", width: info.width, height: info.height };
  };
  try {
    return await make(value).catch((error) => {
      // libvips rejects damaged JPEGs; repair them as for queries.
      const repairedValue = type === "jpeg" ? repaired(value) : undefined;
      if (repairedValue === undefined) throw error;
      return make(repairedValue);
    });
  } catch (error) {
    throw corrupt("decode", error);
  }
}

function corrupt(action: string, cause: unknown): BadFrameError {
  return new BadFrameError("corrupt", `Cannot ${action} the image: ${messageOf(cause)}`, { cause });
}

async function orientationInside(value: Uint8Array, type: ImageType): Promise<number> {
  const head = new TextDecoder("latin1").decode(value.subarray(0, EXIF_WITHIN));
  if (type === "png" ? !head.includes("eXIf") : !/^RIFF.{4}WEBPVP8X/s.test(head)) return 1;
  const open = await loadSharp();
  try {
    return (await open(value).metadata()).orientation ?? 1;
  } catch (error) {
    throw corrupt("read", error);
  }
}

/** A PNG's EXIF data stand before its pixels, after its colour profile and texts. */
const EXIF_WITHIN = 256 * 1024;
