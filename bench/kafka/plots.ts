/**
 * The plots of a sweep and their legends.
 *
 * @module
 */
import { barChart, type Point, rangeChart, scatter } from "./charts.ts";
import { type ClassicRun, PYTHON_WATCHDOG } from "./classic.ts";
import { bySpeed, costOf, costParts, savedBy } from "./ranking.ts";
import { spreadOf, type Summary } from "./tables.ts";

const WIDE = 1040;
const LABELS = 150;
/** Of two charts beside each other. */
const HALF = 520;
const HALF_LABELS = 140;

/** Frames a second, out and in. */
export function speedCharts(summaries: readonly Summary[]): string {
  const side = (which: "producer" | "consumer", title: string) =>
    barChart({
      title,
      unit: "frames/s",
      width: HALF,
      labels: HALF_LABELS,
      rows: bySpeed(summaries).map((one) => {
        const { median, low, high } = one[which].messagesPerSecond;
        return {
          label: one.name,
          tone: one.setting.compression,
          parts: [{ value: median }],
          low,
          high,
        };
      }),
    });
  return pair(
    side("producer", "Out: published and acknowledged"),
    side("consumer", "In: read"),
  );
}

/** From camera to consumer, of live frames. */
export function latencyChart(summaries: readonly Summary[]): string {
  return rangeChart({
    title: "Handed over until read by the consumer",
    unit: "ms: ● half of the frames, ○ 99 of 100",
    rows: bySpeed(summaries).map((one) => ({
      label: one.name,
      tone: one.setting.compression,
      from: one.liveEndP50.median,
      to: one.liveEndP99.median,
    })),
    width: WIDE,
    labels: LABELS,
  });
}

/** Speed by latency. */
export function tradeOff(summaries: readonly Summary[]): string {
  return scatter({
    title: "Frames a second out, by milliseconds from camera to consumer",
    xTitle: "camera to consumer, 99 of 100 frames, ms",
    yTitle: "frames a second out, as fast as it goes",
    points: summaries.map((one): Point => ({
      label: one.name,
      tone: one.setting.compression,
      x: one.liveEndP99.median,
      y: one.producer.messagesPerSecond.median,
    })),
    width: WIDE,
    height: 460,
  });
}

/** Processor time of a frame. */
export function costChart(summaries: readonly Summary[]): string {
  return barChart({
    title: "Processor time of a frame, out and in",
    unit: "ms",
    width: WIDE,
    labels: LABELS,
    digits: 2,
    right: 130,
    rows: bySpeed(summaries).map((one) => {
      const saved = savedBy(one);
      const sum = costOf(one).toFixed(2);
      return {
        label: one.name,
        tone: one.setting.compression,
        parts: costParts(one),
        text: saved === undefined ? sum : `${sum} · ${saved.toFixed(1)} % smaller`,
      };
    }),
  });
}

/** The classic job, beside the reported figures. */
export function classicCharts(classic: readonly ClassicRun[]): string {
  const out = spreadOf(classic.map((run) => run.out));
  const back = spreadOf(classic.map((run) => run.in));
  const chart = (title: string, ours: typeof out, theirs: number) =>
    barChart({
      title,
      unit: "images/s",
      width: HALF,
      labels: HALF_LABELS,
      rows: [
        {
          label: "Framelane",
          tone: "other",
          parts: [{ value: ours.median }],
          low: ours.low,
          high: ours.high,
        },
        { label: "Python + watchdog", tone: "quiet", parts: [{ value: theirs }] },
      ],
    });
  return pair(chart("Out", out, PYTHON_WATCHDOG.out), chart("In", back, PYTHON_WATCHDOG.in));
}

/** Which colour is which compression. */
export function legend(summaries: readonly Summary[]): string {
  const names = [...new Set(summaries.map(({ setting }) => setting.compression))];
  return names.map((name) => `<span><i class="key ${name}"></i>${name}</span>`).join("");
}

/** Which shade is whose processor time. */
export function costLegend(summaries: readonly Summary[]): string {
  return costParts(summaries[0]!).map(({ name }, part) =>
    `<span><i class="key quiet part${part}"></i>${name}</span>`
  ).join("");
}

/** Two charts beside each other, or below where there is no room. */
function pair(left: string, right: string): string {
  return `<div class="pair"><div>${left}</div><div>${right}</div></div>`;
}
