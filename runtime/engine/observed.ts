/**
 * Metrics of operators' own, from batch to batch: what was committed since the last report.
 *
 * @module
 */
import type { Observed } from "../definition/operator.ts";

/** The metrics of one operator. */
export interface NamedMetrics {
  readonly name: string;
  readonly metrics: readonly Observed[];
}

/** A metric as it is reported. */
export interface ReportedMetric {
  readonly name: string;
  readonly metric: string;
  readonly value: number;
  /** The value adds up over reports: a counter. */
  readonly counts: boolean;
}

/** Adds metrics up. */
export class ObservedMetrics {
  #metrics = new Map<string, Observed & { readonly name: string }>();

  /** Takes the metrics of a batch. */
  add(batch: readonly NamedMetrics[]): void {
    for (const { name, metrics } of batch) {
      for (const one of metrics) {
        const key = `${name}/${one.metric}`;
        const before = this.#metrics.get(key);
        this.#metrics.set(key, { ...(before === undefined ? one : joined(before, one)), name });
      }
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
