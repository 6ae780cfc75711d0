// The pixels of a frame. Operators request a frame's picture without knowing its encoding: a single image, or
// an access unit of a video stream.
import type { Frame, Headers } from "../definition/frame.ts";
import { unitOf } from "../video/groups.ts";
import { decodeImage, decodeReduced } from "./decode.ts";
import { type ImageInfo, inspectImage } from "./inspect.ts";
import { encodeJpeg, extractLuma } from "./jpeg.ts";
import { withOrientation } from "./orientation.ts";
import type { Channels, Denominator, RawImage } from "./raw.ts";

/** Maximum pixels of a video picture on a wall; a full-size one costs several times more. */
export const WALL_PIXELS = 1280 * 720 * 1.5;

/** A frame's picture. */
export interface Picture {
  /** Pixels as stored: an orientation is not applied. */
  readonly width: number;
  readonly height: number;
  /** EXIF orientation, 1 (upright) to 8; absent if the frame has none. */
  readonly orientation?: number;
  /** The encoded image; absent if the frame is part of a video stream. */
  readonly image?: { readonly bytes: Uint8Array; readonly info: ImageInfo };
  /**
   * The pixels, full range, with the size divided by `denominator` and rounded up.
   *
   * @param channels 1 grey, 3 RGB, 4 RGBA
   * @throws {BadFrameError} if the frame cannot be decoded
   */
  pixels(channels: Channels, denominator?: Denominator): Promise<RawImage>;
  /** Releases the memory. Call once; pixels obtained earlier stay valid. */
  release(): void;
}

/**
 * The picture of a frame. Release it when the frame has been processed. An access unit is decoded once for
 * all concurrent callers, and again for much later ones.
 *
 * @throws {BadFrameError} if the frame cannot be decoded
 *
 * @example
 * ```ts
 * import type { Frame } from "../definition/frame.ts";
 * import { pictureOf } from "./picture.ts";
 *
 * export async function brightness(frame: Frame): Promise<number> {
 *   const picture = await pictureOf(frame);
 *   const grey = await picture.pixels(1, 8);
 *   const sum = grey.data.reduce((total, sample) => total + sample, 0);
 *   grey.release();
 *   picture.release();
 *   return sum / grey.data.length;
 * }
 * ```
 */
export function pictureOf({ value }: Pick<Frame, "value">): Promise<Picture> {
  try {
    const unit = unitOf(value);
    if (unit === undefined) return Promise.resolve(new ImagePicture(value, inspectImage(value)));
    const decoder = unit.group.decoder();
    return decoder instanceof Promise
      ? decoder.then((one) => one.picture(unit))
      : Promise.resolve(decoder.picture(unit));
  } catch (error) {
    return Promise.reject(error);
  }
}

class ImagePicture implements Picture {
  readonly width: number;
  readonly height: number;
  readonly orientation: number;
  readonly image: { readonly bytes: Uint8Array; readonly info: ImageInfo };

  constructor(bytes: Uint8Array, info: ImageInfo) {
    this.width = info.width;
    this.height = info.height;
    this.orientation = info.orientation ?? 1;
    this.image = { bytes, info };
  }

  pixels(channels: Channels, denominator: Denominator = 1): Promise<RawImage> {
    const { bytes, info } = this.image;
    return denominator === 1
      ? decodeImage(bytes, channels, info)
      : decodeReduced(bytes, channels, denominator, info);
  }

  release(): void {}
}

/** The headers of a frame whose value becomes an image, without those of an access unit. */
export function imageHeaders(
  { keyframe: _, codec: __, ...headers }: Headers,
  contentType = "image/jpeg",
): Headers {
  return { ...headers, "content-type": contentType };
}

/**
 * The frame as an image: unchanged, or with the picture of its access unit as a JPEG.
 *
 * @param options.maxPixels the picture is halved until it fits; default: full size
 * @throws {BadFrameError} if the access unit cannot be decoded
 */
export async function asImage(
  frame: Frame,
  { maxPixels = Infinity }: { readonly maxPixels?: number } = {},
): Promise<Frame> {
  if (unitOf(frame.value) === undefined) return frame;
  const picture = await pictureOf(frame);
  try {
    const { width, height } = picture;
    const denominator = ([1, 2, 4] as const)
      .find((by) => width * height <= maxPixels * by * by) ?? 8;
    const value = await encodePixels(picture, 3, 80, denominator);
    return { ...frame, value, headers: imageHeaders(frame.headers) };
  } finally {
    picture.release();
  }
}

/**
 * A JPEG of the picture: the original bytes of a JPEG; anything else is encoded with `quality`.
 *
 * @param quality 1 to 100; default 80
 * @throws {BadFrameError} if the frame cannot be decoded
 */
export async function jpegOf(picture: Picture, quality = 80): Promise<Uint8Array> {
  if (picture.image?.info.type === "jpeg") return picture.image.bytes;
  return await encodePixels(picture, 3, quality);
}

/**
 * A grey JPEG of the picture. Without a quality, the luma of a colour JPEG is copied, lossless and faster; a
 * grey JPEG is decoded to detect damage, but returned unchanged.
 *
 * @throws {BadFrameError} if the frame cannot be decoded
 */
export async function greyJpegOf(picture: Picture, quality?: number): Promise<Uint8Array> {
  const { image } = picture;
  if (image?.info.type === "jpeg" && quality === undefined) {
    const luma = await extractLuma(image.bytes, image.info);
    if (luma !== undefined) return upright(luma, picture);
  }
  if (image?.info.type === "jpeg" && image.info.components === 1) {
    (await picture.pixels(1)).release();
    return image.bytes;
  }
  return await encodePixels(picture, 1, quality);
}

/** Adds the picture's orientation to a JPEG made from its pixels. */
export function upright(
  jpeg: Uint8Array<ArrayBuffer>,
  { orientation = 1 }: Picture,
): Uint8Array<ArrayBuffer> {
  return orientation === 1 ? jpeg : withOrientation(jpeg, orientation);
}

async function encodePixels(
  picture: Picture,
  channels: Channels,
  quality = 80,
  denominator: Denominator = 1,
): Promise<Uint8Array<ArrayBuffer>> {
  const pixels = await picture.pixels(channels, denominator);
  try {
    return upright(await encodeJpeg(pixels, { quality }), picture);
  } finally {
    pixels.release();
  }
}
