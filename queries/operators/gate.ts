// A motion gate before a model.
import { checkOptions, type Frame, type Operator, range } from "../../runtime/mod.ts";
import {
  MOTION_ROWS,
  MOTION_SAMPLES,
  motionHistory,
  motionOf,
  type MotionOptions,
} from "./motion.ts";
import { smallLuma } from "./luma.ts";
import { withResult } from "./picture.ts";
import { savedState, stateBytes } from "./state.ts";

/** Options of `gate`. */
export interface GateOptions extends MotionOptions {
  /** How often still frames are analysed, milliseconds of capture time; 10,000 by default. */
  readonly everyMs?: number;
  /** How long frames are analysed after the last motion, milliseconds; 1,000 by default. */
  readonly holdMs?: number;
}

const LONG_AGO = -1e15;

/** Whether `gate` has marked the frame as one that need not be analysed. */
export function isStill({ result }: Frame): boolean {
  return (result?.data?.["gate"] as { readonly run?: boolean } | undefined)?.run === false;
}

/** The state of the gate after the frame `seen`, part of the checkpoint. */
interface State {
  readonly ran: number;
  readonly ranAt: number;
  readonly movedAt: number;
  readonly skipped: number;
  readonly seen: number;
}

/**
 * Marks frames without motion, so that a following `detect` repeats its last findings instead of
 * running the model. `data.gate` of the result shows whether the frame is to be analysed, and how
 * many were skipped so far. Every frame passes, in order.
 *
 * A restart does not change which frames are analysed.
 *
 * @throws {RangeError} naming every option that is out of range.
 *
 * @example
 * ```ts
 * import { display, query } from "../../runtime/mod.ts";
 * import { detect } from "./detect.ts";
 * import { gate } from "./gate.ts";
 *
 * export default query("frugal")
 *   .readStream()
 *   .process(gate({ everyMs: 5000 }))
 *   .process(detect())
 *   .writeStream(display());
 * ```
 */
export function gate(options: GateOptions = {}): Operator<Frame, Frame> {
  const { everyMs = 10_000, holdMs = 1000 } = options;
  const time = range({ min: 0, max: 86_400_000 });
  checkOptions("use gate options", options, { ...MOTION_ROWS, everyMs: time, holdMs: time });
  return {
    name: "gate",
    settings: `everyMs=${everyMs} holdMs=${holdMs}`,
    kind: "window",
    open(context) {
      const history = motionHistory();
      const saved = savedState<State>(context);
      let state: State = saved ??
        { ran: -1, ranAt: LONG_AGO, movedAt: LONG_AGO, skipped: 0, seen: -1 };
      return {
        async process(frame) {
          const { offset, timestamp } = frame;
          const luma = await smallLuma(frame, MOTION_SAMPLES);
          const due = history.isDue(frame, luma);
          const isFirst = history.pictures.length === 0;
          const moves = isFirst || motionOf(luma, history, options).objects.length > 0;
          if (due) history.add(frame, luma);
          // Frames before the restart were already decided.
          if (saved !== undefined && offset <= saved.seen) {
            const gate = { run: offset === saved.ran, skipped: saved.skipped };
            return [withResult(frame, { data: { gate } })];
          }
          const movedAt = moves ? timestamp : state.movedAt;
          const run = timestamp - movedAt <= holdMs || timestamp - state.ranAt >= everyMs ||
            timestamp < state.ranAt;
          state = {
            ran: run ? offset : state.ran,
            ranAt: run ? timestamp : state.ranAt,
            movedAt,
            skipped: state.skipped + (run ? 0 : 1),
            seen: offset,
          };
          return [withResult(frame, { data: { gate: { run, skipped: state.skipped } } })];
        },
        restartOffset() {
          if (state.ran < 0) return history.oldestOffset;
          return Math.min(history.oldestOffset ?? state.ran, state.ran);
        },
        snapshot: () => stateBytes(state),
      };
    },
  };
}
