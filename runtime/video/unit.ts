// An access unit at its place in its group of pictures.
import type { VideoCodec } from "./access_unit.ts";
import type { GroupDecoder } from "./group_decoder.ts";

/** A keyframe and the access units that depend on it. */
export interface Group {
  readonly codec: VideoCodec;
  /** In decoding order. */
  readonly units: Uint8Array[];
  /** Decodes units of this lane. */
  readonly decoder: () => GroupDecoder | Promise<GroupDecoder>;
}

/** An access unit at its place in its group. */
export interface Unit {
  readonly group: Group;
  /** Its place in `group.units`. */
  readonly index: number;
}
