// Metrics of operators, added up between reports.
import { shown } from "../base/options.ts";
import { combined, type Observed } from "../definition/operator.ts";

export interface NamedMetrics {
  readonly name: string;
  readonly metrics: readonly Observed[];
}

export interface ReportedMetric {
  readonly name: string;
  readonly metric: string;
  readonly value: number;
  /** The value adds up over reports (a counter). */
  readonly counts: boolean;
}

const NAME = /^[A-Za-z_]\w{0,99}$/;
const KINDS: ReadonlySet<unknown> = new Set(["count", "sum", "avg", "min", "max"]);
const MOST_METRICS = 200;

export class ObservedMetrics {
  #metrics = new Map<string, Observed & { readonly name: string }>();
  readonly #names = new Set<string>();

  /** @throws {RangeError} saying what cannot be a metric: it would fail the metrics of all queries. */
  add(batch: readonly NamedMetrics[]): void {
    for (const { name, metrics } of batch) {
      for (const one of metrics) {
        this.#check(name, one);
        const key = `${name}/${one.metric}`;
        this.#metrics.set(key, { ...combined(one, this.#metrics.get(key)), name });
      }
    }
  }

  #check(name: string, { metric, kind, total, count }: Observed): void {
    const full = `${name} ${metric}`;
    if (!NAME.test(name) || !NAME.test(metric)) {
      throw new RangeError(
        `Cannot observe ${shown(full)}: expected names of letters, digits and _`,
      );
    }
    if (!KINDS.has(kind) || ![total, count].every(Number.isFinite)) {
      throw new RangeError(
        `Cannot observe ${full}: expected count, sum, avg, min or max with a total and a count`,
      );
    }
    this.#names.add(full);
    if (this.#names.size > MOST_METRICS) {
      throw new RangeError(`Cannot observe ${full}: expected at most ${MOST_METRICS} metrics`);
    }
  }

  take(): ReportedMetric[] {
    const all = [...this.#metrics.values()].map(({ name, metric, kind, total, count }) => ({
      name,
      metric,
      value: kind === "avg" ? total / count : total,
      counts: kind === "count" || kind === "sum",
    }));
    this.#metrics = new Map();
    return all;
  }
}

export function observedJson(
  metrics: readonly ReportedMetric[],
): Record<string, Record<string, number>> {
  const json = new Map<string, Record<string, number>>();
  for (const { name, metric, value } of metrics) {
    json.set(name, { ...json.get(name), [metric]: value });
  }
  return Object.fromEntries(json);
}
