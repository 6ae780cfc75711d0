// Sends pictures of lanes to the driver, latest wins: however fast a query runs, a viewer gets only as many
// as it can show, and never an outdated one.
import {
  BadFrameError,
  type Frame,
  type Headers,
  isFinding,
  type Output,
  type Result,
} from "../definition/frame.ts";
import type { PicturePort } from "../engine/options.ts";
import { plainResult } from "../definition/result.ts";
import { type Demand, laneId } from "../lanes.ts";
import type { VideoCodec } from "../video/access_unit.ts";
import { unitOf } from "../video/groups.ts";

/** Minimum interval between pictures of a lane with and without viewers, milliseconds. */
const WATCHED_INTERVAL_MS = 15;
const UNWATCHED_INTERVAL_MS = 1000;
/** The same without viewers of an access unit's picture: a keyframe costs as much as five other frames. */
const UNWATCHED_UNIT_INTERVAL_MS = 10_000;

/** A picture in its own buffer, as sent to the driver. */
export interface Picture {
  readonly query: string;
  readonly partition: number;
  /** Number of the lane's run; increases with each run. */
  readonly run: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly headers: Headers;
  readonly result?: Result;
  /** Set for an access unit, which has no bytes if it was not decoded. */
  readonly video?: VideoCodec;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What viewers want of each lane, by `QUERY-PARTITION`; lanes that are not in it show some pictures. */
export type Watched = ReadonlyMap<string, Demand>;

export class LanePictures implements PicturePort {
  readonly #lane: Pick<Picture, "query" | "partition" | "run">;
  readonly #send: (picture: Picture) => void;
  #interval = UNWATCHED_INTERVAL_MS;
  /** When something was sent last, and when an access unit was decoded for it. */
  #last = -Infinity;
  #lastDecoded = -Infinity;
  #waiting: Output | undefined;
  /** The newest access unit, not decoded: a viewer may come after the camera's last frame. */
  #kept: Output | undefined;
  #demand: Demand | "nothing" | undefined = "nothing";
  /** An access unit is being decoded; the next picture waits. */
  #decoding = false;
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param watched undefined while there is no viewer that could ask for pictures */
  constructor(
    lane: Pick<Picture, "query" | "partition" | "run">,
    send: (picture: Picture) => void,
    watched: Watched | undefined,
  ) {
    this.#lane = lane;
    this.#send = send;
    if (watched !== undefined) this.watch(watched);
  }

  /** Sets which lanes are viewed. */
  watch(watched: Watched): void {
    this.#demand = watched.get(laneId(this.#lane));
    const pictures = this.#demand === "pictures";
    this.#interval = pictures ? WATCHED_INTERVAL_MS : UNWATCHED_INTERVAL_MS;
    if (!pictures) return;
    if (this.#waiting?.result?.alert === undefined) this.#waiting = this.#kept ?? this.#waiting;
    this.#kept = undefined;
    this.#flush();
  }

  show(output: Output): void {
    if (this.#demand === "nothing") return;
    // The next picture must not replace an alert that was not shown yet.
    const urgent = output.result?.alert !== undefined;
    const unit = unitIn(output);
    const unwatched = this.#demand !== "pictures" && unit !== undefined;
    const next = unwatched
      ? this.#lastDecoded + UNWATCHED_UNIT_INTERVAL_MS
      : this.#last + this.#interval;
    const wait = next - performance.now();
    if (pictureIn(output) !== undefined) this.#kept = undefined;
    // Do not wait for an early keyframe: its group would be decoded again, and then the lane's current one.
    if (unwatched && !urgent && (unit.index > 0 || wait > 0)) {
      // A keyframe shows viewers that the camera still sends.
      const shown = output.result !== undefined || unit.index === 0;
      if (this.#demand === "results" && shown) {
        this.#sendWith(output, undefined, unit.group.codec);
      }
      this.#kept = output;
      return;
    }
    this.#waiting = output;
    if (urgent || wait <= 0) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), wait);
  }

  close(): void {
    this.#closed = true;
    if (this.#waiting !== undefined && unitIn(this.#waiting) === undefined) this.#flush();
    clearTimeout(this.#timer);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const output = this.#waiting;
    if (output === undefined || this.#decoding) return;
    this.#waiting = undefined;
    this.#last = performance.now();
    if (unitIn(output) === undefined) this.#sendWith(output, pictureIn(output));
    else void this.#sendUnit(output, pictureIn(output)!);
  }

  async #sendUnit(output: Output, frame: Frame): Promise<void> {
    this.#decoding = true;
    this.#lastDecoded = performance.now();
    try {
      const { asImage, WALL_PIXELS } = await import("../image/picture.ts");
      const image = await asImage(frame, { maxPixels: WALL_PIXELS });
      if (!this.#closed) this.#sendWith(output, image, unitOf(frame.value)?.group.codec);
    } catch (error) {
      // Operators that need a damaged unit's picture dead-letter it; the page keeps the previous one. Once
      // the lane has ended, there is no decoder.
      if (!(error instanceof BadFrameError) && !this.#closed) throw error;
    } finally {
      this.#decoding = false;
      if (this.#waiting !== undefined && !this.#closed) this.#flush();
    }
  }

  #sendWith(output: Output, frame: Frame | undefined, video?: VideoCodec): void {
    const result = shown(output.result, frame);
    this.#send({
      ...this.#lane,
      offset: isFinding(output) ? output.lastOffset : output.offset,
      timestamp: output.timestamp,
      headers: frame?.headers ?? {},
      ...(result !== undefined ? { result } : {}),
      ...(video !== undefined ? { video } : {}),
      // A copy: the frame may be a view of a large shared buffer.
      bytes: frame === undefined
        ? new Uint8Array(0)
        : frame.value.slice() as Uint8Array<ArrayBuffer>,
    });
  }
}

function pictureIn(output: Output): Frame | undefined {
  return isFinding(output) ? output.picture : output;
}

function unitIn(output: Output) {
  const frame = pictureIn(output);
  return frame === undefined ? undefined : unitOf(frame.value);
}

/** The result to show, without the findings already drawn on the picture. */
function shown(result: Result | undefined, frame: Frame | undefined): Result | undefined {
  if (result === undefined) return undefined;
  if (frame?.headers["drawn"] !== "results") return plainResult(result);
  const { frames: _, scores: __, ...rest } = result;
  return Object.keys(rest).length === 0 ? undefined : plainResult(rest);
}
