// Measures how well a model raises alerts.
import type { AlertOptions } from "../../queries/operators/alert_options.ts";
import { alerts } from "../../queries/operators/alerts.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import type { Finding } from "../../runtime/mod.ts";
import type { ScoredClip, ScorePoint } from "./score.ts";

/** The results of alerts with certain options on a set of clips. */
export interface Evaluation {
  readonly clips: number;
  readonly positives: number;
  /** Positive clips with an alert in time, and without one. */
  readonly truePositives: number;
  readonly falseNegatives: number;
  /** Negative clips without an alert, and with one. */
  readonly trueNegatives: number;
  readonly falsePositives: number;
  /** Share of clips classified correctly. */
  readonly accuracy: number;
  /** Area under the ROC curve, by the clips' highest smoothed score. */
  readonly rocAuc: number;
  /** From the start of the event to the alert, milliseconds; hits only. */
  readonly delayMs: { readonly p50: number | null; readonly p95: number | null };
  /** Alerts outside events, and the duration without events. */
  readonly falseAlerts: number;
  readonly quietHours: number;
  readonly falseAlertsPerCameraHour: number;
}

export interface RocPoint {
  readonly threshold: number;
  readonly hitRate: number;
  readonly falseAlarmRate: number;
}

interface ClipAlerts {
  /** When the first alert inside the event started, milliseconds after the event's start. */
  readonly delayMs: number | undefined;
  readonly falseAlerts: number;
  readonly quietMs: number;
}

export function evaluate(clips: readonly ScoredClip[], options: AlertOptions): Evaluation {
  const positives = clips.filter(({ positive }) => positive);
  const negatives = clips.filter(({ positive }) => !positive);
  const byClip = new Map(clips.map((clip) => [clip, alertsOf(clip, options)]));
  const hits = positives.filter((clip) => byClip.get(clip)!.delayMs !== undefined);
  const alarms = negatives.filter((clip) => byClip.get(clip)!.falseAlerts > 0);
  const delays = hits.map((clip) => byClip.get(clip)!.delayMs!).sort((a, b) => a - b);
  const falseAlerts = sum([...byClip.values()].map((one) => one.falseAlerts));
  const quietHours = sum([...byClip.values()].map((one) => one.quietMs)) / 3_600_000;
  const right = hits.length + negatives.length - alarms.length;
  return {
    clips: clips.length,
    positives: positives.length,
    truePositives: hits.length,
    falseNegatives: positives.length - hits.length,
    trueNegatives: negatives.length - alarms.length,
    falsePositives: alarms.length,
    accuracy: right / clips.length,
    rocAuc: areaUnder(rocCurve(clips, options)),
    delayMs: { p50: percentile(delays, 0.5), p95: percentile(delays, 0.95) },
    falseAlerts,
    quietHours,
    falseAlertsPerCameraHour: quietHours === 0 ? 0 : falseAlerts / quietHours,
  };
}

function alertsOf(clip: ScoredClip, options: AlertOptions): ClipAlerts {
  const begin = clip.positive ? clip.fromMs ?? 0 : Infinity;
  const end = clip.positive ? clip.toMs ?? Infinity : -Infinity;
  const starts = startsOf(clip.points, options);
  // Windows that still show the event end after it.
  const inside = starts.filter((time) => time >= begin && time <= end + slackOf(clip.points));
  const eventMs = clip.positive
    ? Math.min(end, clip.durationMs) - Math.min(begin, clip.durationMs)
    : 0;
  return {
    delayMs: inside.length === 0 ? undefined : inside[0]! - begin,
    falseAlerts: starts.length - inside.length,
    quietMs: clip.durationMs - eventMs,
  };
}

/** The time until the first score: one window. */
function slackOf(points: readonly ScorePoint[]): number {
  return points[0]?.timestamp ?? 0;
}

export function startsOf(points: readonly ScorePoint[], options: AlertOptions): number[] {
  const task = alerts<Finding>(options).open({
    query: "evaluate",
    topic: "clips",
    partition: 0,
    clock: systemClock,
    signal: new AbortController().signal,
  });
  if (task instanceof Promise) throw new Error("Expected alerts to open synchronously");
  return points.flatMap(({ timestamp, score }, i) => {
    const outputs = task.process({
      topic: "clips",
      partition: 0,
      key: null,
      firstOffset: i,
      lastOffset: i,
      timestamp,
      result: { scores: { [options.label]: score } },
    });
    if (outputs instanceof Promise) throw new Error("Expected alerts to process synchronously");
    return outputs.filter(({ result }) => result.alert?.state === "start")
      .map(({ timestamp }) => timestamp);
  });
}

/** The highest smoothed score of a clip: the highest threshold at which it raises an alert. */
function highest({ points }: ScoredClip, { smoothing = 0 }: AlertOptions): number {
  let smoothed: number | undefined, most = 0;
  for (const { score } of points) {
    smoothed = smoothed === undefined ? score : smoothing * smoothed + (1 - smoothing) * score;
    most = Math.max(most, smoothed);
  }
  return most;
}

/** The probability that a positive clip scores higher than a negative one; a tie counts half. */
function areaUnder(curve: readonly RocPoint[]): number {
  return sum(
    curve.slice(1).map(({ hitRate, falseAlarmRate }, i) => {
      const before = curve[i]!;
      return (falseAlarmRate - before.falseAlarmRate) * (hitRate + before.hitRate) / 2;
    }),
  );
}

/** Hits and false alarms of clips at every relevant threshold. */
export function rocCurve(clips: readonly ScoredClip[], options: AlertOptions): RocPoint[] {
  const scored = clips.map((clip) => [highest(clip, options), clip.positive] as const);
  const thresholds = [...new Set(scored.map(([score]) => score))].sort((a, b) => b - a);
  const share = (threshold: number, isPositive: boolean) => {
    const own = scored.filter(([, positive]) => positive === isPositive);
    return own.filter(([score]) => score >= threshold).length / own.length;
  };
  return [Infinity, ...thresholds].map((threshold) => ({
    threshold,
    hitRate: share(threshold, true),
    falseAlarmRate: share(threshold, false),
  }));
}

/** Evaluates several thresholds. */
export function sweep(
  clips: readonly ScoredClip[],
  options: AlertOptions,
  thresholds: readonly number[],
): (Evaluation & { readonly threshold: number })[] {
  // Keep the distance from enter to exit, as far as possible.
  const { enter = 0.6, exit = Math.min(0.4, enter) } = options;
  return thresholds.map((threshold) => ({
    threshold,
    ...evaluate(clips, {
      ...options,
      enter: threshold,
      exit: Math.max(0, threshold - (enter - exit)),
    }),
  }));
}

function percentile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
