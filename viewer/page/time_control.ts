// The page's position in time: which pictures belong to it.
import { MAX_STEP, type PictureMessage, type TimeCommand, type TimeView } from "../protocol.ts";

/** A command that cannot be carried out for this long is given up, milliseconds. */
const PATIENCE_MS = 60_000;

/** A frame of a lane. */
export interface Place {
  readonly lane: string;
  readonly offset: number;
  readonly timestamp: number;
}

/** The wall's leading lane, and the frame that it shows. */
interface Leading {
  readonly lead: { readonly laneId: string } | undefined;
  readonly place: Place | undefined;
}

/** What the user wants: it waits for the previous command, the connection and its lane. */
interface Wanted {
  readonly command: () => TimeCommand | undefined;
  /** The frame that it leads to, where that is known. */
  readonly frame?: { readonly lane: string; readonly offset: number };
  /** Frames to step forward, or back, from where the command before it leads. */
  readonly steps?: number;
  /** As `performance.now()`. */
  readonly until: number;
}

/** Sends commands one at a time and follows the server's state. */
export class TimeControl {
  readonly #send: (command: TimeCommand) => number;
  readonly #wall: Leading;
  readonly #onChange: () => void;
  #view: TimeView = { mode: "live", generation: 0, speed: 1 };
  #sent = 0;
  /** The last command that does not depend on others, and the steps from there. */
  #queue: readonly Wanted[] = [];
  /** What the server has not answered yet. */
  #asked: Wanted | undefined;
  /** Lanes that the server knows: after its start they come one by one. */
  #lanes: ReadonlySet<string> = new Set();
  speed = 1;
  /** Whether there is a log to look back into. */
  hasPast = false;

  /** @param send returns the generation of the pictures that answer a command */
  constructor(send: (command: TimeCommand) => number, wall: Leading, onChange: () => void) {
    this.#send = send;
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

  /** The frame that the wall is paused at or goes to, of its leading lane. */
  get frame(): Wanted["frame"] {
    const wanted = this.#queue.find(({ steps }) => steps === undefined) ?? this.#asked;
    if (wanted?.frame !== undefined) return wanted.frame;
    const { mode, lead, offset } = this.#view;
    if (mode !== "paused") return undefined;
    return lead === undefined || offset === undefined ? this.#wall.place : { lane: lead, offset };
  }

  /** The capture time where it is paused, or began to play; undefined when live. */
  get position(): number | undefined {
    return this.#view.position;
  }

  /** The capture time that the wall shows: the server knows better while it plays. */
  get #time(): number | undefined {
    const { mode, position } = this.#view;
    const shown = this.#wall.place?.timestamp;
    return mode === "paused" ? position ?? shown : shown ?? position;
  }

  /** Whether a picture belongs to the current position in time. */
  accepts(picture: PictureMessage): boolean {
    return this.#sent === this.#view.generation && picture.generation === this.#view.generation;
  }

  /** Applies the server's state. */
  apply(view: TimeView): void {
    this.#view = view;
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
    const time = this.#time;
    if (time !== undefined) this.#command(() => ({ action: "pause", time: Math.round(time) }));
  }

  /** Steps some frames forward or back. */
  step(by: number): void {
    const before = this.#queue.at(-1)?.steps ?? 0;
    const steps = Math.max(-MAX_STEP, Math.min(MAX_STEP, before + by));
    this.#command(() => {
      const lead = this.#wall.lead?.laneId;
      // The last command's frame may not be on screen yet.
      const offset = lead === this.#view.lead ? this.#view.offset : this.#wall.place?.offset;
      if (lead === undefined || offset === undefined || steps === 0) return undefined;
      return { action: "step", lead, offset, by: steps };
    }, { steps });
  }

  /** Shows a frame, once the server knows its lane; without one, of the leading lane. */
  seek(lane: string, offset: number): void {
    this.#command(
      () => ({ action: "seek", lead: lane || (this.#wall.lead?.laneId ?? ""), offset }),
      { frame: { lane, offset } },
    );
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
      const time = this.#time;
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

  /** Does what was not answered, from the position that was shown: a new connection starts live. */
  reconnected(): void {
    const { mode, frame } = this;
    const time = this.#time;
    const now = performance.now();
    const wanted = [this.#asked, ...this.#queue]
      .flatMap((each) => each !== undefined && now < each.until ? each : []);
    const last = wanted.findLastIndex(({ steps }) => steps === undefined);
    this.#sent = 0;
    this.#view = { mode: "live", generation: 0, speed: 1 };
    this.#lanes = new Set();
    this.#asked = undefined;
    this.#queue = [];
    if (last < 0 && mode === "paused" && frame !== undefined) {
      this.seek(frame.lane, frame.offset);
    } else if (last < 0 && mode === "playing" && time !== undefined) {
      this.#command(() => ({ action: "play", speed: this.speed, time: Math.round(time) }));
    }
    this.#queue = [...this.#queue, ...wanted.slice(Math.max(0, last))];
    this.#onChange();
  }

  /** Takes the lanes that the server knows. */
  know(lanes: Iterable<string>): void {
    this.#lanes = new Set(lanes);
    this.#proceed();
  }

  #command(command: Wanted["command"], leads: Pick<Wanted, "frame" | "steps"> = {}): void {
    const before = leads.steps === undefined
      ? []
      : this.#queue.filter(({ steps }) => steps === undefined);
    this.#queue = [...before, { ...leads, command, until: performance.now() + PATIENCE_MS }];
    this.#proceed();
  }

  #proceed(): void {
    const [next, ...rest] = this.#queue;
    if (next === undefined || this.#sent !== this.#view.generation) return;
    const command = next.command();
    const waits = command !== undefined && "lead" in command && !this.#lanes.has(command.lead);
    if (waits && performance.now() < next.until) return;
    this.#queue = waits ? [] : rest;
    if (waits) return this.#onChange();
    if (command === undefined) return this.#proceed();
    const { steps: _, ...asked } = next;
    this.#asked = { ...asked, command: () => command };
    this.#sent = this.#send(command);
  }
}
