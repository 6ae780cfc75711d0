// Groups of pictures: which access units one depends on. A group begins at a keyframe; each further unit
// needs all units before it in its group, and nothing else.
import { loadPart } from "../base/part.ts";
import type { Frame } from "../definition/frame.ts";
import {
  type AccessUnit,
  inspectAccessUnit,
  type VideoCodec,
  videoCodecOf,
} from "./access_unit.ts";
import type { Group, GroupDecoder, Unit } from "./group_decoder.ts";
import { frameNumberBits } from "./sequence.ts";

/** No reader can go back in a longer group: its keyframes come too rarely. */
const MAX_GROUP_UNITS = 3_000;
const MAX_GROUP_BYTES = 64 * 1024 * 1024;
/** Access units without a keyframe after which the lane says so once. */
const REPORT_AFTER = 100;

// By the bytes themselves: a copy of a frame keeps them, a frame with another picture has others.
const units = new WeakMap<Uint8Array, Unit>();

/** The place of an access unit in its group; undefined for an image, and for bytes that no lane has read. */
export function unitOf(value: Uint8Array): Unit | undefined {
  return units.get(value);
}

/** What a lane did with a frame: an image, an access unit that can be decoded, or one that cannot. */
export type Linked = "image" | "unit" | "no-keyframe";

/** Puts the access units of one lane into their groups. It sees each frame once, in offset order. */
export class GroupTracker {
  readonly #report: (message: string) => void;
  readonly #here: boolean;
  #decoder: GroupDecoder | Promise<GroupDecoder> | undefined;
  #group: Group | undefined;
  #bytes = 0;
  /** Length of the group's frame numbers; 0: they tell nothing. The last one that others depend on. */
  #numberBits = 0;
  #number = 0;
  /** Offsets of keyframes, oldest first: those of groups that may be read again, and of the last one. */
  #keyframes: number[] = [];
  #without = 0;
  #last: Frame | undefined;

  /**
   * @param report takes a message for the user.
   * @param options.here decodes on the thread that asks, but for large pictures; false by default.
   */
  constructor(
    report: (message: string) => void,
    { here = false }: { readonly here?: boolean } = {},
  ) {
    this.#report = report;
    this.#here = here;
  }

  /**
   * Takes the next frame.
   *
   * @returns `no-keyframe` for an access unit that depends on one which never came, or came before its group.
   * @throws {BadFrameError} when its bytes are not an access unit; what depends on it cannot be decoded.
   */
  take(frame: Frame): Linked {
    const codec = videoCodecOf(frame.headers["content-type"]);
    if (codec === undefined) return "image";
    const before = this.#last;
    this.#last = frame;
    let unit: AccessUnit;
    try {
      unit = inspectAccessUnit(codec, frame.value, this.#numberBits);
    } catch (error) {
      this.interrupt();
      throw error;
    }
    if (unit.keyframe) this.#begin(codec, frame);
    else if (
      this.#group !== undefined && !(this.#follows(before!, frame, codec) && this.#isNext(unit))
    ) this.interrupt();
    const group = this.#group;
    if (group === undefined || unit.leading) {
      if (++this.#without === REPORT_AFTER) {
        this.#report(
          `No keyframe among the last ${REPORT_AFTER} access units of ${frame.topic} partition ${frame.partition}: ` +
            "they cannot be decoded. A keyframe is an IDR picture with its parameter sets in the same record",
        );
      }
      return "no-keyframe";
    }
    this.#without = 0;
    units.set(frame.value, { group, index: group.units.length });
    group.units.push(frame.value);
    this.#bytes += frame.value.length;
    return "unit";
  }

  /** Frames were dropped: what comes before the next keyframe cannot be decoded. */
  interrupt(): void {
    this.#group = undefined;
  }

  /**
   * The oldest offset to read so that all from `offset` on can be decoded; `offset` itself where nothing
   * depends on an earlier keyframe. Offsets only grow from call to call.
   */
  neededFor(offset: number): number {
    // Without an open group the next unit that counts is a keyframe.
    const next = (this.#last?.offset ?? -1) + 1;
    if (this.#group === undefined && offset >= next) return offset;
    const keyframes = this.#keyframes;
    while (keyframes[1] !== undefined && keyframes[1] <= offset) keyframes.shift();
    return Math.min(offset, keyframes[0] ?? offset);
  }

  /** Frees the decoder. No picture may be requested afterwards. */
  async close(): Promise<void> {
    (await this.#decoder)?.close();
  }

  #begin(codec: VideoCodec, { offset, value }: Frame): void {
    const decoder = () =>
      this.#decoder ??= loadPart("video", () => import("./group_decoder.ts"))
        .then(({ GroupDecoder }) => this.#decoder = new GroupDecoder(this.#here));
    this.#group = { codec, units: [], decoder };
    this.#bytes = 0;
    this.#numberBits = codec === "h264" ? frameNumberBits(value) : 0;
    this.#number = inspectAccessUnit(codec, value, this.#numberBits).number ?? 0;
    this.#keyframes.push(offset);
  }

  /** Whether no frame that a unit may depend on is missing before it, as far as their numbers tell. */
  #isNext({ number, reference }: AccessUnit): boolean {
    if (number === undefined) return true;
    const last = this.#number;
    if (reference) this.#number = number;
    // A frame may reset the numbers for those after it: they begin with 1.
    return number === last || number === (last + 1) % 2 ** this.#numberBits || number === 1;
  }

  /** Whether a unit can depend on the one before it. */
  #follows(before: Frame, { headers, topic, partition }: Frame, codec: VideoCodec): boolean {
    const { codec: own, units } = this.#group!;
    if (own !== codec) return false;
    if (units.length >= MAX_GROUP_UNITS || this.#bytes >= MAX_GROUP_BYTES) {
      this.#report(
        `A group of pictures in ${topic} partition ${partition} has reached ${units.length} access units ` +
          `and ${this.#bytes} bytes without a keyframe: expected one within ${MAX_GROUP_UNITS} units and ` +
          `${MAX_GROUP_BYTES} bytes; what follows is dropped until it comes`,
      );
      return false;
    }
    const { session, seq } = before.headers;
    if (session !== headers["session"]) return false;
    return seq === undefined || headers["seq"] === undefined ||
      Number(headers["seq"]) === Number(seq) + 1;
  }
}
