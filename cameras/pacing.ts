// Paces images and assigns their capture times.
import { pause } from "../runtime/base/wait.ts";
import type { CaptureTimes } from "./capture_times.ts";
import type { SourceImage, SourceKind } from "./source.ts";

interface PacingOptions {
  readonly kind: SourceKind;
  /** Frames per second or `max`; by default the source's own times. Ignored for live sources. */
  readonly fps?: number | "max" | undefined;
  readonly times: CaptureTimes;
  readonly signal: AbortSignal;
  /**
   * Called with the delay in milliseconds whenever a recording falls behind its own times.
   *
   * @param heldMs how long the taker of the images held them meanwhile
   */
  readonly onLate?: (ms: number, heldMs: number) => void;
}

interface PacedImage {
  readonly image: SourceImage;
  readonly timestamp: number;
}

/** Beyond this, lateness is not jitter: the recording stalled, and continues from there. */
const MOST_LATENESS_MS = 250;

/**
 * Yields each image when it is due. Recordings play like a live camera: an image's capture time is
 * the moment when it is due, spaced exactly as in the recording. At `max` the capture times keep
 * that spacing from the start, but the images are yielded at once. Ends without an error when the
 * signal aborts.
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
    // Timers cannot measure shorter waits.
    if (wait >= 1 && !await pause(wait, signal, clock)) return;
    const taken = clock.monotonic();
    yield { image, timestamp: times.at(due) };
    schedule.held(clock.monotonic() - taken);
  }
}

class Schedule {
  readonly #times: CaptureTimes;
  readonly #onLate: PacingOptions["onLate"];
  #start: number | undefined;
  #epoch: number | undefined;
  /** How long the taker held the images since one was on time. */
  #heldMs = 0;

  constructor(times: CaptureTimes, onLate: PacingOptions["onLate"]) {
    this.#times = times;
    this.#onLate = onLate;
  }

  /** The epoch time of `own`, counted from the first image, independent of the clock. */
  spaced(own: number): number {
    this.#epoch ??= this.#times.now() - own;
    return this.#epoch + own;
  }

  /** The moment of `own` on the monotonic clock; the present if the recording is late. */
  next(own: number): number {
    const now = this.#times.clock.monotonic();
    this.#start ??= now - own;
    const late = now - this.#start - own;
    if (late > MOST_LATENESS_MS) {
      this.#start += late;
      this.#onLate?.(late, this.#heldMs);
    }
    if (late <= 0 || late > MOST_LATENESS_MS) this.#heldMs = 0;
    return this.#start + own;
  }

  held(ms: number): void {
    this.#heldMs += ms;
  }
}

export interface Lateness {
  /** Frames before which the recording stalled, because the machine or the log was busy. */
  readonly late: number;
  /** The total delay of the recording behind its own times, milliseconds. */
  readonly behindMs: number;
}

/** Counts how often and how far a recording falls behind, and reports each doubling. */
export class Punctuality implements Lateness {
  late = 0;
  behindMs = 0;
  #reportedMs = 0;
  #byLogMs = 0;
  #longestMs = 0;

  /**
   * Counts the delay of a frame, and of all that follow, in milliseconds.
   *
   * @param heldMs how long the log held the frames before it
   */
  fallBehind(ms: number, heldMs: number, report: (message: string) => void): void {
    this.late++;
    this.behindMs += ms;
    if (2 * heldMs >= ms) this.#byLogMs += ms;
    else this.#longestMs = Math.max(this.#longestMs, ms);
    // Report when the delay has doubled, so that a slow machine does not fill the terminal.
    if (this.behindMs < 2 * this.#reportedMs) return;
    this.#reportedMs = this.behindMs;
    const seconds = (this.behindMs / 1000).toFixed(1);
    report(`The recording is ${seconds} s behind its own times: ${this.#cause()}`);
  }

  /** What most of the delay comes from. */
  #cause(): string {
    if (2 * this.#byLogMs >= this.behindMs) return "the log was slow or unreachable";
    return 2 * this.#longestMs >= this.behindMs
      ? "it was held up for a moment, by a busy machine, a stopped process or a slow source"
      : "this machine is too slow for it; use a lower --fps, a smaller --size or fewer cameras";
  }
}
