/**
 * What a sweep found, as tables: every repeat of both sides, and medians with their spread.
 *
 * @module
 */
import { median, percentile } from "../support/stats.ts";
import { nameOf, type Setting } from "./settings.ts";
import type { Figures, Load, TrialResult } from "./trial.ts";

/** A trial with its place in the sweep. */
export interface Trial extends TrialResult {
  readonly setting: Setting;
  readonly load: Load;
  /** From 1. */
  readonly repeat: number;
}

/** A cell of a table; undefined stays empty. */
export type Cell = string | number | undefined;

/** Median, lowest and highest of the repeats. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** What the repeats of one setting come to. */
export interface Summary {
  readonly setting: Setting;
  readonly name: string;
  readonly repeats: number;
  /** Of one repeat of the burst. */
  readonly messages: number;
  readonly frameBytes: number;
  readonly wireBytes: number;
  readonly framesPerBatch: number;
  readonly producer: SideSummary;
  readonly consumer: SideSummary;
  /** At the pace of cameras: handed over until acknowledged, until read. */
  readonly liveAckP50: Spread;
  readonly liveAckP99: Spread;
  readonly liveEndP50: Spread;
  readonly liveEndP99: Spread;
  readonly liveLag: number;
  readonly errors: number;
  /** Frames that were left unread, all repeats together: none, unless something is wrong. */
  readonly unread: number;
  readonly distribution: string;
}

/** One side of the burst. */
export interface SideSummary {
  readonly seconds: Spread;
  readonly messagesPerSecond: Spread;
  readonly mbPerSecond: Spread;
  readonly cpuMsPerMessage: Spread;
  /** Of the broker; undefined where it is not ours. */
  readonly brokerMsPerMessage: Spread | undefined;
  readonly latencyP50: Spread;
  readonly latencyP99: Spread;
}

/** The repeats as rows for `producer_metrics.csv` or `consumer_metrics.csv`. */
export function metricsRows(trials: readonly Trial[], side: "producer" | "consumer") {
  return trials.map(({ setting, load, repeat, [side]: figures }): Record<string, Cell> => ({
    setting: nameOf(setting),
    batch_bytes: setting.batchBytes,
    linger_ms: setting.lingerMs,
    compression: setting.compression,
    load,
    repeat,
    messages: figures.messages,
    bytes: figures.bytes,
    seconds: fixed(figures.seconds, 4),
    seconds_per_message: fixed(figures.seconds / figures.messages, 6),
    messages_per_second: fixed(figures.messages / figures.seconds, 1),
    mb_per_second: fixed(figures.bytes / 1e6 / figures.seconds, 2),
    latency_p50_ms: fixed(percentile(figures.latencyMs, 0.5), 2),
    latency_p99_ms: fixed(percentile(figures.latencyMs, 0.99), 2),
    latency_max_ms: fixed(percentile(figures.latencyMs, 1), 2),
    errors: figures.errors,
    lag_frames: figures.lag,
    partition_distribution: figures.distribution.join(" "),
    cpu_seconds: fixed(figures.cpuSeconds, 3),
    cpu_percent: fixed(figures.cpuSeconds / figures.seconds * 100, 1),
    cpu_ms_per_message: fixed(figures.cpuSeconds * 1000 / figures.messages, 3),
    broker_cpu_seconds: figures.brokerSeconds === undefined
      ? undefined
      : fixed(figures.brokerSeconds, 2),
    ...(side === "producer"
      ? {
        batches: figures.batches,
        messages_per_batch: fixed(figures.messages / figures.batches!, 2),
        wire_bytes_per_message: fixed(figures.wireBytes!, 0),
      }
      : {}),
  }));
}

/** What the repeats of each setting come to, in the order in which the settings appear. */
export function summarize(trials: readonly Trial[]): Summary[] {
  const names = [...new Set(trials.map(({ setting }) => nameOf(setting)))];
  return names.map((name) => {
    const all = trials.filter(({ setting }) => nameOf(setting) === name);
    const bursts = all.filter(({ load }) => load === "burst");
    const lives = all.filter(({ load }) => load === "live");
    const { setting, producer } = bursts[0] ?? all[0]!;
    const live = (side: "producer" | "consumer", share: number) =>
      spreadOf(lives.map((trial) => percentile(trial[side].latencyMs, share)));
    return {
      setting,
      name,
      repeats: bursts.length,
      messages: producer.messages,
      frameBytes: producer.bytes / producer.messages,
      wireBytes: producer.wireBytes!,
      framesPerBatch: median(bursts.map(({ producer: p }) => p.messages / p.batches!)),
      producer: sideSummary(bursts.map((trial) => trial.producer)),
      consumer: sideSummary(bursts.map((trial) => trial.consumer)),
      liveAckP50: live("producer", 0.5),
      liveAckP99: live("producer", 0.99),
      liveEndP50: live("consumer", 0.5),
      liveEndP99: live("consumer", 0.99),
      liveLag: Math.max(0, ...lives.map(({ consumer }) => consumer.lag)),
      errors: all.reduce((sum, trial) => sum + trial.producer.errors + trial.consumer.errors, 0),
      unread: bursts.reduce((sum, { consumer }) => sum + consumer.lag, 0),
      distribution: producer.distribution.join(" "),
    };
  });
}

function sideSummary(all: readonly Figures[]): SideSummary {
  const of = (pick: (figures: Figures) => number) => spreadOf(all.map(pick));
  return {
    seconds: of(({ seconds }) => seconds),
    messagesPerSecond: of(({ messages, seconds }) => messages / seconds),
    mbPerSecond: of(({ bytes, seconds }) => bytes / 1e6 / seconds),
    cpuMsPerMessage: of(({ cpuSeconds, messages }) => cpuSeconds * 1000 / messages),
    brokerMsPerMessage: all.some(({ brokerSeconds }) => brokerSeconds === undefined)
      ? undefined
      : of(({ brokerSeconds, messages }) => brokerSeconds! * 1000 / messages),
    latencyP50: of(({ latencyMs }) => percentile(latencyMs, 0.5)),
    latencyP99: of(({ latencyMs }) => percentile(latencyMs, 0.99)),
  };
}

/** The summaries as rows for `kafka_performance_results.csv`. */
export function resultRows(summaries: readonly Summary[]): Record<string, Cell>[] {
  return summaries.map((summary) => {
    const { setting, producer, consumer } = summary;
    return {
      setting: summary.name,
      batch_bytes: setting.batchBytes,
      linger_ms: setting.lingerMs,
      compression: setting.compression,
      repeats: summary.repeats,
      messages: summary.messages,
      frame_bytes: fixed(summary.frameBytes, 0),
      wire_bytes_per_message: fixed(summary.wireBytes, 0),
      messages_per_batch: fixed(summary.framesPerBatch, 2),
      ...sideRow("producer", producer),
      ...sideRow("consumer", consumer),
      ...columns("live_acknowledged_p50_ms", summary.liveAckP50, 2),
      ...columns("live_acknowledged_p99_ms", summary.liveAckP99, 2),
      ...columns("live_end_to_end_p50_ms", summary.liveEndP50, 2),
      ...columns("live_end_to_end_p99_ms", summary.liveEndP99, 2),
      live_lag_max_frames: summary.liveLag,
      lag_at_end_frames: summary.unread,
      errors: summary.errors,
      partition_distribution: summary.distribution,
    };
  });
}

function sideRow(side: string, summary: SideSummary): Record<string, Cell> {
  const { seconds, messagesPerSecond, mbPerSecond, cpuMsPerMessage, brokerMsPerMessage } = summary;
  return {
    ...columns(`${side}_seconds`, seconds, 4),
    [`${side}_seconds_per_message_median`]: fixed(1 / messagesPerSecond.median, 6),
    ...columns(`${side}_messages_per_second`, messagesPerSecond, 1),
    ...columns(`${side}_mb_per_second`, mbPerSecond, 2),
    ...columns(`${side}_latency_p50_ms`, summary.latencyP50, 2),
    ...columns(`${side}_latency_p99_ms`, summary.latencyP99, 2),
    ...columns(`${side}_cpu_ms_per_message`, cpuMsPerMessage, 3),
    [`${side}_broker_cpu_ms_per_message_median`]: brokerMsPerMessage === undefined
      ? undefined
      : fixed(brokerMsPerMessage.median, 3),
  };
}

function columns(name: string, { median, low, high }: Spread, digits: number) {
  return {
    [`${name}_median`]: fixed(median, digits),
    [`${name}_low`]: fixed(low, digits),
    [`${name}_high`]: fixed(high, digits),
  };
}

/** Median and extremes; all NaN of nothing. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) return { median: NaN, low: NaN, high: NaN };
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/**
 * Rows as CSV (RFC 4180): a line of names, then a line for each row, each ended by a line feed.
 *
 * @throws {RangeError} when a row has other columns than the first.
 */
export function csvOf(rows: readonly Readonly<Record<string, Cell>>[]): string {
  const names = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) => {
    if (Object.keys(row).join() !== names.join()) {
      throw new RangeError(
        `Cannot write a table with columns ${
          Object.keys(row)
        }: expected ${names}, as in its first row`,
      );
    }
    return names.map((name) => cellOf(row[name])).join(",");
  });
  return [names.map(cellOf).join(","), ...lines].map((line) => `${line}\n`).join("");
}

/** The main figures for people who read text. */
export function markdownOf(summaries: readonly Summary[]): string {
  const head = [
    "batch bytes / linger ms / compression",
    "frames/s out",
    "frames/s in",
    "CPU ms a frame, out + in",
    "live ms to the consumer, p50 / p99",
    "errors",
  ];
  const range = ({ median, low, high }: Spread) =>
    `${median.toFixed(0)} (${low.toFixed(0)}–${high.toFixed(0)})`;
  const rows = summaries.map((one) => [
    one.name,
    range(one.producer.messagesPerSecond),
    range(one.consumer.messagesPerSecond),
    `${one.producer.cpuMsPerMessage.median.toFixed(2)} + ${
      one.consumer.cpuMsPerMessage.median.toFixed(2)
    }`,
    `${one.liveEndP50.median.toFixed(1)} / ${one.liveEndP99.median.toFixed(1)}`,
    String(one.errors),
  ]);
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join(
    "",
  );
}

function cellOf(cell: Cell): string {
  if (cell === undefined || (typeof cell === "number" && !Number.isFinite(cell))) return "";
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function fixed(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
