// Custom metrics of the items in a stream.
import { shown } from "../base/options.ts";
import { combined, type Observed, type Operator } from "../definition/operator.ts";

/** How a metric is computed from the items between two progress reports. */
export type Observation<T> =
  | "count"
  | { readonly sum: (item: T) => number }
  | { readonly avg: (item: T) => number }
  | { readonly min: (item: T) => number }
  | { readonly max: (item: T) => number };

/** Metrics by name: letters, digits and `_`. */
export type Observations<T> = Readonly<Record<string, Observation<T>>>;

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const KINDS = ["sum", "avg", "min", "max"] as const;
type Kind = Observed["kind"];

interface Metric<T> {
  readonly kind: Kind;
  readonly value: (item: T) => number;
}

/**
 * An operator that passes all items and computes metrics of them.
 *
 * @throws {RangeError} naming every invalid name or metric.
 */
export function observeOperator<T>(
  name: string,
  observations: Observations<T>,
): Operator<T, T> {
  const faults = NAME.test(name)
    ? []
    : [`name: expected letters, digits and _, given ${shown(name)}`];
  const metrics = new Map<string, Metric<T>>();
  const given = Object.entries(observations ?? {});
  if (given.length === 0) faults.push('expected metrics such as { frames: "count" }, given none');
  for (const [metric, observation] of given) {
    const found = metricOf(observation);
    if (!NAME.test(metric)) faults.push(`${metric}: expected a name of letters, digits and _`);
    else if (found === undefined) {
      faults.push(`${metric}: expected "count", or a function as sum, avg, min or max`);
    } else metrics.set(metric, found);
  }
  if (faults.length > 0) throw new RangeError(`Cannot observe: ${faults.join("; ")}`);
  return {
    name: `observe(${name})`,
    observes: name,
    open() {
      let found = new Map<string, Observed>();
      return {
        process(item) {
          for (const [metric, { kind, value }] of metrics) {
            const number = value(item);
            // Skip items without a value for this metric.
            if (!Number.isFinite(number)) continue;
            found.set(
              metric,
              combined({ metric, kind, total: number, count: 1 }, found.get(metric)),
            );
          }
          return [item];
        },
        observed() {
          const all = [...found.values()];
          found = new Map();
          return all;
        },
      };
    },
  };
}

function metricOf<T>(observation: Observation<T>): Metric<T> | undefined {
  if (observation === "count") return { kind: "count", value: () => 1 };
  if (typeof observation !== "object" || observation === null) return undefined;
  const [[kind, value] = [], ...more] = Object.entries(observation) as [string, unknown][];
  const known = KINDS.find((one) => one === kind);
  if (known === undefined || typeof value !== "function" || more.length > 0) return undefined;
  return { kind: known, value: value as (item: T) => number };
}
