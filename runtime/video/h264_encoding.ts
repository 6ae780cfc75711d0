// From the frames that a query puts out to H.264, or to the access units that they came as. Loads
// FFmpeg: import it when there is something to encode.
import { Buffer } from "node:buffer";
import { AV_PIX_FMT_RGB24, Frame } from "node-av";
import { BadFrameError } from "../definition/frame.ts";
import { decodeImage } from "../image/decode.ts";
import { inspectImage } from "../image/inspect.ts";
import type { RawImage } from "../image/raw.ts";
import type { EncodedPicture, Encoding, Prepared } from "./encoding.ts";
import type { Unit } from "./group_decoder.ts";
import { unitOf } from "./groups.ts";
import { even, GroupEncoder } from "./h264.ts";
import type { H264Options } from "./h264_options.ts";
import { configurationOf, withLengths } from "./unit_copy.ts";

/** x264 takes no more. */
const LONGEST_SIDE = 16_384;

/** The pixels of an image. */
interface PreparedImage extends Prepared {
  readonly image: RawImage;
}

/** An access unit, to be written as it came where its group is written from its keyframe on. */
interface PreparedUnit extends Prepared {
  readonly unit: Unit;
  readonly bytes: Uint8Array;
  readonly joins: boolean;
}

/** Encodes images as H.264; access units of H.264 and H.265 pass as they are. */
export class H264Encoding implements Encoding<PreparedImage | PreparedUnit> {
  readonly #options: H264Options;
  /** Absent while access units are copied. */
  #group: GroupEncoder | undefined;
  /** Pictures of the same parameter sets have the same size. */
  #size: { group: Unit["group"]; configuration: string; width: number; height: number } | undefined;
  #last: Unit | undefined;

  constructor(options: H264Options = {}) {
    this.#options = options;
  }

  async prepare(value: Uint8Array): Promise<PreparedImage | PreparedUnit> {
    const unit = unitOf(value);
    const last = this.#last;
    this.#last = unit;
    if (unit === undefined) {
      const picture = await prepareImage(value);
      // There is no encoder while access units are copied.
      return last === undefined ? picture : { ...picture, joins: false };
    }
    const { width, height } = await this.#sizeOf(unit);
    const joins = unit.index > 0 && last?.group === unit.group && last.index === unit.index - 1;
    return { width, height, unit, bytes: value, joins, release: () => {} };
  }

  async begin(picture: PreparedImage | PreparedUnit): Promise<string> {
    this.#group?.[Symbol.dispose]();
    this.#group = undefined;
    if ("unit" in picture && picture.unit.index === 0) {
      return configurationOf(picture.unit.group.codec, picture.bytes);
    }
    const { width, height } = picture;
    this.#group = await GroupEncoder.open(width, height, this.#options);
    return this.#group.configuration.toBase64();
  }

  async encode(picture: PreparedImage | PreparedUnit): Promise<EncodedPicture> {
    const group = this.#group;
    if (!("unit" in picture)) return await encodePixels(group!, picture.image);
    const { unit, bytes } = picture;
    if (group === undefined) return { data: withLengths(bytes), key: unit.index === 0 };
    // Frames before it were dropped: what it depends on is not in the file.
    const decoded = await (await unit.group.decoder()).picture(unit);
    try {
      return await group.encode(decoded.frame);
    } finally {
      decoded.release();
    }
  }

  /** The size of a group's pictures: its keyframe's, which is decoded where its parameter sets are new. */
  async #sizeOf({ group }: Unit) {
    if (this.#size?.group === group) return this.#size;
    const configuration = configurationOf(group.codec, group.units[0]!);
    if (this.#size?.configuration === configuration) return this.#size = { ...this.#size, group };
    const keyframe = await (await group.decoder()).picture({ group, index: 0 });
    const { width, height } = keyframe;
    keyframe.release();
    return this.#size = { group, configuration, width, height };
  }

  [Symbol.dispose](): void {
    this.#group?.[Symbol.dispose]();
  }
}

/** @throws {BadFrameError} when the image is damaged, of an unknown type, too small or too large for H.264. */
async function prepareImage(value: Uint8Array): Promise<PreparedImage> {
  const info = inspectImage(value);
  const { width, height } = info;
  const small = width < 2 || height < 2;
  if (small || width > LONGEST_SIDE || height > LONGEST_SIDE) {
    throw new BadFrameError(
      small ? "too-small" : "too-large",
      `Cannot put a picture of ${width}x${height} pixels into a video: ` +
        `expected 2x2 to ${LONGEST_SIDE}x${LONGEST_SIDE}`,
    );
  }
  const image = await decodeImage(value, 3, info);
  return { width: even(width), height: even(height), image, release: () => image.release() };
}

async function encodePixels(
  group: GroupEncoder,
  { data, width, height }: RawImage,
): Promise<EncodedPicture> {
  const pixels = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  // FFmpeg's binding copies nothing: the frame shows the image's pixels.
  const frame = Frame.fromVideoBuffer(pixels, { width, height, format: AV_PIX_FMT_RGB24 });
  try {
    return await group.encode(frame);
  } finally {
    frame.free();
  }
}
