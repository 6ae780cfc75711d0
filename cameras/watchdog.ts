// Detects stalled live sources, and abandons sources that hang.
import { type Clock, systemClock } from "../runtime/base/clock.ts";
import { pause, settled } from "../runtime/base/wait.ts";
import { type SourceContext, SourceError, type SourceImage } from "./source.ts";

/** A live source that sends nothing for this long has stalled, milliseconds. */
export const DEFAULT_STALL_MS = 20_000;
/** Default time limit for opening, milliseconds. */
export const DEFAULT_OPEN_TIMEOUT_MS = 15_000;
/** How often it looks whether this process stood still. */
const LOOK_EVERY_MS = 1_000;
/** How long a source may take to close after its signal aborted. */
const LEAVE_AFTER_MS = 2_000;

/**
 * Aborts its signal when it was not renewed for a time. The time begins again after a moment in which this
 * process could not listen, because it was stopped or the machine slept.
 */
export class Patience implements Disposable {
  /** While true, silence does not count. */
  held = false;
  readonly #over = new AbortController();
  readonly #done = new AbortController();
  readonly #clock: Clock;
  readonly #reason: Error | undefined;
  #last: number;

  /** @param reason the signal's reason when it aborts */
  constructor(ms: number, clock: Clock, reason?: Error) {
    this.#clock = clock;
    this.#reason = reason;
    this.#last = clock.monotonic();
    if (ms < Infinity) void this.#run(ms);
  }

  /** Aborts when it is over. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** The silence ends now, or counts from the next call on: at Infinity. */
  renew(at = this.#clock.monotonic()): void {
    this.#last = at;
  }

  [Symbol.dispose](): void {
    this.#done.abort();
  }

  async #run(ms: number): Promise<void> {
    for (let due = Infinity;;) {
      const now = this.#clock.monotonic();
      if (this.held || now > due + LOOK_EVERY_MS) this.#last = Math.max(this.#last, now);
      const left = this.#last + ms - now;
      if (left <= 0) return this.#over.abort(this.#reason);
      const wait = Math.min(left, LOOK_EVERY_MS);
      due = now + wait;
      if (!await pause(wait, this.#done.signal, this.#clock)) return;
    }
  }
}

/** The time that a source may take to open, in real time. @param nothing what it lacks: `no answer` */
export function openingLimit(
  { openTimeoutMs = DEFAULT_OPEN_TIMEOUT_MS }: { readonly openTimeoutMs?: number },
  nothing: string,
  { onOpening }: Pick<SourceContext, "onOpening">,
): Patience {
  onOpening?.();
  const message = `${nothing} within ${openTimeoutMs / 1000} s (--open-timeout)`;
  return new Patience(openTimeoutMs, systemClock, new SourceError("UNREACHABLE", message));
}

/** Yields the images until the source ends; abandons one that hangs after the signal aborted. */
export async function* untilLeft(
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
      yield value;
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
