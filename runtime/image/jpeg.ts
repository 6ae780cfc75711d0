/**
 * JPEG in and out of pooled memory, through libjpeg-turbo on the process's thread pool.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import jpegTurbo from "@julusian/jpeg-turbo";
import { BadFrameError } from "../definition/frame.ts";
import { type ImageInfo, inspectImage } from "./inspect.ts";
import { hasLibrary, keepLuma } from "./jpeg_library.ts";
import { pool } from "./pool.ts";
import { type Channels, PooledImage, type RawImage } from "./raw.ts";
import { withKernels } from "./kernels/kernels.ts";
import { takeLuma } from "./kernels/luma_jpeg.ts";

const FORMATS = {
  1: jpegTurbo.FORMAT_GRAY,
  3: jpegTurbo.FORMAT_RGB,
  4: jpegTurbo.FORMAT_RGBA,
} as const;

/**
 * Decodes a JPEG of one or three components. The decoder refuses every flaw, also those that every
 * viewer shows, and cannot say what is wrong: `decodeImage` asks another one about what it refused.
 *
 * @param bytes the JPEG; must stay as it is until the promise settles
 * @param channels 1 grey (the luma plane, which costs the least), 3 RGB, 4 RGBA
 * @param info what `inspectImage` said of it, where that is known
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
): Promise<RawImage> {
  const image = new PooledImage(info.width, info.height, channels);
  try {
    await jpegTurbo.decompress(asBuffer(bytes), asBuffer(image.data), {
      format: FORMATS[channels],
    });
  } catch (error) {
    image.release();
    throw new BadFrameError("corrupt", "Cannot decode the JPEG", { cause: error });
  }
  return image;
}

/**
 * The luma of a colour JPEG as a grey JPEG, without loss: the coefficients stay as they are, what
 * they are quantised with too.
 *
 * @param bytes the JPEG; must stay as it is until the promise settles
 * @param info what `inspectImage` said of it, where that is known
 * @returns undefined where that cannot be had: no colour JPEG, one that is damaged or holds no luma,
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
  if (!(bytes.buffer instanceof ArrayBuffer)) return undefined;
  return await keepLuma(bytes as Uint8Array<ArrayBuffer>, info);
}

/** How to encode. */
export interface EncodeJpegOptions {
  /** 1 (small) to 100 (good). */
  readonly quality?: number;
}

/**
 * Encodes a picture: grey as grey, RGB and RGBA with halved chroma (4:2:0).
 *
 * @param image must stay as it is until the promise settles; is not released
 * @returns the JPEG on a buffer of exactly its size
 */
export async function encodeJpeg(
  image: Omit<RawImage, "release">,
  options: EncodeJpegOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const settings = encodeSettings(image, options);
  const out = pool.acquire(jpegTurbo.bufferSize(settings));
  try {
    return new Uint8Array(await jpegTurbo.compress(asBuffer(image.data), asBuffer(out), settings));
  } finally {
    pool.release(out);
  }
}

function encodeSettings(
  { width, height, channels }: Omit<RawImage, "release">,
  { quality = 80 }: EncodeJpegOptions,
) {
  return {
    format: FORMATS[channels],
    width,
    height,
    subsampling: channels === 1 ? jpegTurbo.SAMP_GRAY : jpegTurbo.SAMP_420,
    quality: checkQuality(quality),
  };
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
