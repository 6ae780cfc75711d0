// The plan of a query: everything that the runtime needs to know.
import { basename, dirname, normalize } from "node:path";
import { read } from "../base/errors.ts";
import { oneOf, shown, TEXT } from "../base/options.ts";
import type { Alignment } from "./align.ts";
import type { Operator } from "./operator.ts";
import type { OperatorErrorPolicy } from "./operator_error.ts";
import type { OverloadPolicy } from "./overload.ts";
import type { Sink } from "./sink.ts";
import { checkReadOptions, hasEnd, type ReadStreamOptions } from "./source_options.ts";
import type { Trigger } from "./trigger.ts";

/** The plan from which the runtime starts a query on each partition. */
export interface QueryPlan {
  readonly name: string;
  readonly source: ReadStreamOptions;
  /** The operators in stream order; the first accepts frames. */
  readonly operators: readonly Operator<unknown, unknown>[];
  readonly sinks: readonly Sink<unknown>[];
  readonly trigger: Trigger;
  readonly overload: OverloadPolicy;
  readonly onOperatorError: OperatorErrorPolicy;
  /** Names of steps whose stored state is discarded. */
  readonly droppedState?: readonly string[];
}

/** Sinks and settings that replace those of a definition. */
export interface PlanOverrides {
  readonly sinks?: readonly Sink<unknown>[];
  /** Additional sinks, for alerts. */
  readonly alertSinks?: readonly Sink<unknown>[];
  readonly overload?: OverloadPolicy;
  readonly trigger?: Trigger;
  readonly source?: ReadStreamOptions;
}

/** True if the query ends by itself, through its trigger or an end of its read. */
export function endsByItself({ trigger, source }: QueryPlan): boolean {
  return trigger.kind === "available-now" || hasEnd(source);
}

/** A plan with some parts replaced. */
export function overridePlan(plan: QueryPlan, overrides: PlanOverrides): QueryPlan {
  const { sinks = [], alertSinks = [], source = {} } = overrides;
  // The query's own time would overrule the offsets.
  const { startingTimestamp: _, ...others } = plan.source;
  const own = source.startingOffsets === undefined ? plan.source : others;
  return {
    ...plan,
    sinks: [...(sinks.length > 0 ? sinks : plan.sinks), ...alertSinks],
    overload: overrides.overload ?? plan.overload,
    trigger: overrides.trigger ?? plan.trigger,
    source: checkReadOptions({ ...own, ...source }),
  };
}

const DELIVERY = oneOf("live", "exactly-once", "at-least-once");

/** @throws {RangeError} if there are no sinks, or an invalid one. */
export function checkSinks({ name, sinks }: QueryPlan): void {
  if (!Array.isArray(sinks) || sinks.length === 0) {
    throw new RangeError(
      `Cannot run query ${name} without a sink: expected at least one, such as display()`,
    );
  }
  for (const sink of sinks as readonly unknown[]) {
    const isSink = typeof read(sink, "open") === "function" && TEXT.takes(read(sink, "uri")) &&
      DELIVERY.takes(read(sink, "delivery"));
    if (isSink) continue;
    throw new RangeError(
      `Cannot run query ${name} with the sink ${shown(sink)}: expected one such as display(), ` +
        `with a uri, a function open, and as delivery ${DELIVERY.accepted}`,
    );
  }
  const targets = new Map<string, string>();
  for (const sink of sinks) {
    const { uri } = sink;
    // Two would fence each other, or write each output twice.
    const place = sink.place === undefined ? placeIn(sink) : placeOf(sink.place);
    if (place === undefined) continue;
    const other = targets.get(place);
    if (other !== undefined) {
      const both = `${shown(other)} and ${shown(uri)}`;
      throw new RangeError(
        `Cannot run query ${name} with ${both}: they write to the same place; expected different sinks`,
      );
    }
    targets.set(place, uri);
  }
}

function placeIn({ uri, delivery }: Sink<unknown>): string | undefined {
  const [scheme, target] = uri.split(/:(.*)/s);
  if (delivery !== "exactly-once" || target === undefined) return undefined;
  return `${scheme}:${scheme === "topic" ? target : placeOf(target)}`;
}

/** The file or folder, whatever path leads to it; its folder and its name where only that exists. */
function placeOf(target: string): string {
  const path = normalize(target).replace(/(?<=.)\/$/, "");
  for (const [place, name] of [[path, ""], [dirname(path), basename(path)]] as const) {
    try {
      const { dev, ino } = Deno.statSync(place);
      return `${dev}/${ino}/${name}`;
    } catch {
      // It does not exist yet, or opening the sink reports what is wrong.
    }
  }
  return path;
}

/** The alignment of two cameras; undefined if each lane has one camera. */
export function alignmentOf({ operators }: Pick<QueryPlan, "operators">): Alignment | undefined {
  return operators[0]?.aligns;
}

/** Checks that the steps work together: a stateful operator does not process reread frames. */
export function checkSteps(plan: QueryPlan): void {
  if (alignmentOf(plan) !== undefined && (hasEnd(plan.source) || plan.overload.kind !== "wait")) {
    throw new RangeError(
      `Cannot run query ${plan.name}: align accepts only the overload policy wait, and no ending offsets or time; ` +
        "with the trigger available-now it processes all available pairs and ends",
    );
  }
  let stateful: string | undefined;
  const names = new Set<string>();
  for (const { name, kind, observes } of plan.operators) {
    if (kind === undefined && observes === undefined) continue;
    if (names.has(name)) {
      throw new RangeError(
        `Cannot run query ${plan.name}: two steps with ${
          kind === undefined ? "metrics" : "state"
        } are named ${shown(name)}; rename one, with .process(operator, { name: "…" })`,
      );
    }
    names.add(name);
    if (kind === "state") stateful ??= name;
    else if (kind === "window" && stateful !== undefined) {
      throw new RangeError(
        `Cannot run query ${plan.name}: ${name} comes after ${stateful}, whose state cannot be ` +
          `rewound to rebuild open windows; put ${stateful} after ${name}`,
      );
    }
  }
}
