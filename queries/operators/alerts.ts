// Turns a stream of scores into alerts.
import {
  type Alert,
  faultText,
  Fields,
  type Finding,
  firstOffsetOf,
  isFinding,
  lastOffsetOf,
  numberSuffix,
  type Operator,
  type OperatorContext,
  type OperatorTask,
  type Output,
  type Result,
} from "../../runtime/mod.ts";
import {
  ALERT_FIELDS,
  type AlertOptions,
  checkAlertOptions,
  type FullAlertOptions,
  withDefaults,
} from "./alert_options.ts";
import { type ConditionState, holds, isInvalid, scoreOf } from "./condition.ts";
import { rounded } from "./rounded.ts";
import { savedState, stateBytes } from "./state.ts";

export type { AlertOptions } from "./alert_options.ts";

/**
 * Watches one score, or a condition, and marks the outputs of an episode: `start` on the first,
 * `update` in between, `end` on the last. All have the same id, and the highest smoothed score so
 * far.
 *
 * An episode starts when k of the last n smoothed scores reach `enter`, and ends when one falls
 * below `exit`; no new one starts for `cooldownMs` after that. Times are capture times. An output
 * without the score counts as 0, so that episodes of labels that are only listed when detected also
 * end. A score that is not a number changes nothing. If only the frames of a window have scores, or
 * only objects with this label, the highest counts.
 *
 * An episode also ends when its camera is silent for `silenceMs` or the query stops, with a
 * separate finding for the last frames.
 *
 * The id consists of the query, the partition, the label and the frame or window at which the
 * episode starts, so a rerun gives the same ids. The state, a few numbers, is part of the
 * checkpoint.
 *
 * @throws {RangeError} naming every invalid option.
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
export function alerts<T extends Output>(options: AlertOptions): Operator<T, T | Finding> {
  const fields = new Fields(options, [...ALERT_FIELDS, "when"], { what: "alert options" });
  checkAlertOptions(fields);
  const faults = fields.faults.map(faultText).join("; ");
  if (faults !== "") throw new RangeError(`Cannot use alert options: ${faults}`);
  const full = withDefaults(options);
  return {
    name: `alerts(${full.label})`,
    settings: `enter=${full.enter} exit=${full.exit} of=${full.of.join("/")}`,
    kind: "state",
    open: (context) => new AlertsTask<T>(full, context),
  };
}

interface Last extends Omit<Finding, "result" | "picture" | "part"> {
  readonly window: Result["window"] | null;
}

/** The state of an alert operator, part of the checkpoint. */
interface State {
  condition: ConditionState;
  smoothed: number | null;
  /** Which of the last n scores reached `enter`, oldest first. */
  hits: boolean[];
  episode: { id: string; peak: number; last: Last } | null;
  /** Capture time before which no episode starts; earlier once the camera's clock is set back. */
  quietUntil: number | null;
}

const FRESH = { smoothed: null, episode: null, quietUntil: null } as const;

class AlertsTask<T extends Output> implements OperatorTask<T, T | Finding> {
  readonly #options: FullAlertOptions;
  readonly #context: OperatorContext;
  readonly #state: State;
  /** When the last output arrived, or this run began, monotonic. */
  #heard: number;

  constructor(options: FullAlertOptions, context: OperatorContext) {
    this.#options = options;
    this.#context = context;
    this.#heard = context.clock.monotonic();
    this.#state = savedState<State>(context) ??
      { ...FRESH, condition: { since: {}, counts: {} }, hits: [] };
  }

  process(output: T): readonly (T | Finding)[] {
    this.#heard = this.#context.clock.monotonic();
    const { episode } = this.#state;
    const silent = episode !== null &&
      output.timestamp - episode.last.timestamp > this.#options.silenceMs;
    const ended = silent ? this.#endOf(episode) : [];
    const alert = this.#next(output);
    if (this.#state.episode !== null) this.#state.episode.last = this.#lastOf(output);
    return [
      ...ended,
      alert === undefined ? output : { ...output, result: { ...output.result, alert } },
    ];
  }

  nextTimer(): number | undefined {
    if (this.#state.episode === null) return undefined;
    const { clock } = this.#context;
    return clock.now() + (this.#heard + this.#options.silenceMs - clock.monotonic());
  }

  onTimer(): readonly Finding[] {
    const { episode } = this.#state;
    return episode === null ? [] : this.#endOf(episode);
  }

  finish(): readonly Finding[] {
    return this.onTimer();
  }

  #next(output: T): Alert | undefined {
    const { label, when, enter, exit, of: [k, n], smoothing, cooldownMs } = this.#options;
    const state = this.#state, { episode } = state;
    const found = when === undefined
      ? scoreOf(output.result ?? {}, label)
      : Number(holds(when, output, state.condition));
    if (found === undefined && isInvalid(output.result, label)) {
      return episode === null
        ? undefined
        : { id: episode.id, state: "update", label, peak: rounded(episode.peak) };
    }
    const score = found ?? 0;
    const smoothed = state.smoothed === null
      ? score
      : smoothing * state.smoothed + (1 - smoothing) * score;
    state.smoothed = smoothed;
    state.hits = [...state.hits, smoothed >= enter].slice(-n);
    if (episode !== null) {
      const { id } = episode;
      episode.peak = Math.max(episode.peak, smoothed);
      const ends = smoothed < exit;
      if (ends) {
        state.episode = null;
        state.hits = [];
        state.quietUntil = output.timestamp + cooldownMs;
      }
      return { id, state: ends ? "end" : "update", label, peak: rounded(episode.peak) };
    }
    if (state.quietUntil !== null) {
      state.quietUntil = Math.min(state.quietUntil, output.timestamp + cooldownMs);
      if (output.timestamp < state.quietUntil) return undefined;
    }
    if (state.hits.filter(Boolean).length < k) return undefined;
    const { query, partition } = this.#context;
    const id = `${query}-${partition}-${label}-${firstOffsetOf(output)}${
      numberSuffix(numberOf(output))
    }`;
    state.episode = { id, peak: smoothed, last: this.#lastOf(output) };
    return { id, state: "start", label, peak: rounded(smoothed) };
  }

  /** Ends an episode at the last output, and resets the scores. */
  #endOf({ id, peak, last }: NonNullable<State["episode"]>): readonly Finding[] {
    const { label, cooldownMs } = this.#options;
    const { window, ...where } = last;
    this.#state.episode = null;
    this.#state.hits = [];
    this.#state.smoothed = null;
    this.#state.quietUntil = last.timestamp + cooldownMs;
    const alert: Alert = { id, state: "end", label, peak: rounded(peak) };
    return [{ ...where, result: { ...(window ? { window } : {}), alert } }];
  }

  #lastOf(output: T): Last {
    const { topic, partition, key, timestamp, result } = output;
    const number = numberOf(output);
    return {
      topic,
      partition,
      key,
      firstOffset: firstOffsetOf(output),
      lastOffset: lastOffsetOf(output),
      ...(number === undefined ? {} : { number }),
      timestamp,
      window: result?.window ?? null,
    };
  }

  snapshot(): Uint8Array {
    return stateBytes(this.#state);
  }
}

function numberOf(output: Output): number | undefined {
  return isFinding(output) ? output.number : undefined;
}
