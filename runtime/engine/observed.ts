// Metrics of operators' own, from batch to batch: what was committed since the last report.
import type { Observed } from "../definition/operator.ts";

/** The metrics of one operator. */
export interface NamedMetrics {
  readonly name: string;
  readonly metrics: readonly Observed[];
}

export interface ReportedMetric {
  readonly name: string;
  readonly metric: string;
  readonly value: number;
  /** The value adds up over reports: a counter. */
  readonly counts: boolean;
}

const NAME = /^[A-Za-z_]\w{0,99}$/;
const KINDS: ReadonlySet<unknown> = new Set(["count", "sum", "avg", "min", "max"]);
/** Metrics of one lane. */
const MOST_METRICS = 200;

/** Adds metrics up. */
export class ObservedMetrics {
  #metrics = new Map<string, Observed & { readonly name: string }>();
  readonly #names = new Set<string>();

  /**
   * Takes the metrics of a batch.
   *
   * @throws {RangeError} saying what cannot be a metric: it would fail where all queries are measured.
   */
  add(batch: readonly NamedMetrics[]): void {
    for (const { name, metrics } of batch) {
      for (const one of metrics) {
        this.#check(name, one);
        const key = `${name}/${one.metric}`;
        const before = this.#metrics.get(key);
        this.#metrics.set(key, { ...(before === undefined ? one : joined(before, one)), name });
      }
    }
  }

  #check(name: string, { metric, kind, total, count }: Observed): void {
    const full = `${name} ${metric}`;
    if (!NAME.test(name) || !NAME.test(metric)) {
      throw new RangeError(
        `Cannot observe ${JSON.stringify(full)}: expected names of letters, digits and _`,
      );
    }
    if (!KINDS.has(kind) || ![total, count].every(Number.isFinite)) {
      throw new RangeError(
        `Cannot observe ${full}: expected count, sum, avg, min or max with a total and a count`,
      );
    }
    this.#names.add(full);
    if (this.#names.size > MOST_METRICS) {
      throw new RangeError(`Cannot observe ${full}: expected ${MOST_METRICS} metrics at most`);
    }
  }

  /** All since the last call. */
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

/** Two parts of one metric, together. */
function joined(a: Observed, b: Observed): Observed {
  const { metric, kind } = a;
  const total = kind === "min"
    ? Math.min(a.total, b.total)
    : kind === "max"
    ? Math.max(a.total, b.total)
    : a.total + b.total;
  return { metric, kind, total, count: a.count + b.count };
}

/** Metrics as progress reports have them: by name, then by metric. */
export function observedJson(
  metrics: readonly ReportedMetric[],
): Record<string, Record<string, number>> {
  const json: Record<string, Record<string, number>> = {};
  for (const { name, metric, value } of metrics) (json[name] ??= {})[metric] = value;
  return json;
}
