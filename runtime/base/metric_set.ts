// Prometheus metrics of one page: one registry, one prefix, common labels.
import { Counter, Gauge, Histogram, Registry } from "prom-client";

const PREFIX = "framelane_";

export class MetricSet {
  readonly registry = new Registry();
  readonly #labels: readonly string[];

  /** @param labels of all metrics that name no others. */
  constructor(labels: readonly string[]) {
    this.#labels = labels;
  }

  /** @param name without the prefix, ending in `_total`. */
  counter(name: string, help: string, labels = this.#labels): Counter {
    return new Counter(this.#of(name, help, labels));
  }

  /** @param name without the prefix, ending in its base unit. */
  gauge(name: string, help: string, labels = this.#labels): Gauge {
    return new Gauge(this.#of(name, help, labels));
  }

  /** @param buckets upper bounds, in the unit that the name ends in. */
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels = this.#labels,
  ): Histogram {
    return new Histogram({ ...this.#of(name, help, labels), buckets: [...buckets] });
  }

  #of(name: string, help: string, labels: readonly string[]) {
    return { name: PREFIX + name, help, labelNames: [...labels], registers: [this.registry] };
  }
}
