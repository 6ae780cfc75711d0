// The page's position in time: which pictures belong to it.
import { MAX_STEP, type PictureMessage, type TimeCommand, type TimeView } from "../protocol.ts";
import type { Connection } from "./connection.ts";
import type { Wall } from "./wall.ts";

/** Sends commands one at a time and follows the server's state. */
export class TimeControl {
  readonly #connection: Connection;
  readonly #wall: Pick<Wall, "place" | "lead">;
  readonly #onChange: () => void;
  #view: TimeView = { mode: "live", generation: 0, speed: 1 };
  #sent = 0;
  /** When the view was confirmed, as `performance.now()`. */
  #since = 0;
  /** Waits for the previous command; only the last one counts. */
  #next: (() => TimeCommand | undefined) | undefined;
  /** The command that the server has not answered yet. */
  #asked: TimeCommand | undefined;
  #steps = 0;
  speed = 1;
  /** Whether there is a log to look back into. */
  hasPast = false;

  constructor(
    connection: Connection,
    wall: Pick<Wall, "place" | "lead">,
    onChange: () => void,
  ) {
    this.#connection = connection;
    this.#wall = wall;
    this.#onChange = onChange;
  }

  get mode(): TimeView["mode"] {
    return this.#view.mode;
  }

  get live(): boolean {
    return this.#view.mode === "live";
  }

  get problem(): string | undefined {
    return this.#view.problem;
  }

  /** The frame that the wall is paused at, of its leading lane. */
  get frame(): { lane: string; offset: number } | undefined {
    const { mode, lead, offset } = this.#view;
    if (mode !== "paused") return undefined;
    return lead === undefined || offset === undefined ? this.#wall.place : { lane: lead, offset };
  }

  /** The displayed capture time; undefined when live. */
  get position(): number | undefined {
    const { mode, position, speed } = this.#view;
    if (mode !== "playing" || position === undefined) return position;
    return position + (performance.now() - this.#since) * speed;
  }

  /** Whether a picture belongs to the current position in time. */
  accepts(picture: PictureMessage): boolean {
    return this.#sent === this.#view.generation && picture.generation === this.#view.generation;
  }

  /** Applies the server's state. */
  apply(view: TimeView): void {
    this.#view = view;
    this.#since = performance.now();
    // Live pictures cannot be played faster.
    if (view.mode === "live") this.speed = 1;
    if (view.generation >= this.#sent) {
      this.#sent = view.generation;
      this.#asked = undefined;
    }
    this.#onChange();
    this.#proceed();
  }

  pause(): void {
    const place = this.#wall.place;
    const time = this.position ?? place?.timestamp;
    if (time !== undefined) this.#command(() => ({ action: "pause", time: Math.round(time) }));
  }

  /** Steps some frames forward or back. */
  step(by: number): void {
    this.#command(() => {
      const place = this.#wall.place;
      const steps = Math.max(-MAX_STEP, Math.min(MAX_STEP, this.#steps));
      if (place === undefined || steps === 0) return undefined;
      this.#steps = 0;
      const { lead, offset } = this.#view;
      // The last command's frame may not be on screen yet.
      const from = lead === place.lane && offset !== undefined ? offset : place.offset;
      return { action: "step", lead: place.lane, offset: from, by: steps };
    }, this.#steps + by);
  }

  seek(lead: string, offset: number): void {
    this.#command(() => ({ action: "seek", lead, offset }));
  }

  jump(time: number): void {
    this.#command(() => {
      const lead = this.#wall.lead?.laneId;
      return lead === undefined ? undefined : { action: "jump", lead, time: Math.round(time) };
    });
  }

  play(speed = this.speed): void {
    this.speed = speed;
    this.#command(() => {
      const time = this.position ?? this.#wall.place?.timestamp;
      return time === undefined ? undefined : { action: "play", speed, time: Math.round(time) };
    });
  }

  goLive(): void {
    this.#command(() => ({ action: "live" }));
  }

  toggle(): void {
    if (this.mode === "paused") this.play();
    else this.pause();
  }

  /** Restores the position, or goes where the user has asked to meanwhile: a new connection starts live. */
  reconnected(): void {
    const { mode, lead, offset } = this.#view;
    const { position } = this;
    const asked = this.#asked;
    this.#sent = 0;
    this.#view = { mode: "live", generation: 0, speed: 1 };
    this.#onChange();
    if (asked !== undefined) this.#next ??= () => asked;
    if (this.#next !== undefined) return this.#proceed();
    if (mode === "live" || position === undefined) return;
    if (mode === "paused" && lead !== undefined && offset !== undefined) this.seek(lead, offset);
    else if (mode === "paused") this.jump(position);
    else this.#command(() => ({ action: "play", speed: this.speed, time: Math.round(position) }));
  }

  #command(make: () => TimeCommand | undefined, steps = 0): void {
    this.#next = make;
    this.#steps = steps;
    this.#proceed();
  }

  #proceed(): void {
    if (this.#next === undefined || this.#sent !== this.#view.generation) return;
    const command = this.#next();
    this.#next = undefined;
    if (command === undefined) return;
    this.#asked = command;
    this.#sent = this.#connection.time(command);
  }
}
