// Session windows: from the first frame on which something holds until it has not held for a while.
import {
  ABOVE_ZERO,
  FROM_ZERO,
  FUNCTION,
  optionFaults,
  type OptionRows,
  TEXT,
} from "../base/options.ts";
import { windowOf } from "./windower.ts";
import type { Frame, Window } from "../definition/frame.ts";
import type { Operator } from "../definition/operator.ts";

/** When a session is under way. */
export interface SessionOptions {
  /** What has to hold: motion, an object, a score. Asked once for each frame, in order. */
  readonly while: (frame: Frame) => boolean;
  /** A session continues for this long after it last held, capture time in milliseconds. */
  readonly afterMs: number;
  /** Longest session, capture time in milliseconds; what holds on begins another one. Default 60 000. */
  readonly maxMs?: number;
  /**
   * Closes a session when no frame has come for this long, milliseconds by the clock, and at the end of a
   * query that takes all there is. Off by default.
   */
  readonly silenceMs?: number;
  /** Name of the step, in plans and in the checkpoint. Default `session`. */
  readonly name?: string;
}

const ROWS: OptionRows<SessionOptions> = {
  while: FUNCTION,
  afterMs: FROM_ZERO,
  maxMs: ABOVE_ZERO,
  silenceMs: ABOVE_ZERO,
  name: TEXT,
};

/**
 * Cuts frames into sessions: windows from the first frame for which `while` holds to the last one within
 * `afterMs` after it last held. A session is done with the first frame beyond its end; its frames are
 * read again after a restart, so keep `maxMs` to what memory holds.
 *
 * @throws {RangeError} naming every option that is wrong.
 * @example
 * ```ts
 * import { query, sessionWindow, type Window } from "../mod.ts";
 * import { consoleSink } from "../mod.ts";
 *
 * export default query("visits").readStream()
 *   .process(sessionWindow({
 *     while: ({ result }) => (result?.scores?.["motion"] ?? 0) > 0.05,
 *     afterMs: 2_000,
 *   }))
 *   .map((window: Window) => window.frames[0]!)
 *   .writeStream(consoleSink());
 * ```
 */
export function sessionWindow(options: SessionOptions): Operator<Frame, Window> {
  const faults = optionFaults(options, ROWS, ["while", "afterMs"]);
  if (faults.length > 0) throw new RangeError(`Cannot cut sessions: ${faults.join("; ")}`);
  const { while: holds, afterMs, maxMs = 60_000, silenceMs, name = "session" } = options;
  return {
    name,
    kind: "window",
    settings: `afterMs=${afterMs} maxMs=${maxMs}`,
    open({ clock }) {
      let heard = clock.now();
      let frames: Frame[] = [];
      /** Capture time at which it held last. */
      let held = 0;
      const close = (): Window[] => {
        const done = frames;
        frames = [];
        return done.length === 0 ? [] : [windowOf(done)];
      };
      return {
        process(frame) {
          heard = clock.now();
          const first = frames[0];
          const { timestamp } = frame;
          // A clock that goes back ends a session too: what comes is no part of it.
          const over = first !== undefined &&
            (timestamp - held > afterMs || timestamp - first.timestamp >= maxMs ||
              timestamp < first.timestamp);
          const done = over ? close() : [];
          const holdsNow: unknown = holds(frame);
          if (holdsNow instanceof Promise) {
            throw new TypeError(`Cannot wait for while of ${name}: expected true or false at once`);
          }
          if (holdsNow) held = timestamp;
          if (holdsNow || frames.length > 0) frames.push(frame);
          return done;
        },
        ...(silenceMs === undefined ? {} : {
          nextTimer: () => frames.length === 0 ? undefined : heard + silenceMs,
          onTimer: close,
          finish: (finite) => finite === true ? close() : [],
        }),
        restartOffset: () => frames[0]?.offset,
        stateSize: () => ({
          items: frames.length,
          bytes: frames.reduce((sum, { value }) => sum + value.length, 0),
        }),
      };
    },
  };
}
