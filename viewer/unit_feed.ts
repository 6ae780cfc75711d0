// The access units of one tile, for a page that decodes them itself: live from the newest keyframe on, or
// up to the frame of the past that the page looks at. Every unit that a shown one depends on goes first.
import type { Frame } from "../runtime/definition/frame.ts";
import type { Findings } from "../runtime/definition/places.ts";
import type { Lane, LanePicture } from "../runtime/lanes.ts";
import { Notifier } from "../runtime/base/wait.ts";
import { inspectAccessUnit, videoCodecOf } from "../runtime/video/access_unit.ts";
import { shownAtOnce } from "../runtime/video/sequence.ts";
import { unitsOf } from "./clips.ts";
import type { History } from "./history.ts";
import type { PictureMessage } from "./protocol.ts";

/** What a feed needs from the session that it serves. */
export interface UnitFeedOptions {
  readonly history: History;
  readonly lane: Lane;
  readonly send: (unit: UnitMessage) => void;
  /** Whether the page has drawn enough of the sent units. */
  readonly room: () => boolean;
  /** The units cannot be read: the page gets pictures instead. */
  readonly onProblem: (error: unknown) => void;
}

/** An access unit on its way to a tile. */
export type UnitMessage = Omit<PictureMessage, "lane" | "sequence" | "generation">;

/** A live page that is this many frames behind continues at the newest keyframe. */
const MAX_BEHIND = 60;

export class UnitFeed {
  readonly #options: UnitFeedOptions;
  readonly #drawn = new Notifier();
  #task: AbortController | undefined;
  /** The frame of the past that the page looks at. */
  #wanted: LanePicture | undefined;
  #shown: LanePicture | undefined;
  #live = false;
  /** The last unit that was sent, while units that depend on it may follow. */
  #sent = -1;

  constructor(options: UnitFeedOptions) {
    this.#options = options;
  }

  /** Continues with units as they come. */
  follow(): void {
    if (this.#live) return;
    this.stop();
    this.#live = true;
    this.#begin((signal) => this.#follow(signal));
  }

  /** Shows a frame of the past; of several the last one counts. */
  show(picture: LanePicture): void {
    if (this.#live) this.stop();
    if (picture === this.#shown) return;
    this.#shown = picture;
    const busy = this.#wanted !== undefined;
    this.#wanted = picture;
    if (!busy) this.#begin((signal) => this.#showWanted(signal));
  }

  drawn(): void {
    this.#drawn.notify();
  }

  stop(): void {
    this.#task?.abort();
    this.#task = undefined;
    this.#wanted = this.#shown = undefined;
    this.#live = false;
  }

  #begin(run: (signal: AbortSignal) => Promise<void>): void {
    const task = this.#task = new AbortController();
    run(task.signal).catch((error) => {
      if (task.signal.aborted) return;
      this.stop();
      this.#options.onProblem(error);
    });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { history, lane } = this.#options;
    const newest = await history.newest(lane);
    const from = newest && await history.units.keyframeBefore(newest);
    if (newest === undefined || from === undefined) throw new Error("There is no keyframe");
    const units = unitsOf(history, { lane, from, to: Infinity, maxBehind: MAX_BEHIND, signal });
    for await (const frame of units) {
      // Earlier units are only decoded: a page that joins does not show them in a burst.
      await this.#send(frame, frame.offset < newest.offset, undefined, signal);
    }
  }

  async #showWanted(signal: AbortSignal): Promise<void> {
    const { history, lane } = this.#options;
    for (let wanted = this.#wanted; wanted !== undefined; wanted = this.#wanted) {
      const { offset } = wanted;
      for (const frame of await history.unitsUpTo(lane, offset, this.#sent)) {
        await this.#send(frame, frame.offset !== offset, wanted, signal);
      }
      signal.throwIfAborted();
      if (this.#wanted === wanted) this.#wanted = undefined;
    }
  }

  async #send(
    frame: Frame,
    hidden: boolean,
    picture: LanePicture | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    while (!this.#options.room()) await this.#drawn.wait(signal);
    signal.throwIfAborted();
    this.#options.send(messageOf(frame, hidden, picture?.result));
    this.#sent = frame.offset;
  }
}

function messageOf(frame: Frame, hidden: boolean, result: Findings | undefined): UnitMessage {
  const { headers, offset, timestamp, value } = frame;
  const codec = videoCodecOf(headers["content-type"]);
  if (codec === undefined) throw new Error(`Offset ${offset} is not an access unit`);
  const { keyframe, codec: name } = inspectAccessUnit(codec, value);
  return {
    contentType: `video/${codec}`,
    offset,
    timestamp,
    sourceWidth: 0,
    sourceHeight: 0,
    unit: { hidden, ...(keyframe && name !== undefined ? { codec: name } : {}) },
    ...(hidden || result === undefined ? {} : { result }),
    // Otherwise decoders of browsers may hold pictures back.
    image: shownAtOnce(codec, value),
  };
}
