// Options of alerts.

import { checkCondition, type Condition } from "./condition.ts";
import { type Fields, type OptionRow, range } from "../../runtime/mod.ts";

/** When an alert starts and ends. */
export interface AlertOptions {
  /** The score, or label of objects, to watch; with `when` the name of the alert. */
  readonly label: string;
  /** A condition to watch instead of a score: the score is 1 while it holds, otherwise 0. */
  readonly when?: Condition;
  /** Smoothed score from which a window counts; 0.6 by default. */
  readonly enter?: number;
  /** Smoothed score below which the alert ends; 0.4 by default, or `enter` if lower. */
  readonly exit?: number;
  /** `[k, n]`: the alert starts when k of the last n windows count; `[1, 1]` by default. */
  readonly of?: readonly [number, number];
  /** Weight of the previous smoothed score, from 0 (none) to below 1; 0 by default. */
  readonly smoothing?: number;
  /** How long after an alert no new one starts, milliseconds; 0 by default. */
  readonly cooldownMs?: number;
  /** An alert ends after this long without outputs, by clock or capture time; 30 000 by default. */
  readonly silenceMs?: number;
}

/** The options with all defaults. */
export type FullAlertOptions = Required<Omit<AlertOptions, "when">> & Pick<AlertOptions, "when">;

export function withDefaults(options: AlertOptions): FullAlertOptions {
  const { label, enter = 0.6, of = [1, 1], smoothing = 0, cooldownMs = 0 } = options;
  const { exit = Math.min(0.4, enter), silenceMs = 30_000, when } = options;
  const full = { label, enter, exit, of, smoothing, cooldownMs, silenceMs };
  return when === undefined ? full : { ...full, when };
}

const SHARE = range({ min: 0, max: 1 });

/** What each option accepts, besides `label` and `when`. */
const ROWS: Readonly<Record<string, OptionRow>> = {
  enter: SHARE,
  exit: SHARE,
  of: {
    accepted: "[k, n] with whole numbers 1 ≤ k ≤ n ≤ 1000",
    takes(value) {
      const [k, n] = Array.isArray(value) && value.length === 2 ? value as number[] : [];
      return Number.isInteger(k) && Number.isInteger(n) && 1 <= k! && k! <= n! && n! <= 1000;
    },
  },
  smoothing: {
    accepted: "a number from 0 to below 1",
    takes: (value) => SHARE.takes(value) && value !== 1,
  },
  cooldownMs: range({ min: 0, max: Infinity }),
  silenceMs: range({ min: 0, max: Infinity, above: true }),
};

/** The options that a manifest may contain. */
export const ALERT_FIELDS: readonly string[] = ["label", ...Object.keys(ROWS)];

export function checkAlertOptions(fields: Fields): void {
  const { given } = fields;
  if (given["when"] !== undefined) checkCondition(fields, "when");
  fields.text("label");
  for (const [name, row] of Object.entries(ROWS)) {
    if (given[name] !== undefined) fields.takes(name, row);
  }
  const { enter, exit } = withDefaults(given as unknown as AlertOptions);
  if (SHARE.takes(enter) && SHARE.takes(exit) && exit > enter) {
    fields.add("exit", `a number up to enter, which is ${enter}`, exit);
  }
}
