// Detects stalled live sources, and abandons sources that hang.
import type { Clock } from "../runtime/base/clock.ts";
import { pause, settled } from "../runtime/base/wait.ts";
import { type CameraSource, SourceError, type SourceImage } from "./source.ts";

/** A source that sends nothing for this long has stalled, milliseconds. */
export const DEFAULT_STALL_MS = 20_000;
/** Default time limit for opening, milliseconds. */
export const DEFAULT_OPEN_TIMEOUT_MS = 15_000;
/** How long a source may take to close after its signal aborted. */
const LEAVE_AFTER_MS = 2_000;

/** Ends silent live sources, and abandons any source that hangs instead of ending. */
export class Watchdog {
  readonly #expired = new AbortController();
  readonly #done = new AbortController();
  readonly #source: CameraSource;
  readonly #stallMs: number;
  readonly #clock: Clock;
  #last: number;
  #consuming = false;

  constructor(source: CameraSource, clock: Clock, stallMs: number) {
    this.#source = source;
    this.#stallMs = stallMs;
    this.#clock = clock;
    this.#last = clock.monotonic();
    if (source.kind === "live") void this.#run();
  }

  get signal(): AbortSignal {
    return this.#expired.signal;
  }

  /** Yields the images until the source ends, or hangs after the signal aborted. */
  async *watch(
    images: AsyncIterable<SourceImage>,
    signal: AbortSignal,
  ): AsyncGenerator<SourceImage> {
    const iterator = images[Symbol.asyncIterator]();
    const left = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = () => void (timer ??= setTimeout(() => left.abort(), LEAVE_AFTER_MS));
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    try {
      for (;;) {
        const { value, done } = await settled(iterator.next(), left.signal);
        if (done) return;
        // A slow consumer does not count as silence of the source.
        this.#consuming = true;
        yield value;
        this.#consuming = false;
        this.#last = this.#clock.monotonic();
      }
    } catch (error) {
      if (!left.signal.aborted) throw error;
    } finally {
      end();
      await settled(Promise.resolve(iterator.return?.()), left.signal).catch((error) => {
        if (!left.signal.aborted) throw error;
      });
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
    }
  }

  readonly alive = (): void => {
    this.#last = this.#clock.monotonic();
  };

  /** @throws {SourceError} if the source was silent for too long. */
  check(): void {
    if (!this.#expired.signal.aborted) return;
    throw new SourceError(
      "ENDED",
      `Source ${this.#source.description} was silent for ${this.#stallMs / 1000} s (--stall)`,
    );
  }

  close(): void {
    this.#done.abort();
  }

  async #run(): Promise<void> {
    for (;;) {
      const now = this.#clock.monotonic();
      if (this.#consuming) this.#last = now;
      const left = this.#last + this.#stallMs - now;
      if (left <= 0) return this.#expired.abort();
      if (!await pause(left, this.#done.signal, this.#clock)) return;
    }
  }
}
