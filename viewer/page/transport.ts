// The bar at the bottom: the position in time, and controls to change it.
import { SPEEDS } from "../protocol.ts";
import { element, icon, iconButton, set, text } from "./dom.ts";
import { momentOfFrame } from "./format.ts";
import { Track, type TrackOptions } from "./track.ts";
import { parseWhen } from "./when.ts";

export interface TransportOptions extends TrackOptions {
  /** The server's clock, epoch milliseconds. */
  readonly now: () => number;
  readonly onClip: () => void;
}

export class Transport {
  readonly root = element("section", { class: "transport", "aria-label": "Time" });
  readonly #options: TransportOptions;
  readonly #play: HTMLButtonElement;
  readonly #speed = element("select", { "aria-label": "Speed", title: "Speed" });
  readonly #moment = element("output", { class: "moment" });
  readonly #offset = element("span", { class: "offset muted" });
  readonly #jump = element("input", {
    placeholder: "14:03:22 or offset",
    "aria-label": "Jump to a time or an offset",
    autocomplete: "off",
    spellcheck: "false",
  });
  readonly #live = element("button", { type: "button", class: "button live" }, "Live");
  readonly #problem = element("p", { class: "problem", role: "status" });
  readonly #track: Track;

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
    this.#track = new Track(options);
    this.#live.prepend(element("i", { class: "state" }));
    this.#live.addEventListener("click", () => time.goLive());
    const form = element("form", { class: "jump" }, this.#jump);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#jumpTo(this.#jump.value);
    });
    this.root.append(
      element(
        "div",
        { class: "controls" },
        iconButton("back", "One frame back (,)", () => time.step(-1)),
        this.#play,
        iconButton("forward", "One frame forward (.)", () => time.step(1)),
        this.#speed,
        element("div", { class: "where" }, this.#moment, this.#offset),
      ),
      this.#track.root,
      element(
        "div",
        { class: "controls" },
        this.#track.stretch,
        form,
        iconButton("download", "Download a clip (C)", options.onClip),
        this.#live,
      ),
      this.#problem,
    );
  }

  /** Whether there is a log to look back into. */
  set enabled(enabled: boolean) {
    this.#track.enabled = enabled;
  }

  /** Updates the position. */
  update(): void {
    if (this.root.hidden) return;
    const { time, place } = this.#options;
    const at = place();
    const position = this.#track.dragging ? time.position : at?.timestamp ?? time.position;
    const paused = time.mode === "paused";
    if (this.#play.dataset["shows"] !== String(paused)) {
      this.#play.dataset["shows"] = String(paused);
      this.#play.replaceChildren(icon(paused ? "play" : "pause"));
      const label = paused ? "Play (Space)" : "Pause (Space)";
      set(this.#play, { "aria-label": label, title: label });
    }
    set(this.#live, { "aria-pressed": String(time.live) });
    text(this.#moment, position === undefined ? "–" : momentOfFrame(position));
    text(this.#offset, at === undefined ? "" : `offset ${at.offset}`);
    text(this.#problem, time.problem ?? "");
    this.#problem.hidden = time.problem === undefined;
    this.#speed.value = String(time.speed);
    this.#track.update(position);
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
}
