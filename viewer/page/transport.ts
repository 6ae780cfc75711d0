// The bar at the bottom: the position in time, and controls to change it.
import { find, set, text } from "./dom.ts";
import { known, momentOfFrame } from "./format.ts";
import { Track, type TrackOptions } from "./track.ts";
import { parseWhen } from "./when.ts";

export interface TransportOptions extends TrackOptions {
  /** The server's clock, epoch milliseconds. */
  readonly now: () => number;
}

export class Transport {
  readonly root = find(document, ".transport", HTMLElement);
  readonly #options: TransportOptions;
  readonly #play = find(this.root, '[data-key=" "]', HTMLElement);
  readonly #speed = find(this.root, ".speed", HTMLSelectElement);
  readonly #moment = find(this.root, ".moment", HTMLElement);
  readonly #offset = find(this.root, ".offset", HTMLElement);
  readonly #jump = find(this.root, ".jump input", HTMLInputElement);
  readonly #live = find(this.root, ".live", HTMLElement);
  readonly #problem = find(this.root, ".problem", HTMLElement);
  readonly #track: Track;

  constructor(options: TransportOptions) {
    this.#options = options;
    const { time } = options;
    this.#speed.addEventListener("change", () => {
      time.speed = Number(this.#speed.value);
      if (time.mode !== "paused") time.play(time.speed);
    });
    this.#track = new Track(options);
    find(this.root, ".jump", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#jumpTo(this.#jump.value);
    });
  }

  update(): void {
    if (this.root.hidden) return;
    const { time, wall } = this.#options;
    const at = wall.place;
    const position = this.#track.dragging ? time.position : at?.timestamp ?? time.position;
    const paused = time.mode === "paused";
    set(this.#play, { title: paused ? "Play (Space)" : "Pause (Space)" });
    set(this.#live, { "aria-pressed": String(time.live) });
    text(this.#moment, known(momentOfFrame, position));
    text(this.#offset, at === undefined ? "" : `offset ${at.offset}`);
    text(this.#problem, time.problem ?? "");
    this.#speed.value = String(time.speed);
    this.#track.update(position);
  }

  #jumpTo(input: string): void {
    const { time, wall, now } = this.#options;
    const when = parseWhen(input, now());
    const lane = wall.place?.lane;
    const understood = when !== undefined && ("time" in when || lane !== undefined);
    set(this.#jump, { "aria-invalid": understood ? undefined : "true" });
    if (!understood) return;
    if ("time" in when) time.jump(when.time);
    else time.seek(lane!, when.offset);
    this.#jump.value = "";
    this.#jump.blur();
  }
}
