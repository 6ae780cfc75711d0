// Plots as SVG text.
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

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const COLOURS = ["#2f7de1", "#e1672f", "#3a9a5b", "#8d5bc4", "#9aa7b8"];

/** A chart of lines over the same values of x, from zero up. */
export function lineChart(
  title: string,
  axes: { readonly x: string; readonly y: string },
  series: readonly Series[],
): string {
  const width = 560, height = 340, left = 64, right = 130, top = 56, bottom = 52;
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))]
    .sort((a, b) => a - b);
  const most = Math.max(...series.flatMap(({ points }) => points.map(([, y]) => y)), 1e-9);
  const x = (value: number) =>
    left + (xs.length < 2 ? 0 : xs.indexOf(value) / (xs.length - 1)) * (width - left - right);
  const y = (value: number) => height - bottom - value / most * (height - top - bottom);
  const digits = most < 10 ? 1 : 0;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    `<path d="M${left} ${y(share * most).toFixed(1)}H${width - right}" stroke="#e3e8ee"/>` +
    `<text x="${left - 8}" y="${(y(share * most) + 4).toFixed(1)}" text-anchor="end">${
      (share * most).toFixed(digits)
    }</text>`
  );
  const ticks = xs.map((value) =>
    `<text x="${x(value).toFixed(1)}" y="${
      height - bottom + 20
    }" text-anchor="middle">${value}</text>`
  );
  const lines = series.map(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const places = points.map(([a, b]) => [x(a).toFixed(1), y(b).toFixed(1)] as const);
    const [endX, endY] = places.at(-1) ?? ["0", "0"];
    return `<path d="M${
      places.map((place) => place.join(" ")).join("L")
    }" fill="none" stroke="${colour}" stroke-width="2"/>` +
      places.map(([a, b]) => `<circle cx="${a}" cy="${b}" r="3.5" fill="${colour}"/>`).join("") +
      `<text x="${Number(endX) + 10}" y="${Number(endY) + 4}" fill="${colour}">${
        escape(name)
      }</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">` +
    `<style>text{font:12px system-ui,sans-serif}.title{font-size:15px;font-weight:600}</style>` +
    `<rect width="100%" height="100%" fill="#fff"/><text x="24" y="30" class="title">${
      escape(title)
    }</text>` + grid.join("") + ticks.join("") +
    `<text x="${(left + width - right) / 2}" y="${height - 12}" text-anchor="middle">${
      escape(axes.x)
    }</text><text x="24" y="48">${escape(axes.y)}</text>` + lines.join("") + "</svg>\n";
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
