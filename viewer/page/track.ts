// The track: a part of the recording, the position in it, and its alerts.
import { type AlertView, cameraText, type RangeView } from "../protocol.ts";
import { element, fill, find, set, svg } from "./dom.ts";
import { momentOfFrame, span } from "./format.ts";
import { Preview } from "./preview.ts";
import { tickLabel, tickStep, tickTimes } from "./ticks.ts";
import type { TimeControl } from "./time_control.ts";
import type { Wall } from "./wall.ts";

export interface TrackOptions {
  readonly time: TimeControl;
  readonly wall: Pick<Wall, "place">;
  readonly alerts: () => Iterable<AlertView>;
  readonly onAlert: (alert: AlertView) => void;
}

/** Width of alert bars, CSS pixels. */
const BIN = 4;
/** Interval between requests for the recorded range. */
const RANGE_EVERY_MS = 3_000;

/** A slider over capture time. */
export class Track {
  readonly #options: TrackOptions;
  /** Selects how much of the recording the track shows, milliseconds. */
  readonly #stretch = find(document, ".stretch", HTMLSelectElement);
  readonly #track = find(document, ".track", HTMLElement);
  readonly #ticks = find(document, ".ticks", SVGElement);
  readonly #fill = find(document, ".fill", HTMLElement);
  readonly #gaps = find(document, ".gaps", HTMLElement);
  readonly #head = find(document, ".head", HTMLElement);
  readonly #marks = find(document, ".marks", HTMLElement);
  readonly #preview = new Preview();
  #range: RangeView = { earliest: 0, latest: 0 };
  #rangeFor = "";
  #rangeAt = -Infinity;
  #position: number | undefined;
  /** What the track shows while the pointer drags: it stands still under the pointer. */
  #held: { start: number; end: number } | undefined;

  constructor(options: TrackOptions) {
    this.#options = options;
    this.#stretch.addEventListener("change", () => this.update(this.#position));
    this.#listen();
  }

  get dragging(): boolean {
    return this.#held !== undefined;
  }

  /** Updates the position, a capture time; undefined before the first picture. */
  update(position: number | undefined): void {
    this.#position = position;
    void this.#fetchRange(this.#options.wall.place?.lane);
    const view = this.#stretchAt(position);
    if (view === undefined) return;
    const { start, end } = view;
    const share = (moment: number) => (moment - start) / Math.max(1, end - start);
    const { earliestTime = start, latestTime = end } = this.#range;
    const left = Math.max(0, share(earliestTime));
    this.#fill.style.left = `${left * 100}%`;
    this.#fill.style.width = `${Math.max(0, Math.min(1, share(latestTime)) - left) * 100}%`;
    const now = Math.min(1, Math.max(0, share(position ?? end)));
    this.#head.style.left = `${now * 100}%`;
    set(this.#track, {
      "aria-valuemin": Math.round(start),
      "aria-valuemax": Math.round(end),
      "aria-valuenow": Math.round(Math.min(end, Math.max(start, position ?? end))),
      "aria-valuetext": position === undefined ? "live" : momentOfFrame(position),
    });
    this.#gaps.replaceChildren(...(this.#range.gaps ?? []).map(([from, to]) => {
      const gap = element("div", { class: "gap", title: `No frames for ${span(to - from)}` });
      gap.style.left = `${Math.max(0, share(from)) * 100}%`;
      gap.style.width = `${(Math.min(1, share(to)) - Math.max(0, share(from))) * 100}%`;
      return gap;
    }));
    this.#updateTicks(start, end);
    this.#updateMarks(start, end);
  }

  /** The time range that the track shows. */
  #stretchAt(position: number | undefined): { start: number; end: number } | undefined {
    if (this.#held !== undefined) return this.#held;
    const { earliestTime, latestTime } = this.#range;
    if (earliestTime === undefined || latestTime === undefined) return undefined;
    const length = Number(this.#stretch.value);
    const end = Math.max(latestTime, position ?? 0);
    if (end - earliestTime <= length) return { start: earliestTime, end };
    if (position === undefined || this.#options.time.live) return { start: end - length, end };
    const start = Math.min(Math.max(position - length / 2, earliestTime), end - length);
    return { start, end: start + length };
  }

  #updateTicks(start: number, end: number): void {
    const width = this.#track.clientWidth;
    if (width === 0) return;
    const step = tickStep(end - start, Math.max(2, Math.floor(width / 90)));
    const ticks = tickTimes(start, end, step);
    fill(this.#ticks, [width, ticks[0], step, Math.round((start / step) * 500)], () => {
      const nodes: SVGElement[] = [];
      for (const at of ticks) {
        const x = ((at - start) / (end - start)) * width;
        nodes.push(svg("line", { x1: x, x2: x, y1: 0, y2: 5 }));
        if (x > 26 && x < width - 26) {
          nodes.push(svg("text", { x, y: 15 }, tickLabel(at, step)));
        }
      }
      return nodes;
    });
  }

  /** Shows the density of alerts: a bar every few pixels, higher for more alerts. */
  #updateMarks(start: number, end: number): void {
    const width = this.#marks.clientWidth;
    const bins = Math.max(1, Math.floor(width / BIN));
    const length = Math.max(1, end - start);
    const found = new Map<string, AlertView[]>();
    let most = 1;
    for (const alert of this.#options.alerts()) {
      const { fromTime, toTime, label } = alert;
      if (toTime < start || fromTime > end) continue;
      const bin = (time: number) =>
        Math.min(bins - 1, Math.max(0, Math.floor((time - start) / length * bins)));
      // Motion has its own row: it is so frequent that it would hide the rest.
      const row = label.toLowerCase() === "motion" ? "motion" : "alerts";
      for (let at = bin(fromTime); at <= bin(toTime); at++) {
        const those = found.get(`${row} ${at}`);
        if (those === undefined) found.set(`${row} ${at}`, [alert]);
        else most = Math.max(most, those.push(alert));
      }
    }
    const bars = [...found];
    fill(
      this.#marks,
      [bins, bars.map(([bin, those]) => [bin, those.length])],
      () =>
        bars.map(([where, those]) => {
          const [row, bin] = where.split(" ");
          const first = those[0]!;
          const names = [...new Set(those.map((alert) => `${alert.label}, ${cameraText(alert)}`))];
          const title = names.length > 3 ? `${those.length} alerts` : names.join("; ");
          const mark = element("div", { class: `mark ${row}`, title });
          mark.style.left = `${Number(bin) / bins * 100}%`;
          mark.style.width = `${100 / bins}%`;
          mark.style.height = `${40 + 60 * those.length / most}%`;
          mark.addEventListener("click", () => this.#options.onAlert(first));
          return mark;
        }),
    );
  }

  #listen(): void {
    const { time } = this.#options;
    const track = this.#track;
    const timeAt = (event: PointerEvent) => {
      const view = this.#stretchAt(this.#position);
      const { left, width } = track.getBoundingClientRect();
      if (view === undefined || width === 0) return undefined;
      const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
      return view.start + share * (view.end - view.start);
    };
    const scrub = (event: PointerEvent) => {
      const moment = timeAt(event);
      if (moment !== undefined) time.jump(moment);
    };
    track.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.#held = this.#stretchAt(this.#position);
      track.setPointerCapture(event.pointerId);
      scrub(event);
    });
    track.addEventListener("pointermove", (event) => {
      if (this.dragging) scrub(event);
      const moment = timeAt(event);
      if (moment !== undefined) this.#showPreview(moment, event.clientX);
    });
    const release = () => this.#held = undefined;
    track.addEventListener("pointerup", release);
    track.addEventListener("pointercancel", release);
    track.addEventListener("pointerleave", () => this.#preview.hide());
    track.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[event.key];
      if (by !== undefined) time.step(by);
      else if (event.key === "End") time.goLive();
      else if (event.key === "Home" && this.#range.earliestTime !== undefined) {
        time.jump(this.#range.earliestTime);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  #showPreview(moment: number, clientX: number): void {
    const lane = this.#options.wall.place?.lane;
    if (lane !== undefined) this.#preview.show(lane, moment, clientX);
  }

  async #fetchRange(lane: string | undefined): Promise<void> {
    const now = performance.now();
    if (lane === undefined || !this.#options.time.hasPast) return;
    if (lane === this.#rangeFor && now - this.#rangeAt < RANGE_EVERY_MS) return;
    this.#rangeFor = lane;
    this.#rangeAt = now;
    try {
      const query = new URLSearchParams({ lane });
      const view = this.#stretchAt(this.#position);
      if (view !== undefined && view.start < view.end) {
        query.set("after", String(Math.floor(view.start)));
        query.set("before", String(Math.ceil(view.end)));
      }
      const response = await fetch(`/api/range?${query}`);
      if (!response.ok) return;
      this.#range = await response.json() as RangeView;
      const { earliestTime, latestTime } = this.#range;
      if (earliestTime !== undefined && latestTime !== undefined) {
        this.#track.title = `${span(latestTime - earliestTime)} recorded`;
      }
    } catch {
      this.#rangeAt = -Infinity; // connection lost, which the page already shows
    }
  }
}
