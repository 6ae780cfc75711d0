// When images are published, and their capture times.
import { pause } from "../runtime/base/wait.ts";
import type { CaptureTimes } from "./capture_times.ts";
import type { SourceImage, SourceKind } from "./source.ts";

interface PacingOptions {
  readonly kind: SourceKind;
  /**
   * Frames a second; `max` goes as fast as they are taken. Absent: the source's own frame times,
   * or `max` where it has none. A live source limits itself.
   */
  readonly fps?: number | "max" | undefined;
  readonly times: CaptureTimes;
  readonly signal: AbortSignal;
  /** Called with the milliseconds that a recording falls behind. */
  readonly onLate?: (ms: number) => void;
}

interface PacedImage {
  readonly image: SourceImage;
  /** Capture time, epoch milliseconds. */
  readonly timestamp: number;
}

/** A recording later than this continues from there: it had to wait. */
const MOST_LATENESS_MS = 250;

/**
 * Gives each image at its time. Recordings play like a live camera: an image's capture time is the
 * time of its turn, spaced as in the recording. At `max` capture times keep that spacing, while the
 * images go out at once. Ends when the signal aborts.
 */
export async function* pace(
  images: AsyncIterable<SourceImage>,
  { kind, fps, times, signal, onLate }: PacingOptions,
): AsyncGenerator<PacedImage, void, undefined> {
  const { clock } = times;
  const schedule = new Schedule(times, onLate);
  let index = 0;
  for await (const image of images) {
    if (signal.aborted) return;
    if (kind === "live") {
      yield { image, timestamp: image.timestamp };
      continue;
    }
    if (kind === "collection" && typeof fps !== "number") {
      yield { image, timestamp: times.now() };
      continue;
    }
    if (fps === "max") {
      yield { image, timestamp: schedule.spaced(image.timestamp) };
      continue;
    }
    const own = fps === undefined ? image.timestamp : index++ * 1000 / fps;
    const due = schedule.next(own);
    const wait = due - clock.monotonic();
    // A timer's resolution: shorter waits take longer than they should.
    if (wait >= 1 && !await pause(wait, signal, clock)) return;
    yield { image, timestamp: times.at(due) };
  }
}

class Schedule {
  readonly #times: CaptureTimes;
  readonly #onLate: ((ms: number) => void) | undefined;
  #start: number | undefined;
  #epoch: number | undefined;

  constructor(times: CaptureTimes, onLate: ((ms: number) => void) | undefined) {
    this.#times = times;
    this.#onLate = onLate;
  }

  /** The epoch time of `own`, counted from the first image, whatever the clock does. */
  spaced(own: number): number {
    this.#epoch ??= this.#times.now() - own;
    return this.#epoch + own;
  }

  /** The moment of `own` on the monotonic clock: the present when the recording is late. */
  next(own: number): number {
    const now = this.#times.clock.monotonic();
    this.#start ??= now - own;
    const late = now - this.#start - own;
    if (late > MOST_LATENESS_MS) {
      this.#start += late;
      this.#onLate?.(late);
    }
    return this.#start + own;
  }
}

export interface Lateness {
  /** Frames before which the recording had to wait, since the machine or the log was busy. */
  readonly late: number;
  /** Total delay of the recording by that, milliseconds. */
  readonly behindMs: number;
}

/** Counts how often and how far a recording falls behind; reports are ever rarer. */
export class Punctuality implements Lateness {
  #late = 0;
  #behindMs = 0;
  #reportedMs = 0;

  get late(): number {
    return this.#late;
  }

  get behindMs(): number {
    return this.#behindMs;
  }

  fallBehind(ms: number, report: (message: string) => void): void {
    this.#late++;
    this.#behindMs += ms;
    // At twice the delay of the report before.
    if (this.#behindMs < 2 * this.#reportedMs) return;
    this.#reportedMs = this.#behindMs;
    report(
      `Cannot keep the pace of the recording: it is ${
        (this.#behindMs / 1000).toFixed(1)
      } s behind its own times; give it a lower --fps, a smaller --size or fewer neighbours`,
    );
  }
}
