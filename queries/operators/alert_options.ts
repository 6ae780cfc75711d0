/**
 * When scores become an alert.
 *
 * @module
 */

import { type Condition, conditionFaults } from "./condition.ts";

/** When scores become an alert, and when it ends. */
export interface AlertOptions {
  /** The score to watch; with `when` the name of the alert. */
  readonly label: string;
  /** What the alert is about instead of a score: while it holds the score is 1, else 0. */
  readonly when?: Condition;
  /** A smoothed score from which a window counts; 0.6 unless given. */
  readonly enter?: number;
  /** A smoothed score below which the alert ends; 0.4, or `enter` where that is less, unless given. */
  readonly exit?: number;
  /** `[k, n]`: it starts when k of the last n windows count; `[1, 1]` unless given. */
  readonly of?: readonly [number, number];
  /** How much of the smoothed score before is kept, from 0 (none) to below 1; 0 unless given. */
  readonly smoothing?: number;
  /** No new alert starts for this long after one has ended, milliseconds; 0 unless given. */
  readonly cooldownMs?: number;
  /**
   * An alert ends when nothing has come for this long: neither by the clock nor in capture time. 30 000
   * unless given.
   */
  readonly silenceMs?: number;
}

/** The same with all defaults. */
export type FullAlertOptions = Required<Omit<AlertOptions, "when">> & Pick<AlertOptions, "when">;

/** Fills in the defaults. */
export function withDefaults(options: AlertOptions): FullAlertOptions {
  const { label, enter = 0.6, of = [1, 1], smoothing = 0, cooldownMs = 0 } = options;
  const { exit = Math.min(0.4, enter), silenceMs = 30_000, when } = options;
  return {
    ...(when === undefined ? {} : { when }),
    label,
    enter,
    exit,
    of,
    smoothing,
    cooldownMs,
    silenceMs,
  };
}

/** All faults of alert options: option, accepted, given. */
export function checkAlertOptions(options: AlertOptions): string[] {
  const { label, enter, exit, of, smoothing, cooldownMs, silenceMs } = withDefaults(options);
  const faults = options.when === undefined ? [] : conditionFaults(options.when);
  const check = (fits: boolean, name: string, accepted: string, given: unknown) => {
    if (!fits) faults.push(`${name}: expected ${accepted}, given ${JSON.stringify(given)}`);
  };
  const isScore = (value: unknown) => typeof value === "number" && value >= 0 && value <= 1;
  check(typeof label === "string" && label !== "", "label", "the name of a score", label);
  check(isScore(enter), "enter", "a number from 0 to 1", enter);
  check(isScore(exit), "exit", "a number from 0 to 1", exit);
  if (isScore(enter) && isScore(exit)) {
    check(exit <= enter, "exit", `a number up to enter, which is ${enter}`, exit);
  }
  const [k, n] = Array.isArray(of) && of.length === 2 ? of as number[] : [];
  check(
    Number.isInteger(k) && Number.isInteger(n) && 1 <= k! && k! <= n! && n! <= 1000,
    "of",
    "[k, n] with whole numbers 1 ≤ k ≤ n ≤ 1000",
    of,
  );
  check(
    typeof smoothing === "number" && smoothing >= 0 && smoothing < 1,
    "smoothing",
    "a number from 0 to below 1",
    smoothing,
  );
  check(
    typeof cooldownMs === "number" && cooldownMs >= 0 && Number.isFinite(cooldownMs),
    "cooldownMs",
    "milliseconds from 0 up",
    cooldownMs,
  );
  check(
    typeof silenceMs === "number" && silenceMs > 0 && Number.isFinite(silenceMs),
    "silenceMs",
    "milliseconds above 0",
    silenceMs,
  );
  return faults;
}
