// The panel with a lane's details, beside its picture.
import { cameraTitle, type LaneView } from "../protocol.ts";
import { drawLine, type Series } from "./chart.ts";
import { conditionOf } from "./condition.ts";
import { element, iconButton, set, showFacts, text } from "./dom.ts";
import { count, duration, frames, moment, rate, span } from "./format.ts";
import type { LaneStats } from "./stats.ts";

export interface PanelEvents {
  readonly onClose: () => void;
  readonly onLane: (lane: string) => void;
}

/** Facts shown in the operator's view. */
const OPERATORS = new Set(["Captured", "Camera", "Place"]);

/** One chart with a heading, values and lines. */
class Chart {
  readonly root: HTMLElement;
  readonly #canvas = element("canvas", { "aria-hidden": "true" });
  readonly #values: HTMLElement[];

  constructor(title: string, names: readonly string[]) {
    this.#values = names.map(() => element("b"));
    this.root = element(
      "figure",
      { class: "chart" },
      element(
        "figcaption",
        {},
        element("span", { class: "title" }, title),
        ...names.map((name, index) =>
          element("span", { class: `value value-${index}` }, name, " ", this.#values[index]!)
        ),
      ),
      this.#canvas,
    );
  }

  update(series: readonly Series[], values: readonly string[], colors: readonly string[]): void {
    values.forEach((value, index) => text(this.#values[index]!, value));
    const max = Math.max(...series.map((each) => each.max()));
    series.forEach((each, index) =>
      drawLine(this.#canvas, each, { color: colors[index]!, max, fill: index === 0 }, index === 0)
    );
  }
}

export class Panel {
  readonly root = element("aside", { class: "panel", "aria-label": "About this camera" });
  readonly #events: PanelEvents;
  readonly #title = element("h2");
  readonly #condition = element("span", { class: "condition" });
  readonly #views = element("div", { class: "segments", role: "group", "aria-label": "Shown" });
  readonly #exception = element("p", { class: "exception" });
  readonly #rates = new Chart("Frames per second", ["in", "out"]);
  readonly #latency = new Chart("Latency", ["p50", "p99"]);
  readonly #lag = new Chart("Lag", ["frames"]);
  readonly #facts = element("dl", { class: "facts" });
  readonly #details = element("a", { class: "button" }, "Query details");
  readonly #stream = element("a", { class: "button", target: "_blank", rel: "noopener" }, "MJPEG");
  readonly #snapshot = element(
    "a",
    { class: "button", target: "_blank", rel: "noopener" },
    "Snapshot",
  );
  #viewsFor = "";

  constructor(events: PanelEvents) {
    this.#events = events;
    this.root.append(
      element(
        "header",
        {},
        element("div", {}, this.#title, this.#condition),
        iconButton("close", "Back to the wall (Esc)", events.onClose),
      ),
      this.#views,
      this.#exception,
      this.#rates.root,
      this.#latency.root,
      this.#lag.root,
      this.#facts,
      element("div", { class: "links" }, this.#details, this.#stream, this.#snapshot),
    );
  }

  /** Shows a lane. `others` are all lanes of its partition, `now` is the server's clock. */
  update(
    lane: LaneView,
    others: readonly LaneView[],
    stats: LaneStats,
    shown:
      | { offset: number; timestamp: number; size: string; ageMs: number | undefined }
      | undefined,
    now: number,
  ): void {
    const condition = conditionOf(lane);
    text(this.#title, cameraTitle(lane).title);
    // Beside a past picture, "live" would be misleading.
    const past = shown !== undefined && shown.ageMs === undefined && condition === "live";
    set(this.#condition, { "data-condition": past ? "past" : condition });
    text(this.#condition, past ? "looking back" : condition);
    this.#exception.hidden = lane.exception === undefined;
    text(this.#exception, lane.exception ?? "");
    this.#updateViews(lane, others);
    const style = getComputedStyle(this.root);
    const colors = [style.getPropertyValue("--spark"), style.getPropertyValue("--spark-2")];
    this.#rates.update([stats.framesIn, stats.framesOut], [
      rate(lane.framesPerSecondIn),
      rate(lane.framesPerSecondOut),
    ], colors);
    this.#latency.update([stats.latencyP50, stats.latencyP99], [
      lane.latencyP50Ms === undefined ? "–" : duration(lane.latencyP50Ms),
      lane.latencyP99Ms === undefined ? "–" : duration(lane.latencyP99Ms),
    ], colors);
    this.#lag.update([stats.lag], [count(lane.lagFrames)], colors);
    showFacts(this.#facts, [
      ["Picture", shown?.size ?? "–"],
      ["Captured", shown === undefined ? "–" : moment(shown.timestamp)],
      ["Capture to screen", shown?.ageMs === undefined ? "–" : duration(shown.ageMs)],
      ["Offset", shown === undefined ? "–" : String(shown.offset)],
      ["Dropped", frames(lane.dropped)],
      ["Dead letters", frames(lane.deadLettered)],
      ["Gaps", frames(lane.gaps)],
      ["Restarts", count(lane.restarts)],
      ["Last commit", lane.lastCommit === undefined ? "–" : `${span(now - lane.lastCommit)} ago`],
      ["Camera", `CAMERA-${lane.partition + 1}`],
      ["Place", lane.place ?? "–"],
      ["Partition", `${lane.topic} / ${lane.partition}`],
    ], (name) => OPERATORS.has(name) ? {} : { class: "engineering" });
    this.#details.hidden = lane.query === "raw";
    set(this.#details, { href: `/queries/${encodeURIComponent(lane.id)}` });
    const camera = lane.partition + 1;
    const query = new URLSearchParams({ query: lane.query, topic: lane.topic });
    set(this.#stream, { href: `/cam/${camera}?${query}` });
    set(this.#snapshot, { href: `/cam/${camera}.jpg?${query}` });
  }

  #updateViews(lane: LaneView, others: readonly LaneView[]): void {
    const known = JSON.stringify([lane.id, others.map(({ id }) => id)]);
    if (known === this.#viewsFor) return;
    this.#viewsFor = known;
    this.#views.hidden = others.length < 2;
    this.#views.replaceChildren(...others.map((other) => {
      const button = element(
        "button",
        { type: "button", "aria-pressed": String(other.id === lane.id) },
        other.query === "raw" ? "Raw" : other.query,
      );
      button.addEventListener("click", () => this.#events.onLane(other.id));
      return button;
    }));
  }
}
