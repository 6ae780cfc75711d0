// From the frames that a query puts out to H.264, or to the access units that they came as. Loads
// FFmpeg: import it when there is something to encode.
import type { EncodedPicture, Encoding, Prepared } from "./encoding.ts";
import type { Unit } from "./group_decoder.ts";
import { unitOf } from "./groups.ts";
import { GroupEncoder } from "./h264.ts";
import type { H264Options } from "./h264_options.ts";
import { type Picture, PictureDecoder } from "./picture.ts";
import { configurationOf, withLengths } from "./unit_copy.ts";

/** An access unit, to be written as it came where its group is written from its keyframe on. */
interface PreparedUnit extends Prepared {
  readonly unit: Unit;
  readonly bytes: Uint8Array;
  readonly joins: boolean;
}

/** Encodes images as H.264; access units of H.264 and H.265 pass as they are. */
export class H264Encoding implements Encoding<(Picture & Prepared) | PreparedUnit> {
  readonly #options: H264Options;
  #decoder: Promise<PictureDecoder> | undefined;
  /** Absent while access units are copied. */
  #group: GroupEncoder | undefined;
  /** Pictures of the same parameter sets have the same size. */
  #size: { group: Unit["group"]; configuration: string; width: number; height: number } | undefined;
  #last: Unit | undefined;

  constructor(options: H264Options = {}) {
    this.#options = options;
  }

  async prepare(value: Uint8Array): Promise<(Picture & Prepared) | PreparedUnit> {
    const unit = unitOf(value);
    const last = this.#last;
    this.#last = unit;
    this.#decoder ??= PictureDecoder.open();
    if (unit === undefined) {
      const picture = await (await this.#decoder).decode(value);
      // There is no encoder while access units are copied.
      return last === undefined ? picture : { ...picture, joins: false };
    }
    const { width, height } = await this.#sizeOf(unit);
    const joins = unit.index > 0 && last?.group === unit.group && last.index === unit.index - 1;
    return { width, height, unit, bytes: value, joins, release: () => {} };
  }

  async begin(picture: Picture | PreparedUnit): Promise<string> {
    this.#group?.[Symbol.dispose]();
    this.#group = undefined;
    if ("unit" in picture && picture.unit.index === 0) {
      return configurationOf(picture.unit.group.codec, picture.bytes);
    }
    const { width, height } = picture;
    this.#group = await GroupEncoder.open(width, height, this.#options);
    return this.#group.configuration.toBase64();
  }

  async encode(picture: Picture | PreparedUnit): Promise<EncodedPicture> {
    const group = this.#group;
    if (!("unit" in picture)) return await group!.encode(picture);
    const { unit, bytes } = picture;
    if (group === undefined) return { data: withLengths(bytes), key: unit.index === 0 };
    // Frames before it were dropped: what it depends on is not in the file.
    const decoded = await (await unit.group.decoder()).picture(unit);
    const converted = await (await this.#decoder!).convert(decoded.frame);
    decoded.release();
    try {
      return await group.encode(converted);
    } finally {
      converted.release();
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
    void this.#decoder?.then((decoder) => decoder[Symbol.dispose]());
  }
}
