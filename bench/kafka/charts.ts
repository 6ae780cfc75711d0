/**
 * The plots of a sweep as SVG text. Colours come from the page, so that they follow light and dark;
 * what a mark stands for is told when the pointer rests on it.
 *
 * @module
 */

/** A mark's colour: the class of the page that holds it. */
export type Tone = "none" | "gzip" | "snappy" | "lz4" | "zstd" | "other" | "quiet";

/** One value with the repeats behind it. */
export interface BarRow {
  readonly label: string;
  readonly tone: Tone;
  /** Stacked from left to right; one is an ordinary bar. */
  readonly parts: readonly { readonly value: number; readonly name?: string }[];
  /** A whisker from the lowest to the highest. */
  readonly low?: number;
  readonly high?: number;
  /** Stands at the right end; the sum unless given. */
  readonly text?: string;
}

/** A chart of horizontal bars. */
export interface BarChart {
  readonly title: string;
  readonly unit: string;
  readonly rows: readonly BarRow[];
  readonly width: number;
  /** Room for the labels at the left; 0 leaves them out, for a panel beside another. */
  readonly labels: number;
  readonly digits?: number;
  /** Room for the texts at the right; enough for a number unless given. */
  readonly right?: number;
}

/** A value from one to another: half of the frames, and nearly all. */
export interface RangeRow {
  readonly label: string;
  readonly tone: Tone;
  readonly from: number;
  readonly to: number;
}

/** A point of two values. */
export interface Point {
  readonly label: string;
  readonly tone: Tone;
  readonly x: number;
  readonly y: number;
}

const ROW = 34;
const TOP = 40;
const BOTTOM = 44;
const RIGHT = 64;

/** Horizontal bars, one a row, from 0. */
export function barChart(
  { title, unit, rows, width, labels, digits = 0, right = RIGHT }: BarChart,
): string {
  const left = Math.max(labels, 8);
  const most = Math.max(...rows.map(({ parts, high }) => Math.max(total(parts), high ?? 0)));
  const ticks = niceTicks(most, Math.max(2, Math.floor((width - left) / 110)));
  const end = Math.max(ticks.at(-1)!, most);
  const x = (value: number) => left + value / end * (width - left - right);
  const height = TOP + rows.length * ROW + BOTTOM;
  const body = rows.map(({ label, tone, parts, low, high, text }, index) => {
    const y = TOP + index * ROW;
    const middle = y + ROW / 2;
    let at = 0;
    const bars = parts.map(({ value, name }, part) => {
      const begin = at;
      at += value;
      return `<rect class="bar ${tone} part${part}" x="${round(x(begin))}" y="${y + 6}" width="${
        round(Math.max(0.5, x(at) - x(begin)))
      }" height="${ROW - 12}" rx="3"><title>${
        escape(`${label}${name === undefined ? "" : `, ${name}`}: ${tidy(value, digits)} ${unit}`)
      }</title></rect>`;
    }).join("");
    const whisker = low === undefined || high === undefined || low === high
      ? ""
      : `<path class="whisker" d="M${round(x(low))} ${middle}H${round(x(high))}M${round(x(low))} ${
        middle - 4
      }v8M${round(x(high))} ${middle - 4}v8"><title>${
        escape(`${tidy(low, digits)} to ${tidy(high, digits)} ${unit}`)
      }</title></path>`;
    const name = labels === 0
      ? ""
      : `<text class="label" x="${left - 12}" y="${middle + 4}" text-anchor="end">${
        escape(label)
      }</text>`;
    const value = `<text class="value" x="${round(x(Math.max(at, high ?? 0)) + 8)}" y="${
      middle + 4
    }">${escape(text ?? tidy(total(parts), digits))}</text>`;
    return name + bars + whisker + value;
  }).join("");
  return svg(width, height, title, heading(title, unit, left) + grid(ticks, x, height) + body);
}

/** A line from one value to a higher one in each row, on a scale of powers. */
export function rangeChart(
  { title, unit, rows, width, labels }: {
    readonly title: string;
    readonly unit: string;
    readonly rows: readonly RangeRow[];
    readonly width: number;
    readonly labels: number;
  },
): string {
  const left = Math.max(labels, 20);
  const low = Math.min(...rows.map(({ from }) => from));
  const high = Math.max(...rows.map(({ to }) => to));
  const { ticks, at } = powerScale(low, high);
  const x = (value: number) => left + at(value) * (width - left - RIGHT);
  const height = TOP + rows.length * ROW + BOTTOM;
  const body = rows.map(({ label, tone, from, to }, index) => {
    const middle = TOP + index * ROW + ROW / 2;
    const name = labels === 0
      ? ""
      : `<text class="label" x="${left - 12}" y="${middle + 4}" text-anchor="end">${
        escape(label)
      }</text>`;
    return name +
      `<path class="span ${tone}" d="M${round(x(from))} ${middle}H${round(x(to))}"/>` +
      `<circle class="dot ${tone}" cx="${round(x(from))}" cy="${middle}" r="6"><title>${
        escape(`${label}: half within ${tidy(from, 1)} ${unit}`)
      }</title></circle>` +
      `<circle class="ring ${tone}" cx="${round(x(to))}" cy="${middle}" r="5.5"><title>${
        escape(`${label}: 99 of 100 within ${tidy(to, 1)} ${unit}`)
      }</title></circle>` +
      `<text class="value" x="${round(x(to) + 12)}" y="${middle + 4}">${tidy(from, 1)} – ${
        tidy(to, 1)
      }</text>`;
  }).join("");
  return svg(width, height, title, heading(title, unit, left) + grid(ticks, x, height) + body);
}

/** Points by two values, x on a scale of powers, y from 0. */
export function scatter(
  { title, xTitle, yTitle, points, width, height }: {
    readonly title: string;
    readonly xTitle: string;
    readonly yTitle: string;
    readonly points: readonly Point[];
    readonly width: number;
    readonly height: number;
  },
): string {
  const left = 64, right = 40, top = 48, bottom = 56;
  const xs = powerScale(
    Math.min(...points.map((point) => point.x)),
    Math.max(...points.map((point) => point.x)),
  );
  const ticks = niceTicks(Math.max(...points.map((point) => point.y)) * 1.08, 5);
  const most = ticks.at(-1)!;
  const x = (value: number) => left + xs.at(value) * (width - left - right);
  const y = (value: number) => height - bottom - value / most * (height - top - bottom);
  const lines =
    ticks.map((tick) =>
      `<path class="grid" d="M${left} ${round(y(tick))}H${width - right}"/>` +
      `<text class="tick" x="${left - 10}" y="${round(y(tick)) + 4}" text-anchor="end">${
        grouped(tick)
      }</text>`
    ).join("") +
    xs.ticks.map((tick) =>
      `<path class="grid" d="M${round(x(tick))} ${top}V${height - bottom}"/>` +
      `<text class="tick" x="${round(x(tick))}" y="${height - bottom + 20}" text-anchor="middle">${
        grouped(tick)
      }</text>`
    ).join("");
  const titles =
    `<text class="axis" x="${width - right}" y="${height - 12}" text-anchor="end">${
      escape(xTitle)
    }</text>` + `<text class="axis" x="${left}" y="24">${escape(yTitle)}</text>`;
  const places = placeLabels(
    points.map((point) => ({
      x: x(point.x),
      y: y(point.y),
      width: point.label.length * 6.9 + 4,
    })),
    { left, right: width - 6, top: top - 10, bottom: height - bottom },
  );
  const marks = points.map(({ label, tone, x: a, y: b }, index) => {
    const place = places[index]!;
    return `<circle class="dot ${tone}" cx="${round(x(a))}" cy="${round(y(b))}" r="8"><title>${
      escape(`${label}: ${tidy(b, 0)} frames/s, ${tidy(a, 1)} ms`)
    }</title></circle>` +
      `<text class="label" x="${round(place.x)}" y="${
        round(place.y)
      }" text-anchor="${place.anchor}">${escape(label)}</text>`;
  }).join("");
  return svg(width, height, title, lines + titles + marks);
}

type Anchor = "start" | "end" | "middle";

/** Puts each label beside its point where it covers neither another label nor a point. */
function placeLabels(
  points: readonly { readonly x: number; readonly y: number; readonly width: number }[],
  area: {
    readonly left: number;
    readonly right: number;
    readonly top: number;
    readonly bottom: number;
  },
): { x: number; y: number; anchor: Anchor }[] {
  const taken = points.map(({ x, y }) => ({
    left: x - 9,
    right: x + 9,
    top: y - 9,
    bottom: y + 9,
  }));
  return points.map(({ x, y, width }) => {
    const offers: { x: number; y: number; anchor: Anchor }[] = [
      { x: x + 14, y: y + 4, anchor: "start" },
      { x: x - 14, y: y + 4, anchor: "end" },
      ...[1, 2, 3].flatMap((step) => [
        { x, y: y - 4 - 14 * step, anchor: "middle" as const },
        { x, y: y + 10 + 14 * step, anchor: "middle" as const },
        { x: x + 14, y: y + 4 - 14 * step, anchor: "start" as const },
        { x: x + 14, y: y + 4 + 14 * step, anchor: "start" as const },
        { x: x - 14, y: y + 4 - 14 * step, anchor: "end" as const },
        { x: x - 14, y: y + 4 + 14 * step, anchor: "end" as const },
      ]),
    ];
    const boxOf = (offer: typeof offers[number]) => {
      const begin = offer.anchor === "start"
        ? offer.x
        : offer.anchor === "end"
        ? offer.x - width
        : offer.x - width / 2;
      return { left: begin, right: begin + width, top: offer.y - 12, bottom: offer.y + 4 };
    };
    const found = offers.find((offer) => {
      const box = boxOf(offer);
      return box.left >= area.left && box.right <= area.right && box.top >= area.top &&
        box.bottom <= area.bottom &&
        taken.every((other) =>
          box.right < other.left || box.left > other.right || box.bottom < other.top ||
          box.top > other.bottom
        );
    }) ?? offers[0]!;
    taken.push(boxOf(found));
    return found;
  });
}

/** Round steps from 0 to at least nearly the highest value. */
function niceTicks(most: number, count: number): number[] {
  const rough = most / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough)!;
  const ticks: number[] = [];
  for (let index = 0; index * step <= most + step * 0.01; index++) {
    ticks.push(Number((index * step).toPrecision(12)));
  }
  if (ticks.at(-1)! < most * 0.999) ticks.push(Number((ticks.length * step).toPrecision(12)));
  return ticks;
}

/** A scale on which each doubling is as wide as the next; ticks at 1, 2, 5, 10, … */
function powerScale(low: number, high: number) {
  const steps: number[] = [];
  for (let power = -3; power <= 6; power++) {
    for (const digit of [1, 2, 5]) steps.push(Number((digit * 10 ** power).toPrecision(6)));
  }
  const from = steps.findLast((step) => step <= low) ?? steps[0]!;
  const to = steps.find((step) => step >= high) ?? steps.at(-1)!;
  const ticks = steps.filter((step) => step >= from && step <= to);
  const span = Math.log(to / from) || 1;
  return { ticks, at: (value: number) => Math.log(value / from) / span };
}

function grid(ticks: readonly number[], x: (value: number) => number, height: number): string {
  return ticks.map((tick) =>
    `<path class="grid" d="M${round(x(tick))} ${TOP}V${height - BOTTOM + 4}"/>` +
    `<text class="tick" x="${round(x(tick))}" y="${height - BOTTOM + 22}" text-anchor="middle">${
      grouped(tick)
    }</text>`
  ).join("");
}

function heading(title: string, unit: string, left: number): string {
  return `<text class="title" x="${left}" y="20">${escape(title)} <tspan class="unit">${
    escape(unit)
  }</tspan></text>`;
}

function svg(width: number, height: number, title: string, body: string): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${
    escape(title)
  }">${body}</svg>`;
}

function total(parts: readonly { readonly value: number }[]): number {
  return parts.reduce((sum, { value }) => sum + value, 0);
}

function round(value: number): number {
  return Number(value.toFixed(1));
}

function tidy(value: number, digits: number): string {
  return value >= 100 ? grouped(Math.round(value)) : value.toFixed(digits);
}

/** `12,345`: digits in groups of three. */
export function grouped(value: number): string {
  return value.toLocaleString("en-GB", { maximumFractionDigits: 3 });
}

/** Text for HTML, also within quotation marks. */
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
