// Prometheus metrics of one page: one registry, one prefix, common labels. Imports single files: the whole
// package also loads OpenTelemetry, a cluster and an HTTP client at each start.
import CounterPart from "prom-client/lib/counter.js";
import GaugePart from "prom-client/lib/gauge.js";
import HistogramPart from "prom-client/lib/histogram.js";
import RegistryPart from "prom-client/lib/registry.js";
import type * as Prometheus from "prom-client";

// Only the whole package has types.
const { Counter, Gauge, Histogram, Registry } = {
  Counter: CounterPart,
  Gauge: GaugePart,
  Histogram: HistogramPart,
  Registry: RegistryPart,
} as unknown as typeof Prometheus;

const PREFIX = "framelane_";

export class MetricSet {
  readonly registry = new Registry();
  readonly #labels: readonly string[];

  /** @param labels of all metrics that name no others */
  constructor(labels: readonly string[]) {
    this.#labels = labels;
  }

  /** @param name without the prefix, ending in `_total`. */
  counter(name: string, help: string, labels = this.#labels): Prometheus.Counter {
    return new Counter(this.#of(name, help, labels));
  }

  /** @param name without the prefix, ending in its base unit. */
  gauge(name: string, help: string, labels = this.#labels): Prometheus.Gauge {
    return new Gauge(this.#of(name, help, labels));
  }

  /** @param buckets upper bounds, in the unit that the name ends in. */
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels = this.#labels,
  ): Prometheus.Histogram {
    return new Histogram({ ...this.#of(name, help, labels), buckets: [...buckets] });
  }

  #of(name: string, help: string, labels: readonly string[]) {
    return { name: PREFIX + name, help, labelNames: [...labels], registers: [this.registry] };
  }
}

/** The texts of several sets as one, in which each metric stands once. */
export function joinedMetrics(...texts: readonly string[]): string {
  const metrics = new Map<string, string[]>();
  for (const metric of texts.flatMap((text) => text.split(/^(?=# HELP )/m))) {
    const [help = "", type = "", ...samples] = metric.trimEnd().split("\n");
    const name = help.split(" ")[2] ?? "";
    const joined = metrics.get(name);
    if (joined === undefined) metrics.set(name, [help, type, ...samples]);
    else joined.push(...samples);
  }
  return `${[...metrics.values()].flat().join("\n")}\n`;
}
