// The panel with a lane's details, beside its picture.
import { cameraTitle, type LaneView } from "../protocol.ts";
import { Chart } from "./chart.ts";
import { conditionOf } from "./condition.ts";
import { element, fill, find, set, showFacts, text } from "./dom.ts";
import { count, duration, frames, known, moment, rate, span } from "./format.ts";
import { type Sample, SAMPLES } from "./stats.ts";

/** Facts shown in the operator's view. */
const OPERATORS = new Set(["Captured", "Camera", "Place"]);

export class Panel {
  readonly #root = find(document, ".panel", HTMLElement);
  readonly #onLane: (lane: string) => void;
  readonly #title = find(this.#root, "h2", HTMLElement);
  readonly #condition = find(this.#root, ".condition", HTMLElement);
  readonly #views = find(this.#root, ".segments", HTMLElement);
  readonly #exception = find(this.#root, ".exception", HTMLElement);
  readonly #rates = new Chart(find(this.#root, ".rates", HTMLElement));
  readonly #latency = new Chart(find(this.#root, ".latencies", HTMLElement));
  readonly #lag = new Chart(find(this.#root, ".lags", HTMLElement));
  readonly #facts = find(this.#root, ".facts", HTMLElement);
  readonly #details = find(this.#root, ".details", HTMLElement);
  readonly #stream = find(this.#root, ".stream", HTMLElement);
  readonly #snapshot = find(this.#root, ".snapshot", HTMLElement);

  /** @param onLane called with the lane that the user chooses */
  constructor(onLane: (lane: string) => void) {
    this.#onLane = onLane;
  }

  /** Shows a lane. `others` are all lanes of its partition, `now` is the server's clock. */
  update(
    lane: LaneView,
    others: readonly LaneView[],
    samples: readonly Sample[],
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
    text(this.#exception, lane.exception ?? "");
    this.#updateViews(lane, others);
    this.#rates.update(samples.map(({ rates }) => rates), rate, SAMPLES);
    this.#latency.update(samples.map(({ latencies }) => latencies), duration, SAMPLES);
    this.#lag.update(samples.map(({ lag }) => [lag]), count, SAMPLES);
    showFacts(this.#facts, [
      ["Picture", shown?.size ?? "–"],
      ["Captured", known(moment, shown?.timestamp)],
      ["Capture to screen", known(duration, shown?.ageMs)],
      ["Offset", known(String, shown?.offset)],
      ["Dropped", frames(lane.dropped)],
      ["Dead letters", frames(lane.deadLettered)],
      ["Gaps", frames(lane.gaps)],
      ["Restarts", count(lane.restarts)],
      ["Last commit", known((commit) => `${span(now - commit)} ago`, lane.lastCommit)],
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
    this.#views.hidden = others.length < 2;
    const views = others.map(({ id, query }) => ({ id, query, shown: id === lane.id }));
    fill(this.#views, views, () =>
      views.map(({ id, query, shown }) => {
        const attributes = { type: "button", "aria-pressed": String(shown) };
        const button = element("button", attributes, query === "raw" ? "Raw" : query);
        button.addEventListener("click", () => this.#onLane(id));
        return button;
      }));
  }
}
