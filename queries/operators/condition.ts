/**
 * Conditions on what was found: what an alert can be about besides a score.
 *
 * @module
 */
import type { Output, Result } from "../../runtime/mod.ts";

/** A condition that is true or false of each output. */
export type Condition =
  & (
    /** A score is at least so high. */
    | { readonly score: string; readonly atLeast: number }
    /** This many objects are in view, with this label or of any. */
    | { readonly objects: string | "*"; readonly atLeast?: number }
    /** No object with this label is in view. */
    | { readonly absent: string }
    /** This many objects are in a zone. */
    | { readonly zone: string; readonly atLeast?: number }
    /** An object has been in a zone for this long. */
    | { readonly zone: string; readonly dwellMs: number }
    /** A line is crossed on this very frame. */
    | { readonly line: string; readonly direction?: "in" | "out" }
    /** A line has been crossed this many times. */
    | { readonly count: string; readonly direction: "in" | "out"; readonly atLeast: number }
    | { readonly all: readonly Condition[] }
    | { readonly any: readonly Condition[] }
    | { readonly not: Condition }
  )
  & {
    /** It counts only when it has held for this long, milliseconds of capture time. */
    readonly forMs?: number;
  };

/** What conditions remember: since when parts have held, and counts of the output before. */
export interface ConditionState {
  since: Record<string, number>;
  counts: Record<string, { in: number; out: number }>;
}

/**
 * A score of a result: of the window, or the highest of its frames.
 *
 * @returns undefined where the result has no such value, or it is no number.
 */
export function scoreOf({ scores, frames = [] }: Result, label: string): number | undefined {
  let best: number | undefined;
  for (const score of [scores?.[label], ...frames.map((frame) => frame.scores?.[label])]) {
    if (score === undefined || !Number.isFinite(score)) continue;
    best = Math.max(best ?? -Infinity, score);
  }
  return best;
}

/** Whether a condition holds for an output; remembers in `state` what it needs for the next. */
export function holds(condition: Condition, output: Output, state: ConditionState): boolean {
  const result = output.result ?? {};
  const held = evaluate(condition, output, result, state, "");
  for (const [name, { in: inward, out }] of Object.entries(result.counts ?? {})) {
    state.counts[name] = { in: inward, out };
  }
  return held;
}

function evaluate(
  condition: Condition,
  output: Output,
  result: Result,
  state: ConditionState,
  path: string,
): boolean {
  const now = output.timestamp;
  const inner = (part: Condition, name: string) =>
    evaluate(part, output, result, state, `${path}.${name}`);
  // Every part is evaluated, whatever the others say: each remembers since when it holds.
  const held = "all" in condition
    ? condition.all.map((part, i) => inner(part, String(i))).every(Boolean)
    : "any" in condition
    ? condition.any.map((part, i) => inner(part, String(i))).some(Boolean)
    : "not" in condition
    ? !inner(condition.not, "not")
    : simple(condition, result, state);
  const { forMs } = condition;
  if (forMs === undefined) return held;
  if (!held) {
    delete state.since[path];
    return false;
  }
  state.since[path] ??= now;
  return now - state.since[path]! >= forMs;
}

type Simple = Exclude<Condition, { all: unknown } | { any: unknown } | { not: unknown }>;

function simple(condition: Simple, result: Result, { counts: before }: ConditionState): boolean {
  if ("score" in condition) return (scoreOf(result, condition.score) ?? 0) >= condition.atLeast;
  if ("objects" in condition) {
    return inView(result, condition.objects) >= (condition.atLeast ?? 1);
  }
  if ("absent" in condition) return inView(result, condition.absent) === 0;
  if ("dwellMs" in condition) {
    return Math.max(0, ...dwellsIn(result, condition.zone)) >= condition.dwellMs;
  }
  if ("zone" in condition) {
    return (result.zones?.[condition.zone] ?? 0) >= (condition.atLeast ?? 1);
  }
  if ("line" in condition) {
    const now = result.counts?.[condition.line], old = before[condition.line];
    const more = (way: "in" | "out") => (now?.[way] ?? 0) > (old?.[way] ?? 0);
    return condition.direction === undefined
      ? more("in") || more("out")
      : more(condition.direction);
  }
  return (result.counts?.[condition.count]?.[condition.direction] ?? 0) >= condition.atLeast;
}

function inView({ frames = [] }: Result, label: string): number {
  const counts = frames.map(({ objects = [] }) =>
    objects.filter((object) => label === "*" || object.label === label).length
  );
  return Math.max(0, ...counts);
}

/** How long each object has been in a zone, milliseconds, as `zones` says. */
function dwellsIn({ data }: Result, zone: string): number[] {
  const dwell = data?.["dwellMs"];
  if (typeof dwell !== "object" || dwell === null || !(zone in dwell)) return [];
  const own = (dwell as Readonly<Record<string, unknown>>)[zone];
  return typeof own === "object" && own !== null
    ? Object.values(own).filter((value) => typeof value === "number")
    : [];
}

/** All faults of a condition: where, accepted, given. */
export function conditionFaults(condition: unknown, path = "when"): string[] {
  if (typeof condition !== "object" || condition === null) {
    return [`${path}: expected an object, given ${JSON.stringify(condition)}`];
  }
  const { forMs, ...own } = condition as Record<string, unknown>;
  const faults: string[] = [];
  const kind = KINDS.find(({ name }) => name in own);
  if (kind === undefined) {
    const names = KINDS.map(({ name }) => name).join(", ");
    return [`${path}: expected one of ${names}, given ${JSON.stringify(condition)}`];
  }
  const check = (name: string, value: unknown, accepted: string, fits: boolean) => {
    if (!fits) faults.push(`${path}.${name}: expected ${accepted}, given ${JSON.stringify(value)}`);
  };
  const isAmount = (value: unknown) => typeof value === "number" && value >= 0;
  check("forMs", forMs, "milliseconds from 0 up", forMs === undefined || isAmount(forMs));
  for (const [name, value] of Object.entries(own)) {
    if (name === "all" || name === "any") {
      check(name, value, "a list of conditions", Array.isArray(value) && value.length > 0);
      for (const [i, part] of (Array.isArray(value) ? value : []).entries()) {
        faults.push(...conditionFaults(part, `${path}.${name}[${i}]`));
      }
    } else if (name === "not") faults.push(...conditionFaults(value, `${path}.not`));
    else if (name === kind.name) {
      check(name, value, "a name", typeof value === "string" && value !== "");
    } else if (name === "direction" && kind.fields.includes(name)) {
      check(name, value, "in or out", value === "in" || value === "out");
    } else if (kind.fields.includes(name)) {
      check(name, value, "a number from 0 up", isAmount(value));
    } else {check(
        name,
        value,
        `no other field than ${["forMs", kind.name, ...kind.fields].join(", ")}`,
        false,
      );}
  }
  for (const name of kind.needs ?? []) {
    if (own[name] === undefined) check(name, undefined, "a value", false);
  }
  return faults;
}

interface Kind {
  readonly name: string;
  readonly fields: readonly string[];
  readonly needs?: readonly string[];
}

const KINDS: readonly Kind[] = [
  { name: "score", fields: ["atLeast"], needs: ["atLeast"] },
  { name: "objects", fields: ["atLeast"] },
  { name: "absent", fields: [] },
  { name: "zone", fields: ["atLeast", "dwellMs"] },
  { name: "line", fields: ["direction"] },
  { name: "count", fields: ["direction", "atLeast"], needs: ["direction", "atLeast"] },
  { name: "all", fields: [] },
  { name: "any", fields: [] },
  { name: "not", fields: [] },
];
