// Pictures of access units anywhere in a log: what a unit depends on is read again, from its keyframe on.
import { BadFrameError, type Frame } from "../runtime/definition/frame.ts";
import { Semaphore } from "../runtime/base/wait.ts";
import { asImage, WALL_PIXELS } from "../runtime/image/picture.ts";
import { inspectAccessUnit, videoCodecOf } from "../runtime/video/access_unit.ts";
import { GroupTracker } from "../runtime/video/groups.ts";
import type { LogReads } from "./log_reads.ts";

/** Reach of the first search for a keyframe; each further one doubles it. */
const FIRST_REACH = 32;
const LONGEST_REACH = 4_096;
/** Partitions whose decoders are kept for the next picture. */
const KEPT_LANES = 16;

interface Lane {
  readonly tracker: GroupTracker;
  readonly turn: Semaphore;
  /** Frames of the group that was read last, by offset. */
  readonly linked: Map<number, Frame>;
  /** One past the last frame that the tracker has seen. */
  next: number;
}

/** Makes images of frames; keeps a decoder for each of the partitions that were used last. */
export class UnitReader {
  readonly #reads: Pick<LogReads, "read" | "offsets">;
  readonly #lanes = new Map<string, Lane>();
  /** The keyframe found last in each partition, and the frame it was for: a seek asks twice. */
  readonly #found = new Map<string, { readonly of: number; readonly keyframe: number }>();

  constructor(reads: Pick<LogReads, "read" | "offsets">) {
    this.#reads = reads;
  }

  /**
   * The frame as one image: itself, or its access unit's picture as a JPEG.
   *
   * @returns undefined for an access unit that cannot be shown: damaged, or its keyframe is gone.
   */
  async image(frame: Frame): Promise<Frame | undefined> {
    if (!isUnit(frame)) return frame;
    const lane = this.#laneOf(frame);
    return await lane.turn.run(async () => {
      try {
        const linked = await this.#link(lane, frame);
        return linked === undefined ? undefined : await asImage(linked, { maxPixels: WALL_PIXELS });
      } catch (error) {
        if (error instanceof BadFrameError) return undefined;
        throw error;
      }
    });
  }

  /** The frame's offset, or that of the keyframe it depends on; undefined when that is gone. */
  async keyframeBefore(frame: Frame): Promise<number | undefined> {
    if (!isUnit(frame)) return frame.offset;
    const name = nameOf(frame);
    const found = this.#found.get(name);
    if (found?.of === frame.offset) {
      const { earliest } = await this.#reads.offsets(frame);
      if (earliest <= found.keyframe) return found.keyframe;
    }
    for (let reach = FIRST_REACH, to = frame.offset + 1; reach <= LONGEST_REACH; reach *= 2) {
      const from = Math.max(0, to - reach);
      const frames = await this.#reads.read(frame, from, to);
      const keyframe = frames.findLast((each) => isKeyframe(each));
      if (keyframe !== undefined) {
        this.#found.set(name, { of: frame.offset, keyframe: keyframe.offset });
        return keyframe.offset;
      }
      if (frames.length === 0 || from === 0) return undefined;
      to = frames[0]!.offset;
    }
    return undefined;
  }

  /** The first frame after that one which depends on no other. */
  async keyframeAfter(frame: Frame): Promise<Frame | undefined> {
    for (let from = frame.offset + 1; from <= frame.offset + LONGEST_REACH;) {
      const frames = await this.#reads.read(frame, from, Infinity, FIRST_REACH);
      const found = frames.find((each) => !isUnit(each) || isKeyframe(each));
      if (found !== undefined || frames.length === 0) return found;
      from = frames.at(-1)!.offset + 1;
    }
    return undefined;
  }

  async close(): Promise<void> {
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    await Promise.all(lanes.map(({ tracker, turn }) => turn.run(() => tracker.close())));
  }

  #laneOf(frame: Frame): Lane {
    const name = nameOf(frame);
    const lane = this.#lanes.get(name) ?? {
      tracker: new GroupTracker(() => {}),
      turn: new Semaphore(1),
      linked: new Map<number, Frame>(),
      next: Infinity,
    };
    // The most recently used one goes last.
    this.#lanes.delete(name);
    this.#lanes.set(name, lane);
    if (this.#lanes.size > KEPT_LANES) {
      const [oldest, { tracker, turn }] = this.#lanes.entries().next().value!;
      this.#lanes.delete(oldest);
      void turn.run(() => tracker.close());
    }
    return lane;
  }

  /** The frame with its keyframe known; undefined where that is gone. */
  async #link(lane: Lane, frame: Frame): Promise<Frame | undefined> {
    const known = lane.linked.get(frame.offset);
    if (known !== undefined) return known;
    const ahead = frame.offset - lane.next;
    if (!(ahead >= 0 && ahead < FIRST_REACH)) {
      const keyframe = await this.keyframeBefore(frame);
      if (keyframe === undefined) return undefined;
      lane.tracker.interrupt();
      lane.linked.clear();
      lane.next = keyframe;
    }
    const { offset } = frame;
    for (const each of await this.#reads.read(frame, lane.next, offset + 1)) {
      if (isKeyframe(each)) lane.linked.clear();
      try {
        if (lane.tracker.take(each) === "unit") lane.linked.set(each.offset, each);
      } catch (error) {
        // A damaged unit costs those that depend on it, not the next group.
        if (!(error instanceof BadFrameError)) throw error;
      }
    }
    lane.next = offset + 1;
    return lane.linked.get(offset);
  }
}

function nameOf({ topic, partition }: Frame): string {
  return `${partition} ${topic}`;
}

function isUnit({ headers }: Frame): boolean {
  return videoCodecOf(headers["content-type"]) !== undefined;
}

function isKeyframe({ headers, value }: Frame): boolean {
  const codec = videoCodecOf(headers["content-type"]);
  try {
    return codec !== undefined && inspectAccessUnit(codec, value).keyframe;
  } catch (error) {
    if (error instanceof BadFrameError) return false;
    throw error;
  }
}
