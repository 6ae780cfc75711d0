// Formats an evaluation.
import type { Evaluation, RocPoint } from "./metrics.ts";

export interface Report {
  readonly model: { readonly name: string; readonly sha256: string };
  readonly label: string;
  readonly enter: number;
  readonly evaluation: Evaluation;
  readonly sweep: readonly (Evaluation & { readonly threshold: number })[];
  readonly roc: readonly RocPoint[];
  readonly frames: number;
  readonly badFrames: number;
}

export function table(report: Report): string[] {
  const { model, label, enter, evaluation: e, sweep, frames, badFrames } = report;
  const bad = badFrames === 0 ? "" : `, ${badFrames} of them bad`;
  const rows: [string, string][] = [
    ["model", `${model.name} (sha256 ${model.sha256.slice(0, 12)}…)`],
    ["clips", `${e.clips}, of which ${e.positives} ${label}; ${frames} frames${bad}`],
    ["accuracy", `${percent(e.accuracy)} at ${enter}`],
    ["ROC AUC", e.rocAuc.toFixed(3)],
    ["found", `${e.truePositives} of ${e.positives}, ${e.falseNegatives} missed`],
    ["found quiet", `${e.trueNegatives} of ${e.clips - e.positives}`],
    ["alert delay", `p50 ${seconds(e.delayMs.p50)}, p95 ${seconds(e.delayMs.p95)}`],
    [
      "false alerts",
      `${e.falseAlertsPerCameraHour.toFixed(1)} per camera-hour ` +
      `(${e.falseAlerts} in ${e.quietHours.toFixed(2)} hours)`,
    ],
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(14)}${value}`);
  const head = ["enter", "accuracy", "found", "delay p95", "false/hour"];
  const body = sweep.map((one) => [
    one.threshold.toFixed(2),
    percent(one.accuracy),
    `${one.truePositives}/${one.positives}`,
    seconds(one.delayMs.p95),
    one.falseAlertsPerCameraHour.toFixed(1),
  ]);
  const grid = [head, ...body].map((cells) => cells.map((cell) => cell.padStart(11)).join(""));
  return [...lines, "", ...grid];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function seconds(ms: number | null): string {
  return ms === null ? "none" : `${(ms / 1000).toFixed(2)} s`;
}

/** Plots the report: the ROC curve, and false alerts per hour by threshold. */
export function plot({ model, label, evaluation, sweep, roc, enter }: Report): string {
  const left = { x: 60, y: 60, size: 300 };
  const right = { x: 440, y: 60, size: 300 };
  const at = (frame: typeof left, x: number, y: number) =>
    `${(frame.x + x * frame.size).toFixed(1)},${(frame.y + (1 - y) * frame.size).toFixed(1)}`;
  // Each step goes right, then up: values between two thresholds are unknown.
  const curve = roc.map(({ falseAlarmRate, hitRate }) => at(left, falseAlarmRate, hitRate));
  const most = Math.max(1, ...sweep.map((one) => one.falseAlertsPerCameraHour));
  const alarms = sweep.map((one) => at(right, one.threshold, one.falseAlertsPerCameraHour / most));
  const found = sweep.map((one) => at(right, one.threshold, one.truePositives / one.positives));
  const axes = ({ x, y, size }: typeof left) =>
    `<path d="M${x} ${y}V${y + size}H${x + size}" class="axis"/>`;
  const text = (x: number, y: number, words: string, more = "") =>
    `<text x="${x}" y="${y}" ${more}>${escape(words)}</text>`;
  const middle = 'text-anchor="middle"';
  const line = (frame: typeof left, x: number) =>
    `<path d="M${at(frame, x, 0)}L${at(frame, x, 1)}" class="at"/>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 430" width="800" height="430" role="img">` +
    `<style>text{font:13px system-ui,sans-serif;fill:#1c2733}.title{font-size:16px;font-weight:600}` +
    `.axis{fill:none;stroke:#1c2733}.at{stroke:#9aa7b8;stroke-dasharray:4 4}` +
    `.hits{fill:none;stroke:#2f7de1;stroke-width:2}.alarms{fill:none;stroke:#d1495b;stroke-width:2}` +
    `</style><rect width="100%" height="100%" fill="#fff"/>` +
    text(24, 32, `${model.name}: ${label} in ${evaluation.clips} clips`, 'class="title"') +
    axes(left) + `<path d="M${at(left, 0, 0)}L${at(left, 1, 1)}" class="at"/>` +
    `<polyline points="${curve.join(" ")}" class="hits"/>` +
    text(210, 385, "quiet clips with a false alarm", middle) +
    text(210, 54, `found clips (ROC AUC ${evaluation.rocAuc.toFixed(3)})`, middle) +
    text(60, 376, "0", middle) + text(360, 376, "1", middle) + text(48, 66, "1", middle) +
    axes(right) + line(right, enter) +
    `<polyline points="${found.join(" ")}" class="hits"/>` +
    `<polyline points="${alarms.join(" ")}" class="alarms"/>` +
    text(590, 385, "threshold", middle) + text(440, 376, "0", middle) +
    text(740, 376, "1", middle) + text(428, 66, "1", middle) +
    text(752, 66, most.toFixed(most < 10 ? 1 : 0)) +
    text(590, 54, "found clips (blue, left), false alerts per hour (red, right)", middle) +
    `</svg>\n`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
