/**
 * Plots as SVG text.
 *
 * @module
 */
import { median } from "./stats.ts";

/** A bar: its middle, and a whisker from the lowest to the highest value. */
export interface Bar {
  readonly name: string;
  readonly values: readonly number[];
}

/** A chart of horizontal bars. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const width = 760, left = 170, right = 90, row = 34, top = 56;
  const most = Math.max(...bars.flatMap(({ values }) => values), 1);
  const x = (value: number) => left + value / most * (width - left - right);
  const rows = bars.map(({ name, values }, index) => {
    const y = top + index * row;
    const middle = median(values), low = Math.min(...values), high = Math.max(...values);
    return `<text x="${left - 12}" y="${y + 15}" text-anchor="end">${escape(name)}</text>` +
      `<rect x="${left}" y="${y}" width="${
        (x(middle) - left).toFixed(1)
      }" height="20" rx="3" fill="${index === 0 ? "#2f7de1" : "#9aa7b8"}"/>` +
      `<path d="M${x(low).toFixed(1)} ${y + 10}H${
        x(high).toFixed(1)
      }" stroke="#1c2733" stroke-width="1.5"/>` +
      `<text x="${(x(high) + 8).toFixed(1)}" y="${y + 15}" class="value">${
        middle.toFixed(0)
      }</text>`;
  });
  const height = top + bars.length * row + 16;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">` +
    `<style>text{font:13px system-ui,sans-serif;fill:#1c2733}.title{font-size:16px;font-weight:600}.value{font-weight:600}</style>` +
    `<rect width="100%" height="100%" fill="#fff"/><text x="24" y="32" class="title">${
      escape(title)
    }</text>` +
    rows.join("") + "</svg>\n";
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
