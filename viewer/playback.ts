// Playback of one page. While not live, it decides which picture each lane of the page shows; the session
// sends them with the same flow control as live ones.
import { messageOf } from "../runtime/base/errors.ts";
import type { Clock } from "../runtime/base/clock.ts";
import { Semaphore } from "../runtime/base/wait.ts";
import type { Lane, LanePicture } from "../runtime/lanes.ts";
import { maskSecrets } from "../runtime/base/mask.ts";
import type { History } from "./history.ts";
import { nextFrames } from "./log_reads.ts";
import { isImage } from "./picture.ts";
import { cameraText, type TimeCommand, type TimeMove, type TimeView } from "./protocol.ts";

export interface PlaybackOptions {
  /** Absent if there is no log: then only pausing works. */
  readonly history: History | undefined;
  readonly clock: Clock;
  /** All lanes that the page may show. */
  readonly lanes: () => readonly Lane[];
  /** Called when a lane has a new picture: see `current`. */
  readonly onPicture: (lane: string) => void;
  readonly onTime: (time: TimeView) => void;
  /** Whether the page decodes the lane's access units itself. */
  readonly units: (lane: string) => boolean;
  /** Offset of the lane's picture that the page got last, if any. */
  readonly sent: (lane: string) => number | undefined;
  /** Whether the page has stopped drawing, so that playing is pointless. */
  readonly stuck: () => boolean;
}

/** A lane that lags more than this skips frames rather than showing old ones. */
const SKIP_BEHIND_MS = 750;
/** Newer frames than these are the present, milliseconds. */
const PRESENT_MS = 5_000;
/** Longest sleep, so that a page that does not draw is noticed during a gap in the recording. */
const LONGEST_WAIT_MS = 1_000;

/** Pictures of the past that one page looks up at once, since all pages share the log. */
const LOOKUPS = 4;

interface Runner {
  readonly stop: AbortController;
  caughtUp: boolean;
}

export class Playback {
  readonly #options: PlaybackOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #current = new Map<string, LanePicture>();
  readonly #runners = new Map<string, Runner>();
  /** Where lanes stopped when the page left live: a clock that was set back gives times twice. */
  readonly #stopped = new Map<string, number>();
  /** How far lanes' clocks have been set back in what was played, milliseconds. */
  readonly #setBack = new Map<string, number>();
  #commanded = 0;
  #view: TimeView = { mode: "live", generation: 0, speed: 1 };
  /** When playing began, in `clock.monotonic()`. */
  #begun = 0;
  #task = new AbortController();
  readonly #turn = new Semaphore(LOOKUPS);
  #closed = false;

  constructor(options: PlaybackOptions) {
    this.#options = options;
  }

  get live(): boolean {
    return this.#view.mode === "live";
  }

  get generation(): number {
    return this.#view.generation;
  }

  /** The picture that a lane shows while not live. */
  current(lane: string): LanePicture | undefined {
    return this.#current.get(lane);
  }

  /** Sets the lanes that the page shows. */
  watch(lanes: readonly Lane[]): void {
    const wanted = new Map(lanes.map((lane) => [lane.id, lane]));
    for (const id of this.#lanes.keys()) {
      if (wanted.has(id)) continue;
      this.#lanes.delete(id);
      this.#current.delete(id);
      this.#runners.get(id)?.stop.abort();
      this.#runners.delete(id);
    }
    for (const lane of lanes) {
      if (this.#lanes.has(lane.id)) continue;
      this.#lanes.set(lane.id, lane);
      if (this.#view.mode === "playing") this.#run(lane);
      else if (!this.live && !this.#current.has(lane.id)) this.#show(lane);
    }
  }

  /** A tile needs its picture again, in another size or decoded. */
  refresh(lane: Lane): void {
    const picture = this.#current.get(lane.id);
    const shown = picture !== undefined && (this.#options.units(lane.id) || isImage(picture.bytes));
    if (!shown) this.#current.delete(lane.id);
    if (this.#view.mode === "paused" && !this.#current.has(lane.id)) this.#show(lane);
  }

  /** Executes a command; a newer one replaces it. */
  command(generation: number, command: TimeCommand): void {
    if (this.#closed) return;
    this.#commanded = generation;
    // The page's own idea is late by what is on its way.
    const due = this.#view.mode === "playing" ? this.#due() : undefined;
    this.#stopAll();
    switch (command.action) {
      case "live":
        this.#forget();
        this.#set({ mode: "live", generation, speed: 1 });
        return;
      case "pause":
        for (const id of this.live ? this.#lanes.keys() : []) {
          const offset = this.#options.sent(id);
          if (offset !== undefined) this.#stopped.set(id, offset);
        }
        this.#set({ mode: "paused", generation, speed: 1, position: due ?? command.time });
        if (due !== undefined) this.#catchUp(due);
        return;
      case "jump":
      case "seek":
      case "step":
        void this.#execute((signal) => this.#goTo(generation, command, signal));
        return;
      case "play":
        this.#play(generation, command.speed, due ?? command.time);
    }
  }

  /** Brings lanes that could not be played in time to where the others are paused. */
  #catchUp(position: number): void {
    for (const lane of this.#lanes.values()) {
      const { timestamp = -Infinity } = this.#current.get(lane.id) ?? {};
      const late = timestamp < position - SKIP_BEHIND_MS && !this.#setBack.has(lane.id);
      if (late) this.#show(lane);
    }
  }

  close(): void {
    this.#closed = true;
    this.#stopAll();
  }

  async #goTo(generation: number, command: TimeMove, signal: AbortSignal): Promise<void> {
    const lead = this.#options.lanes().find(({ id }) => id === command.lead);
    if (lead === undefined) throw new Error("No such lane");
    const units = this.#options.units(lead.id);
    const picture = await this.#lookUp(signal, () => this.#history().moved(lead, command, units));
    if (signal.aborted) return;
    if (picture === undefined) throw new Error(`The log holds no frames of ${cameraText(lead)}`);
    const { mode, speed } = this.#view;
    const playFrom = command.action === "jump" && mode === "playing" ? command.time : Infinity;
    const found = new Map([[lead.id, picture]]);
    // Before its first frame other lanes may have some.
    for (const lane of picture.timestamp > playFrom ? this.#lanes.values() : []) {
      const first = await this.#pictureAt(lane, () => playFrom, signal);
      if (signal.aborted) return;
      if (first !== undefined) found.set(lane.id, first);
    }
    // Lanes that the page has added meanwhile are elsewhere.
    this.#stopAll();
    this.#forget();
    for (const [id, each] of found) this.#current.set(id, each);
    if (playFrom < Infinity) return this.#play(generation, speed, playFrom);
    const elsewhere = command.action === "seek" && picture.offset !== command.offset;
    this.#set({
      mode: "paused",
      generation,
      speed: 1,
      position: command.action === "jump" ? command.time : picture.timestamp,
      lead: lead.id,
      offset: picture.offset,
      ...(elsewhere &&
        { problem: `The log does not hold offset ${command.offset}: showing ${picture.offset}` }),
    });
    this.#options.onPicture(lead.id);
    for (const lane of this.#lanes.values()) if (lane.id !== lead.id) this.#show(lane);
  }

  /** Looks a picture up, unless the page has moved on when its turn comes. */
  async #lookUp(signal: AbortSignal, find: () => Promise<LanePicture | undefined>) {
    return await this.#turn.run(async () => signal.aborted ? undefined : await find());
  }

  /** A lane's picture where it stopped, or else at a time. */
  async #pictureAt(
    lane: Lane,
    time: () => number,
    signal: AbortSignal,
  ): Promise<LanePicture | undefined> {
    const stopped = this.#stopped.get(lane.id);
    const units = this.#options.units(lane.id);
    return await this.#lookUp(signal, () => {
      const history = this.#history();
      if (stopped !== undefined) return history.at(lane, stopped, units);
      return history.atTime(lane, time(), units);
    });
  }

  /** Shows a lane's picture at the paused position. */
  #show(lane: Lane): void {
    const { position } = this.#view;
    if (position === undefined || this.#options.history === undefined) return;
    void this.#execute(async (signal) => {
      const picture = await this.#pictureAt(lane, () => position, signal);
      if (signal.aborted || picture === undefined || !this.#lanes.has(lane.id)) return;
      this.#put(lane, picture);
    });
  }

  #play(generation: number, speed: number, time: number): void {
    void this.#execute(() => {
      this.#history();
      this.#begun = this.#options.clock.monotonic();
      // Paused before the first frames of all lanes, the page shows these.
      const shown = [...this.#current.values()].map(({ timestamp }) => timestamp);
      const position = shown.length === 0 ? time : Math.max(time, Math.min(...shown));
      this.#set({ mode: "playing", generation, speed, position });
      for (const lane of this.#lanes.values()) this.#run(lane);
      // Lanes that are added later did not stop.
      this.#stopped.clear();
    });
  }

  /** The capture time to show now. */
  #due(): number {
    const { position = 0, speed } = this.#view;
    return position + (this.#options.clock.monotonic() - this.#begun) * speed;
  }

  #run(lane: Lane): void {
    const runner: Runner = { stop: new AbortController(), caughtUp: false };
    this.#runners.set(lane.id, runner);
    void this.#execute((task) =>
      this.#playLane(lane, runner, AbortSignal.any([runner.stop.signal, task]))
    );
  }

  async #playLane(lane: Lane, runner: Runner, signal: AbortSignal): Promise<void> {
    const { clock, stuck, units } = this.#options;
    const history = this.#history();
    const first = this.#current.get(lane.id) ??
      await this.#pictureAt(lane, () => this.#due(), signal);
    if (signal.aborted) return;
    if (first !== undefined) this.#put(lane, first);
    const reader = await history.open(lane, first === undefined ? 0 : first.offset + 1);
    let before = first?.timestamp ?? -Infinity;
    const setBack = () => this.#setBack.get(lane.id) ?? 0;
    try {
      while (!signal.aborted) {
        runner.caughtUp = reader.buffered === 0 && reader.position >= reader.latest;
        if (runner.caughtUp) this.liveWhenCaughtUp();
        for (const frame of await nextFrames(reader, 8, { signal })) {
          runner.caughtUp = false;
          if (frame.timestamp < before - SKIP_BEHIND_MS) {
            this.#setBack.set(lane.id, setBack() + before - frame.timestamp);
          }
          before = frame.timestamp;
          let wait: number;
          while ((wait = (before + setBack() - this.#due()) / this.#view.speed) > 0) {
            await clock.sleep(Math.min(wait, LONGEST_WAIT_MS), signal);
          }
          if (stuck()) {
            return this.command(this.generation, { action: "pause", time: this.#due() });
          }
          const late = -wait > SKIP_BEHIND_MS;
          const picture = await history.picture(lane, frame, units(lane.id));
          signal.throwIfAborted();
          if (picture !== undefined) this.#put(lane, picture);
          if (late) {
            const target = await history.offsetAt(lane, this.#due() - setBack());
            if (target > frame.offset + 8) {
              reader.seek(target);
              break;
            }
          }
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await reader.close();
    }
  }

  #put(lane: Lane, picture: LanePicture): void {
    this.#current.set(lane.id, picture);
    this.#options.onPicture(lane.id);
  }

  /** Goes live if every lane has reached the end of its frames, and none that is not shown has later ones. */
  liveWhenCaughtUp(): void {
    // A command that is being carried out leads elsewhere.
    if (this.#runners.size === 0 || this.#commanded !== this.generation) return;
    for (const { caughtUp } of this.#runners.values()) if (!caughtUp) return;
    const newest = this.#options.lanes().map((lane) =>
      Math.min(lane.lastFrameTimestamp ?? 0, lane.lastFrameArrival ?? 0)
    );
    if (Math.max(...newest) > this.#due() + PRESENT_MS) return;
    this.command(this.generation, { action: "live" });
  }

  /** Forgets where lanes are: they are elsewhere next. */
  #forget(): void {
    for (const lanes of [this.#current, this.#stopped, this.#setBack]) lanes.clear();
  }

  #history(): History {
    const { history } = this.#options;
    if (history === undefined) throw new Error("This viewer has no log to look back into");
    return history;
  }

  #set(view: TimeView): void {
    this.#view = view;
    this.#options.onTime(view);
  }

  #stopAll(): void {
    this.#task.abort();
    this.#task = new AbortController();
    this.#runners.clear();
  }

  /** Runs a task; its error is reported to the page. */
  async #execute(task: (signal: AbortSignal) => Promise<void> | void): Promise<void> {
    const { signal } = this.#task;
    try {
      await task(signal);
    } catch (error) {
      if (signal.aborted || this.#closed) return;
      const problem = maskSecrets(messageOf(error));
      const { mode, speed, position } = this.#view;
      const due = mode === "playing" ? this.#due() : position;
      this.#stopAll();
      this.#set({
        mode: mode === "live" ? "live" : "paused",
        generation: this.#commanded,
        speed,
        ...(due === undefined ? {} : { position: due }),
        problem,
      });
    }
  }
}
