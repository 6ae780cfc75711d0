// Formats an evaluation.
import type { Evaluation, RocPoint } from "./metrics.ts";

export interface Report {
  readonly model: { readonly name: string; readonly sha256: string };
  readonly label: string;
  readonly enter: number;
  readonly evaluation: Evaluation;
  readonly roc: readonly RocPoint[];
  readonly frames: number;
  readonly badFrames: number;
}

export function table({ model, label, enter, evaluation: e, frames }: Report): string[] {
  const rows: [string, string][] = [
    ["model", `${model.name} (sha256 ${model.sha256.slice(0, 12)}…)`],
    ["clips", `${e.clips}, of which ${e.positives} ${label}; ${frames} frames`],
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
  return rows.map(([name, value]) => `${name.padEnd(14)}${value}`);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function seconds(ms: number | null): string {
  return ms === null ? "none" : `${(ms / 1000).toFixed(2)} s`;
}

/** Plots the ROC curve. */
export function plot({ model, label, evaluation, roc }: Report): string {
  const at = (x: number, y: number) => `${(60 + 300 * x).toFixed(1)},${(360 - 300 * y).toFixed(1)}`;
  // Each step goes right, then up: values between two thresholds are unknown.
  const curve = roc.map(({ falseAlarmRate, hitRate }) => at(falseAlarmRate, hitRate));
  const text = (x: number, y: number, words: string, more = 'text-anchor="middle"') =>
    `<text x="${x}" y="${y}" ${more}>${escape(words)}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 400" width="420" height="400" role="img">` +
    `<style>text{font:13px system-ui,sans-serif;fill:#1c2733}.title{font-size:16px;font-weight:600}` +
    `.axis{fill:none;stroke:#1c2733}.chance{stroke:#9aa7b8;stroke-dasharray:4 4}` +
    `.hits{fill:none;stroke:#2f7de1;stroke-width:2}` +
    `</style><rect width="100%" height="100%" fill="#fff"/>` +
    text(24, 32, `${model.name}: ${label} in ${evaluation.clips} clips`, 'class="title"') +
    `<path d="M60 60V360H360" class="axis"/>` +
    `<path d="M${at(0, 0)}L${at(1, 1)}" class="chance"/>` +
    `<polyline points="${curve.join(" ")}" class="hits"/>` +
    text(210, 385, "quiet clips with a false alarm") +
    text(210, 54, `found clips (ROC AUC ${evaluation.rocAuc.toFixed(3)})`) +
    text(60, 376, "0") + text(360, 376, "1") + text(48, 66, "1") +
    `</svg>\n`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
