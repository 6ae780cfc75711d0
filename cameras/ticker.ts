/**
 * The beat of sources that make their images themselves.
 *
 * @module
 */
import type { Clock } from "../runtime/base/clock.ts";

/**
 * Times of frames at a steady rate, each given when it has come: epoch milliseconds. Whoever asks
 * too late gets the present time, and the beat goes on from there. Ends when the signal aborts.
 */
export async function* ticks(
  fps: number,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<number, void, undefined> {
  const interval = 1000 / fps;
  let due = clock.now();
  while (!signal.aborted) {
    const now = clock.now();
    if (due > now) {
      try {
        await clock.sleep(due - now, signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
    } else if (now - due > interval) {
      due = now;
    }
    yield due;
    due += interval;
  }
}
