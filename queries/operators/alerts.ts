/**
 * From scores to alerts: one episode where there was a stream of numbers.
 *
 * @module
 */
import {
  type Alert,
  firstOffsetOf,
  type Operator,
  type OperatorContext,
  type OperatorTask,
  type Output,
} from "../../runtime/mod.ts";
import {
  type AlertOptions,
  checkAlertOptions,
  type FullAlertOptions,
  withDefaults,
} from "./alert_options.ts";

export type { AlertOptions } from "./alert_options.ts";

/**
 * Watches one score and marks the outputs of an episode: `start` on the first, `update` on those
 * between, `end` on the last. All carry the same id and the highest smoothed score so far.
 *
 * An episode starts when k of the last n smoothed scores reach `enter`, and ends when one falls below
 * `exit`; within `cooldownMs` after its end none starts. Times are capture times. An output that does
 * not have the score counts as 0, so that a label that is only named when it is seen ends too.
 *
 * The id is made of the query, the partition and the offset at which the episode starts, so a re-run
 * gives the same ids. The state, a few numbers, is part of the checkpoint.
 *
 * @throws {RangeError} naming every option that is wrong.
 *
 * @example
 * ```ts
 * import { display, query } from "../../runtime/mod.ts";
 * import { alerts } from "./alerts.ts";
 * import { motion } from "./motion.ts";
 *
 * export default query("intruders")
 *   .readStream()
 *   .process(motion())
 *   .process(alerts({ label: "motion", enter: 0.05, exit: 0.01, of: [5, 10] }))
 *   .writeStream(display());
 * ```
 */
export function alerts<T extends Output>(options: AlertOptions): Operator<T, T> {
  const faults = checkAlertOptions(options);
  if (faults.length > 0) throw new RangeError(`Cannot use alert options: ${faults.join("; ")}`);
  const full = withDefaults(options);
  return {
    name: `alerts(${full.label} enter=${full.enter} exit=${full.exit} of=${full.of.join("/")})`,
    kind: "state",
    open: (context) => new AlertsTask<T>(full, context),
  };
}

/** What an alert operator remembers. */
interface State {
  smoothed: number | null;
  /** Of the last n scores, which reached `enter`; the oldest first. */
  hits: boolean[];
  /** The episode under way. */
  episode: { id: string; peak: number } | null;
  /** Capture time before which no episode starts. */
  quietUntil: number | null;
}

class AlertsTask<T extends Output> implements OperatorTask<T, T> {
  readonly #options: FullAlertOptions;
  readonly #context: OperatorContext;
  readonly #state: State;

  constructor(options: FullAlertOptions, context: OperatorContext) {
    this.#options = options;
    this.#context = context;
    this.#state = context.state === undefined
      ? { smoothed: null, hits: [], episode: null, quietUntil: null }
      : JSON.parse(new TextDecoder().decode(context.state)) as State;
  }

  process(output: T): readonly T[] {
    const alert = this.#next(output);
    if (alert === undefined) return [output];
    return [{ ...output, result: { ...output.result, alert } }];
  }

  #next(output: T): Alert | undefined {
    const { label, enter, exit, of: [k, n], smoothing, cooldownMs } = this.#options;
    const state = this.#state;
    const score = output.result?.scores?.[label] ?? 0;
    const smoothed = state.smoothed === null
      ? score
      : smoothing * state.smoothed + (1 - smoothing) * score;
    state.smoothed = smoothed;
    state.hits.push(smoothed >= enter);
    if (state.hits.length > n) state.hits.shift();
    if (state.episode !== null) {
      const { id } = state.episode;
      const peak = Math.max(state.episode.peak, smoothed);
      const ends = smoothed < exit;
      state.episode = ends ? null : { id, peak };
      if (ends) {
        state.hits = [];
        state.quietUntil = output.timestamp + cooldownMs;
      }
      return { id, state: ends ? "end" : "update", label, peak: rounded(peak) };
    }
    if (state.quietUntil !== null && output.timestamp < state.quietUntil) return undefined;
    if (state.hits.filter(Boolean).length < k) return undefined;
    const { query, partition } = this.#context;
    const id = `${query}-${partition}-${label}-${firstOffsetOf(output)}`;
    state.episode = { id, peak: smoothed };
    return { id, state: "start", label, peak: rounded(smoothed) };
  }

  snapshot(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(this.#state));
  }
}

function rounded(score: number): number {
  return Math.round(score * 10_000) / 10_000;
}
