// Prometheus metrics of one page: one registry, one prefix, common labels. Imports single files: the whole
// package also loads OpenTelemetry, a cluster and an HTTP client at each start.
import CounterPart from "prom-client/lib/counter.js";
import GaugePart from "prom-client/lib/gauge.js";
import RegistryPart from "prom-client/lib/registry.js";
import type * as Prometheus from "prom-client";

// Only the whole package has types.
const { Counter, Gauge, Registry } = {
  Counter: CounterPart,
  Gauge: GaugePart,
  Registry: RegistryPart,
} as unknown as typeof Prometheus;

const PREFIX = "framelane_";

type Labels = Readonly<Record<string, string>>;

/** One series of a histogram: how many values are in each bucket, the last one without a bound. */
interface Series {
  readonly labels: Labels;
  readonly counts: Float64Array;
  sum: number;
}

/** A histogram of values that come in lists: prom-client makes seven objects for each value. */
class Histogram {
  readonly type = "histogram";
  readonly aggregator = "sum";
  readonly #series = new Map<string, Series>();

  constructor(
    readonly name: string,
    readonly help: string,
    readonly buckets: readonly number[],
  ) {}

  /** @param labels always with the same names in the same order */
  observe(labels: Labels, values: readonly number[]): void {
    if (values.length === 0) return;
    const key = JSON.stringify(Object.values(labels));
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels, counts: new Float64Array(this.buckets.length + 1), sum: 0 };
      this.#series.set(key, series);
    }
    for (const value of values) {
      let bucket = 0;
      while (value > this.buckets[bucket]!) bucket++;
      series.counts[bucket]!++;
      series.sum += value;
    }
  }

  /** As prom-client's registry asks for it. */
  get() {
    const { name, help, type, aggregator, buckets } = this;
    const values = [...this.#series.values()].flatMap(({ labels, counts, sum }) => {
      let count = 0;
      const rows = [...buckets, "+Inf"].map((le, bucket) => ({
        metricName: `${name}_bucket`,
        labels: { le, ...labels },
        value: count += counts[bucket]!,
      }));
      return [
        ...rows,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ];
    });
    return Promise.resolve({ name, help, type, aggregator, values });
  }
}

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
  ): Histogram {
    const histogram = new Histogram(PREFIX + name, help, buckets);
    this.registry.registerMetric(histogram as unknown as Prometheus.Metric);
    return histogram;
  }

  #of(name: string, help: string, labels: readonly string[]) {
    return { name: PREFIX + name, help, labelNames: [...labels], registers: [this.registry] };
  }
}
