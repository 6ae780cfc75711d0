// When scores become an alert.

import { checkCondition, type Condition } from "./condition.ts";
import type { Fields } from "./model/faults.ts";

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
  const full = { label, enter, exit, of, smoothing, cooldownMs, silenceMs };
  return when === undefined ? full : { ...full, when };
}

const isNumber = (value: unknown, min: number, max = Number.MAX_VALUE) =>
  typeof value === "number" && value >= min && value <= max;

/** What is accepted of each option besides `label` and `when`. */
const ACCEPTED: Readonly<Record<string, readonly [string, (value: unknown) => boolean]>> = {
  enter: ["a number from 0 to 1", (value) => isNumber(value, 0, 1)],
  exit: ["a number from 0 to 1", (value) => isNumber(value, 0, 1)],
  of: ["[k, n] with whole numbers 1 ≤ k ≤ n ≤ 1000", (value) => {
    const [k, n] = Array.isArray(value) && value.length === 2 ? value as number[] : [];
    return Number.isInteger(k) && Number.isInteger(n) && 1 <= k! && k! <= n! && n! <= 1000;
  }],
  smoothing: ["a number from 0 to below 1", (value) => isNumber(value, 0, 1) && value !== 1],
  cooldownMs: ["milliseconds from 0 up", (value) => isNumber(value, 0)],
  silenceMs: ["milliseconds above 0", (value) => isNumber(value, Number.MIN_VALUE)],
};

/** The options that a manifest may have. */
export const ALERT_FIELDS: readonly string[] = ["label", ...Object.keys(ACCEPTED)];

/** Notes all faults of alert options. */
export function checkAlertOptions(fields: Fields): void {
  const { given } = fields;
  if (given["when"] !== undefined) checkCondition(fields, "when");
  fields.text("label");
  for (const [name, [accepted, fits]] of Object.entries(ACCEPTED)) {
    if (given[name] !== undefined && !fits(given[name])) fields.add(name, accepted);
  }
  const { enter, exit } = withDefaults(given as unknown as AlertOptions);
  if (isNumber(enter, 0, 1) && isNumber(exit, 0, 1) && exit > enter) {
    fields.add("exit", `a number up to enter, which is ${enter}`, exit);
  }
}
