// Conditions on findings, which alerts can watch instead of a score.
import type { Fields, Output, Result } from "../../runtime/mod.ts";

/** What an alert may watch. */
export type Condition =
  & (
    /** A score is at least this high. */
    | { readonly score: string; readonly atLeast: number }
    /** At least this many objects are in view, with this label or any. */
    | { readonly objects: string | "*"; readonly atLeast?: number }
    /** No object with this label is in view. */
    | { readonly absent: string }
    /** At least this many objects are in a zone, one by default; with `dwellMs` for this long each. */
    | { readonly zone: string; readonly atLeast?: number; readonly dwellMs?: number }
    /** A line is crossed in this frame. */
    | { readonly line: string; readonly direction?: "in" | "out" }
    /** A line has been crossed at least this many times. */
    | { readonly count: string; readonly direction: "in" | "out"; readonly atLeast: number }
    | { readonly all: readonly Condition[] }
    | { readonly any: readonly Condition[] }
    | { readonly not: Condition }
  )
  & {
    /** How long the condition must hold before it counts, milliseconds of capture time. */
    readonly forMs?: number;
  };

/** The state of conditions: since when each has held, by its JSON, and the previous output's counts. */
export interface ConditionState {
  since: Record<string, number>;
  counts: Record<string, { in: number; out: number }>;
}

/**
 * A score of a result: of the window, or the highest of its frames; without one, the highest of the
 * objects with this label.
 *
 * @returns undefined if there is none.
 */
export function scoreOf({ scores, frames = [] }: Result, label: string): number | undefined {
  const own = [scores?.[label], ...frames.map((frame) => frame.scores?.[label])]
    .filter((score) => score !== undefined);
  const objects = frames.flatMap((frame) => frame.objects ?? []);
  const found = own.length > 0
    ? own
    : objects.filter((object) => object.label === label).map(({ score }) => score);
  return found.length === 0 ? undefined : Math.max(...found);
}

/** Whether a model's score was not a number, and is only named. */
export function isInvalid(result: Result | undefined, label: string): boolean {
  const named = result?.data?.["invalidScores"];
  return Array.isArray(named) && named.includes(label);
}

/** True if a condition holds for an output; updates `state` for the next one. */
export function holds(condition: Condition, output: Output, state: ConditionState): boolean {
  const result = output.result ?? {};
  const isTrue = evaluate(condition, output, result, state);
  for (const [name, { in: inward, out }] of Object.entries(result.counts ?? {})) {
    state.counts[name] = { in: inward, out };
  }
  return isTrue;
}

function evaluate(
  condition: Condition,
  output: Output,
  result: Result,
  state: ConditionState,
): boolean {
  const now = output.timestamp;
  const inner = (part: Condition) => evaluate(part, output, result, state);
  // Evaluate every part, since each records since when it holds.
  const isTrue = "all" in condition
    ? condition.all.map(inner).every(Boolean)
    : "any" in condition
    ? condition.any.map(inner).some(Boolean)
    : "not" in condition
    ? !inner(condition.not)
    : simple(condition, result, state);
  const { forMs } = condition;
  if (forMs === undefined) return isTrue;
  // A changed condition has not held before.
  const key = JSON.stringify(condition);
  if (!isTrue) {
    delete state.since[key];
    return false;
  }
  // A camera's clock may be set back.
  const since = state.since[key] = Math.min(state.since[key] ?? now, now);
  return now - since >= forMs;
}

type Simple = Exclude<Condition, { all: unknown } | { any: unknown } | { not: unknown }>;

function simple(condition: Simple, result: Result, { counts: before }: ConditionState): boolean {
  if ("score" in condition) return (scoreOf(result, condition.score) ?? 0) >= condition.atLeast;
  if ("objects" in condition) {
    return inView(result, condition.objects) >= (condition.atLeast ?? 1);
  }
  if ("absent" in condition) return inView(result, condition.absent) === 0;
  if ("zone" in condition) {
    const { zone, atLeast = 1, dwellMs } = condition;
    const present = dwellMs === undefined
      ? result.zones?.[zone] ?? 0
      : dwellsIn(result, zone).filter((stay) => stay >= dwellMs).length;
    return present >= atLeast;
  }
  if ("line" in condition) {
    const now = result.counts?.[condition.line], old = before[condition.line];
    // Without earlier counts these may be from before the alert was added to the query.
    const more = (way: "in" | "out") => old !== undefined && (now?.[way] ?? 0) > old[way];
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

/** How long each object has been in a zone, milliseconds, according to `zones`. */
function dwellsIn({ data }: Result, zone: string): number[] {
  const stays = data?.["dwellMs"] as Readonly<Record<string, Readonly<Record<string, number>>>>;
  return Object.values(stays?.[zone] ?? {});
}

/** The required and optional fields of each kind of condition, besides its own. */
const KINDS: Readonly<Record<string, { readonly needs?: string[]; readonly may?: string[] }>> = {
  score: { needs: ["atLeast"] },
  objects: { may: ["atLeast"] },
  absent: {},
  zone: { may: ["atLeast", "dwellMs"] },
  line: { may: ["direction"] },
  count: { needs: ["direction", "atLeast"] },
  all: {},
  any: {},
  not: {},
};

export function checkCondition(
  fields: Fields,
  name: string,
  json: unknown = fields.given[name],
): void {
  const isObject = typeof json === "object" && json !== null;
  const kind = isObject ? Object.keys(KINDS).find((known) => known in json) : undefined;
  if (kind === undefined) {
    fields.add(name, `one of ${Object.keys(KINDS).join(", ")}`, json);
    return;
  }
  const { needs = [], may = [] } = KINDS[kind]!;
  const own = fields.object(name, ["forMs", kind, ...needs, ...may], json);
  if (kind === "all" || kind === "any") {
    own.list(kind, (place, part) => checkCondition(own, place, part));
  } else if (kind === "not") checkCondition(own, "not");
  else own.text(kind);
  for (const field of ["forMs", ...needs, ...may]) {
    const value = own.given[field];
    if (value === undefined && !needs.includes(field)) continue;
    if (field === "direction") own.word(field, ["in", "out"]);
    else if (!(typeof value === "number" && value >= 0)) own.add(field, "a number from 0 up");
  }
}
