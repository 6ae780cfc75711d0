/**
 * The settings of a sweep beside each other: which is best in what, what each costs.
 *
 * @module
 */
import { grouped } from "./charts.ts";
import type { Summary } from "./tables.ts";

/** Per cent: what is less is the headers of a record. */
const LEAST_SAVED = 0.5;

/** The fastest first. */
export function bySpeed(summaries: readonly Summary[]): Summary[] {
  return summaries.toSorted((a, b) =>
    b.producer.messagesPerSecond.median - a.producer.messagesPerSecond.median
  );
}

/** The setting of which a figure is the highest. */
export function best(summaries: readonly Summary[], by: (one: Summary) => number): Summary {
  return summaries.reduce((a, b) => by(b) > by(a) ? b : a);
}

/** Processor time of a frame, milliseconds, by who takes it. */
export function costParts(one: Summary): { name: string; value: number }[] {
  const { producer, consumer } = one;
  const broker = producer.brokerMsPerMessage === undefined ? [] : [{
    name: "broker",
    value: producer.brokerMsPerMessage.median + consumer.brokerMsPerMessage!.median,
  }];
  return [
    { name: "producer", value: producer.cpuMsPerMessage.median },
    ...broker,
    { name: "consumer", value: consumer.cpuMsPerMessage.median },
  ];
}

/** All of these together. */
export function costOf(one: Summary): number {
  return costParts(one).reduce((sum, { value }) => sum + value, 0);
}

/** Per cent of a frame that its compression saves; undefined where that is nothing. */
export function savedBy({ wireBytes, frameBytes }: Summary): number | undefined {
  const saved = 100 * (1 - wireBytes / frameBytes);
  return saved < LEAST_SAVED ? undefined : saved;
}

/** A figure without its fraction. */
export function whole(value: number): string {
  return grouped(Math.round(value));
}
