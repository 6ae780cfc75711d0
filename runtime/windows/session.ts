// Session windows: from the first frame for which a condition holds until it has not held for a
// while.
import { epochOf } from "../base/clock.ts";
import { checkOptions } from "../base/fields.ts";
import { ABOVE_ZERO, FROM_ZERO, FUNCTION, type OptionRows, TEXT } from "../base/options.ts";
import { windowOf } from "./windower.ts";
import type { Frame, Window } from "../definition/frame.ts";
import type { Operator } from "../definition/operator.ts";
import { isPromise } from "../operators/functions.ts";

/** When a session starts and ends. */
export interface SessionOptions {
  /** The condition: motion, an object, a score. Called once for each frame, in order. */
  readonly while: (frame: Frame) => boolean;
  /** How long a session continues after the condition last held, capture time in milliseconds. */
  readonly afterMs: number;
  /** Longest session, capture time in milliseconds; then another one starts. Default 60 000. */
  readonly maxMs?: number;
  /**
   * Closes a session after this long without a frame, milliseconds by the clock, and at the end of
   * a query with a finite trigger. Off by default.
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
 * Groups frames into sessions: windows from the first frame for which `while` holds to the last one
 * within `afterMs` after it last held. A session is emitted at the first frame after its end. Its
 * frames are kept in memory and reread after a restart, which limits `maxMs`.
 *
 * @throws {RangeError} naming every invalid option.
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
  checkOptions("use session options", options, ROWS, ["while", "afterMs"]);
  const { while: holds, afterMs, maxMs = 60_000, silenceMs, name = "session" } = options;
  return {
    name,
    kind: "window",
    settings: `afterMs=${afterMs} maxMs=${maxMs}`,
    open({ clock }) {
      let lastFrameAt = clock.monotonic();
      let frames: Frame[] = [];
      let activeAt = 0;
      const close = (): Window[] => {
        const done = frames;
        frames = [];
        return done.length === 0 ? [] : [windowOf(done)];
      };
      return {
        process(frame) {
          lastFrameAt = clock.monotonic();
          const first = frames[0];
          const { timestamp } = frame;
          // A clock that goes back also ends a session.
          const over = first !== undefined &&
            (timestamp - activeAt > afterMs || timestamp - first.timestamp >= maxMs ||
              timestamp < first.timestamp);
          const done = over ? close() : [];
          const isActive: unknown = holds(frame);
          if (isPromise(isActive)) {
            throw new TypeError(
              `Cannot use an asynchronous while in ${name}: expected true or false`,
            );
          }
          // A late frame does not shorten the session.
          if (isActive) activeAt = frames.length > 0 ? Math.max(activeAt, timestamp) : timestamp;
          if (isActive || frames.length > 0) frames.push(frame);
          return done;
        },
        ...(silenceMs === undefined ? {} : {
          nextTimer: () =>
            frames.length === 0 ? undefined : epochOf(clock, lastFrameAt + silenceMs),
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
