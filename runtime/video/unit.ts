// An access unit at its place in its group of pictures.
import type { VideoCodec } from "./access_unit.ts";
import type { VideoPicture } from "./video_picture.ts";

/** Decodes the units of one lane. */
export interface UnitDecoder {
  /**
   * The picture of a unit; release it after use.
   *
   * @throws {BadFrameError} `corrupt` when the unit is damaged, `damaged` when one that it depends on is.
   */
  picture(unit: Unit): VideoPicture | Promise<VideoPicture>;
}

/** A keyframe and the access units that depend on it. */
export interface Group {
  readonly codec: VideoCodec;
  /** In decoding order. */
  readonly units: Uint8Array[];
  /** Decodes units of this lane. */
  readonly decoder: () => UnitDecoder | Promise<UnitDecoder>;
}

/** An access unit at its place in its group. */
export interface Unit {
  readonly group: Group;
  /** Its place in `group.units`. */
  readonly index: number;
}
