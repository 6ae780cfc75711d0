/**
 * The bar at the bottom: where in time the wall is, and the ways through it.
 *
 * @module
 */
import { type AlertView, type RangeView, SPEEDS } from "../protocol.ts";
import { element, icon, iconButton, set, svg, text } from "./dom.ts";
import { clock, moment, span } from "./format.ts";
import type { Place, TimeControl } from "./time_control.ts";
import { parseWhen } from "./when.ts";

/** What the bar needs to know. */
export interface TransportOptions {
  readonly time: TimeControl;
  readonly place: () => Place | undefined;
  readonly alerts: () => Iterable<AlertView>;
  /** The server's clock, epoch milliseconds. */
  readonly now: () => number;
  readonly onAlert: (alert: AlertView) => void;
  readonly onClip: () => void;
}

const WINDOWS: readonly (readonly [string, number])[] = [
  ["All", Infinity],
  ["6 h", 6 * 3_600_000],
  ["1 h", 3_600_000],
  ["10 min", 600_000],
  ["1 min", 60_000],
];
const RANGE_EVERY_MS = 2_000;
const PREVIEW_WIDTH = 160;

/** The bar. */
export class Transport {
  readonly root = element("section", { class: "transport", "aria-label": "Time" });
  readonly #options: TransportOptions;
  readonly #play: HTMLButtonElement;
  readonly #speed = element("select", { "aria-label": "Speed", title: "Speed" });
  readonly #moment = element("output", { class: "moment" });
  readonly #offset = element("span", { class: "offset muted" });
  readonly #track = element("div", {
    class: "track",
    role: "slider",
    tabindex: 0,
    "aria-label": "Position in the recording",
    "aria-valuemin": 0,
    "aria-valuemax": 0,
    "aria-valuenow": 0,
  });
  readonly #ticks = svg("svg", { class: "ticks", "aria-hidden": "true" });
  readonly #fill = element("div", { class: "fill" });
  readonly #head = element("div", { class: "head" });
  readonly #marks = element("div", { class: "marks", "aria-hidden": "true" });
  readonly #preview = element("img", { alt: "", width: PREVIEW_WIDTH });
  readonly #hoverTime = element("span");
  readonly #hover = element(
    "div",
    { class: "hover", hidden: true, "aria-hidden": "true" },
    this.#preview,
    this.#hoverTime,
  );
  readonly #window = element("select", { "aria-label": "Part of the recording", title: "Window" });
  readonly #jump = element("input", {
    placeholder: "14:03:22 or offset",
    "aria-label": "Jump to a time or an offset",
    autocomplete: "off",
    spellcheck: "false",
  });
  readonly #live = element("button", { type: "button", class: "button live" }, "Live");
  readonly #problem = element("p", { class: "problem", role: "status" });
  /** True when there is a log to look back into. */
  enabled = false;
  #range: RangeView = { earliest: 0, latest: 0 };
  #rangeFor = "";
  #rangeAt = -Infinity;
  #dragging = false;
  #previewing = false;
  #hovered: number | undefined;
  #marksFor = "";

  constructor(options: TransportOptions) {
    this.#options = options;
    const { time } = options;
    this.#play = iconButton("pause", "Pause (Space)", () => time.toggle());
    this.#speed.append(
      ...SPEEDS.map((speed) =>
        element(
          "option",
          { value: speed, selected: speed === 1 },
          `${speed === 0.5 ? "½" : speed}×`,
        )
      ),
    );
    this.#speed.addEventListener("change", () => {
      time.speed = Number(this.#speed.value);
      if (time.mode !== "paused") time.play(time.speed);
    });
    this.#window.append(
      ...WINDOWS.map(([label], index) => element("option", { value: index }, label)),
    );
    this.#window.addEventListener("change", () => this.update());
    this.#live.prepend(element("i", { class: "state" }));
    this.#live.addEventListener("click", () => time.goLive());
    const form = element("form", { class: "jump" }, this.#jump);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#jumpTo(this.#jump.value);
    });
    this.#track.append(this.#ticks, this.#fill, this.#head);
    this.root.append(
      element(
        "div",
        { class: "controls" },
        iconButton("back", "One frame back (,)", () => time.step(-1)),
        this.#play,
        iconButton("forward", "One frame on (.)", () => time.step(1)),
        this.#speed,
        element("div", { class: "where" }, this.#moment, this.#offset),
      ),
      element("div", { class: "rail" }, this.#track, this.#marks, this.#hover),
      element(
        "div",
        { class: "controls" },
        this.#window,
        form,
        iconButton("download", "Download a clip (C)", options.onClip),
        this.#live,
      ),
      this.#problem,
    );
    this.#listen();
  }

  /** Shows where the page is. */
  update(): void {
    if (this.root.hidden) return;
    const { time, place } = this.#options;
    const at = place();
    void this.#fetchRange(at?.lane);
    const shown = at?.timestamp;
    const position = this.#dragging ? time.position : shown ?? time.position;
    const paused = time.mode === "paused";
    if (this.#play.dataset["shows"] !== String(paused)) {
      this.#play.dataset["shows"] = String(paused);
      this.#play.replaceChildren(icon(paused ? "play" : "pause"));
      const label = paused ? "Play (Space)" : "Pause (Space)";
      set(this.#play, { "aria-label": label, title: label });
    }
    set(this.#live, { "aria-pressed": String(time.live) });
    text(this.#moment, position === undefined ? "–" : momentOf(position));
    text(this.#offset, at === undefined ? "" : `offset ${at.offset}`);
    text(this.#problem, time.problem ?? "");
    this.#problem.hidden = time.problem === undefined;
    this.#speed.value = String(time.speed);
    this.#updateTrack(position);
  }

  #updateTrack(position: number | undefined): void {
    const view = this.#view(position);
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
      "aria-valuetext": position === undefined ? "live" : momentOf(position),
    });
    this.#updateTicks(start, end);
    this.#updateMarks(start, end);
  }

  /** The stretch of time that the track stands for. */
  #view(position: number | undefined): { start: number; end: number } | undefined {
    const { earliestTime, latestTime } = this.#range;
    if (earliestTime === undefined || latestTime === undefined) return undefined;
    const length = WINDOWS[Number(this.#window.value)]![1];
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
    const first = Math.ceil(start / step) * step;
    const key = `${width} ${first} ${step} ${Math.round((start / step) * 500)}`;
    if (this.#ticks.dataset["key"] === key) return;
    this.#ticks.dataset["key"] = key;
    const nodes: SVGElement[] = [];
    for (let at = first; at <= end; at += step) {
      const x = ((at - start) / (end - start)) * width;
      nodes.push(svg("line", { x1: x, x2: x, y1: 0, y2: 5 }));
      if (x > 26 && x < width - 26) {
        nodes.push(svg("text", { x, y: 15 }, step < 60_000 ? clock(at) : clock(at).slice(0, 5)));
      }
    }
    this.#ticks.replaceChildren(...nodes);
  }

  #updateMarks(start: number, end: number): void {
    const visible = [...this.#options.alerts()]
      .filter(({ fromTime, toTime }) => toTime >= start && fromTime <= end).slice(-200);
    const key = JSON.stringify([
      visible.map(({ id, toTime }) => [id, toTime]),
      Math.round(start / (end - start) * 400),
      Math.round(end / (end - start) * 400),
    ]);
    if (key === this.#marksFor) return;
    this.#marksFor = key;
    this.#marks.replaceChildren(...visible.map((alert) => {
      const left = Math.max(0, (alert.fromTime - start) / (end - start));
      const right = Math.min(1, (alert.toTime - start) / (end - start));
      const mark = element("div", { class: "mark", title: `${alert.label}, ${alert.camera}` });
      mark.style.left = `${left * 100}%`;
      mark.style.width = `max(4px, ${(right - left) * 100}%)`;
      mark.addEventListener("click", () => this.#options.onAlert(alert));
      return mark;
    }));
  }

  #listen(): void {
    const { time } = this.#options;
    const track = this.#track;
    const timeAt = (event: PointerEvent) => {
      const view = this.#view(time.position ?? this.#options.place()?.timestamp);
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
      this.#dragging = true;
      track.setPointerCapture(event.pointerId);
      scrub(event);
    });
    track.addEventListener("pointermove", (event) => {
      if (this.#dragging) scrub(event);
      const moment = timeAt(event);
      if (moment !== undefined) this.#showHover(moment, event.clientX);
    });
    const release = () => this.#dragging = false;
    track.addEventListener("pointerup", release);
    track.addEventListener("pointercancel", release);
    track.addEventListener("pointerleave", () => {
      this.#hover.hidden = true;
      this.#hovered = undefined;
    });
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

  #showHover(moment: number, clientX: number): void {
    const rail = this.#track.getBoundingClientRect();
    const half = PREVIEW_WIDTH / 2 + 8;
    const x = Math.min(Math.max(clientX - rail.left, half), Math.max(half, rail.width - half));
    this.#hover.style.left = `${x}px`;
    this.#hover.hidden = false;
    text(this.#hoverTime, momentOf(moment).slice(11));
    this.#hovered = moment;
    void this.#loadPreview();
  }

  /** One preview at a time, of wherever the pointer is by then. */
  async #loadPreview(): Promise<void> {
    const lane = this.#options.place()?.lane;
    if (this.#previewing || lane === undefined) return;
    this.#previewing = true;
    while (this.#hovered !== undefined) {
      const time = Math.round(this.#hovered);
      const query = new URLSearchParams({ lane, time: String(time), width: String(PREVIEW_WIDTH) });
      const image = new Image();
      image.src = `/api/frame?${query}`;
      try {
        await image.decode();
        this.#preview.src = image.src;
      } catch {
        this.#preview.removeAttribute("src"); // nothing was recorded there
      }
      if (this.#hovered === undefined || Math.round(this.#hovered) === time) break;
    }
    this.#previewing = false;
  }

  #jumpTo(input: string): void {
    const { time, place, now } = this.#options;
    const when = parseWhen(input, now());
    const lane = place()?.lane;
    const understood = when !== undefined && ("time" in when || lane !== undefined);
    set(this.#jump, { "aria-invalid": understood ? undefined : "true" });
    if (!understood) return;
    if ("time" in when) time.jump(when.time);
    else time.seek(lane!, when.offset);
    this.#jump.value = "";
    this.#jump.blur();
  }

  async #fetchRange(lane: string | undefined): Promise<void> {
    const now = performance.now();
    if (lane === undefined || !this.enabled) return;
    if (lane === this.#rangeFor && now - this.#rangeAt < RANGE_EVERY_MS) return;
    this.#rangeFor = lane;
    this.#rangeAt = now;
    try {
      const response = await fetch(`/api/range?${new URLSearchParams({ lane })}`);
      if (!response.ok) return;
      this.#range = await response.json() as RangeView;
      const { earliestTime, latestTime } = this.#range;
      if (earliestTime !== undefined && latestTime !== undefined) {
        this.#track.title = `${span(latestTime - earliestTime)} recorded`;
      }
    } catch {
      this.#rangeAt = -Infinity; // the connection is lost: the page says so already
    }
  }
}

/** With milliseconds: frames are closer together than seconds. */
function momentOf(time: number): string {
  return `${moment(time)}.${String(Math.floor(time) % 1_000).padStart(3, "0")}`;
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400];

/** A round distance between ticks, so that there are at most `most` of them. */
function tickStep(length: number, most: number): number {
  for (const seconds of STEPS) if (length / (seconds * 1_000) <= most) return seconds * 1_000;
  return Math.ceil(length / most / 86_400_000) * 86_400_000;
}
