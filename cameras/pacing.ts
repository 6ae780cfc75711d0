// When images go out, and which capture time they get.
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
  /** Told how many milliseconds a recording falls behind its own times, whenever it does. */
  readonly onLate?: (ms: number) => void;
}

/** An image with the capture time that is published. */
interface PacedImage {
  readonly image: SourceImage;
  /** Capture time, epoch milliseconds. */
  readonly timestamp: number;
}

/** Lateness beyond this is no jitter: the recording had to wait, and continues from there. */
const MOST_LATENESS_MS = 250;

/**
 * Gives each image when its time has come. Recordings play like a live camera: an image's capture
 * time is the time of its turn, exactly spaced as in the recording. At `max` a recording's capture
 * times keep that spacing from the start on, while the images go out at once. Ends quietly when the
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
    // A timer's resolution: shorter waits take longer than they should.
    if (wait >= 1) {
      try {
        await clock.sleep(wait, signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
    }
    yield { image, timestamp: times.at(due) };
  }
}

/** Lays a recording's times on the clock. */
class Schedule {
  readonly #times: CaptureTimes;
  readonly #onLate: ((ms: number) => void) | undefined;
  #start: number | undefined;
  #epoch: number | undefined;

  constructor(times: CaptureTimes, onLate: ((ms: number) => void) | undefined) {
    this.#times = times;
    this.#onLate = onLate;
  }

  /** The epoch time of `own`, counted from the first image on, whatever the clock does. */
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
  /** Frames before which the recording had to stand still, since the machine or the log was busy. */
  readonly late: number;
  /** How far that has put the recording behind its own times altogether, milliseconds. */
  readonly behindMs: number;
}

/** Counts how often and how far a recording falls behind, and says so ever more rarely. */
export class Punctuality implements Lateness {
  #late = 0;
  #behindMs = 0;
  #toldMs = 0;

  get late(): number {
    return this.#late;
  }

  get behindMs(): number {
    return this.#behindMs;
  }

  /** How much later than its turn a frame goes out, and all that follow. */
  fallBehind(ms: number, report: (message: string) => void): void {
    this.#late++;
    this.#behindMs += ms;
    // Each line is worth twice the one before: a machine that is too slow does not fill the terminal.
    if (this.#behindMs < 2 * this.#toldMs) return;
    this.#toldMs = this.#behindMs;
    report(
      `Cannot keep the pace of the recording: it is ${
        (this.#behindMs / 1000).toFixed(1)
      } s behind its own times; give it a lower --fps, a smaller --size or fewer neighbours`,
    );
  }
}
