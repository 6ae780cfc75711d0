// Object tracking: the same number for the same object, from frame to frame.
import {
  checkOptions,
  type DetectedObject,
  FLAG,
  type FrameResult,
  isFinding,
  type Operator,
  type Output,
  range,
} from "../../../runtime/mod.ts";
import { isStill } from "../gate.ts";
import { shownFrame } from "../picture.ts";
import { savedState, stateBytes } from "../state.ts";
import { Tracker, type TrackerState } from "./tracker.ts";

/** Options of `track`. */
export interface TrackOptions {
  /** Score from which a detection is certain; 0.25 by default. */
  readonly sure?: number;
  /** Score from which a detection starts a track, at least `sure`; `sure` plus 0.1 by default. */
  readonly begin?: number;
  /** How long an object may be out of sight, milliseconds of capture time; 1,000 by default. */
  readonly lostMs?: number;
  /** Keeps objects without a track in the result; true by default. */
  readonly keepOthers?: boolean;
}

/** The state of the operator, part of the checkpoint. */
interface State {
  readonly tracker: TrackerState;
  readonly session: string | null;
  readonly lastOffset: number;
  /** The tracks of the last frame's objects, in their order. */
  readonly last: readonly (number | null)[];
}

/**
 * Tracks the objects of the results and adds to each its `track`: an integer that stays the same
 * while the object is visible, and for `lostMs` after that. A track only contains objects of the
 * same label. A new session of the camera starts new tracks; numbers are not reused.
 *
 * A detection below `sure` keeps a track alive but does not start one, so let the detector report
 * from 0.1. The state is part of the checkpoint: numbers continue after any restart.
 *
 * @throws {RangeError} naming every option that is out of range.
 *
 * @example
 * ```ts
 * import { events, query } from "../../../runtime/mod.ts";
 * import { detect } from "../detect.ts";
 * import { track } from "./mod.ts";
 *
 * export default query("follow")
 *   .readStream()
 *   .process(detect(undefined, { threshold: 0.1 }))
 *   .process(track())
 *   .writeStream(events());
 * ```
 */
export function track<T extends Output>(options: TrackOptions = {}): Operator<T, T> {
  const { sure = 0.25, begin = Math.min(1, sure + 0.1), lostMs = 1000, keepOthers = true } =
    options;
  const share = range({ min: 0, max: 1 });
  checkOptions("use track options", options, {
    sure: share,
    begin: range({ min: share.takes(sure) ? sure : 0, max: 1 }),
    lostMs: range({ min: 0, max: 86_400_000 }),
    keepOthers: FLAG,
  });
  return {
    name: "track",
    settings: `sure=${sure} begin=${begin} lostMs=${lostMs}`,
    kind: "state",
    open(context) {
      const saved = savedState<State>(context);
      const tracker = new Tracker({ sure, begin, lostMs }, saved?.tracker);
      let { session, lastOffset, last }: State = saved ??
        { tracker: tracker.state(), session: null, lastOffset: -1, last: [] };
      const trackFrame = (frame: FrameResult, still: boolean): FrameResult => {
        const { objects, offset, timestamp } = frame;
        // Overlapping windows repeat frames.
        if (objects === undefined || offset <= lastOffset) return frame;
        lastOffset = offset;
        if (still && last.length === objects.length) tracker.repeat(timestamp);
        else last = tracker.next(objects, timestamp).map((id) => id ?? null);
        const tracked = objects.flatMap((object, i): DetectedObject[] => {
          const id = last[i] ?? null;
          return id !== null ? [{ ...object, track: id }] : keepOthers ? [object] : [];
        });
        return { ...frame, objects: tracked };
      };
      return {
        process(output) {
          const { result } = output;
          if (result?.frames === undefined) return [output];
          const picture = shownFrame(output);
          const own = picture?.headers["session"] ?? null;
          if (own !== session) {
            if (session !== null) tracker.reset();
            session = own;
          }
          const still = !isFinding(output) && isStill(output);
          const frames = result.frames.map((frame) => trackFrame(frame, still));
          return [{ ...output, result: { ...result, frames } }];
        },
        snapshot: () =>
          stateBytes({ tracker: tracker.state(), session, lastOffset, last } satisfies State),
        stateSize: () => ({ items: tracker.size, bytes: 160 * tracker.size }),
      };
    },
  };
}
