/**
 * The beat of sources that make their images themselves.
 *
 * @module
 */
import type { CaptureTimes } from "./capture_times.ts";

/**
 * Times of frames at a steady rate, each given when it has come: epoch milliseconds. A reader that
 * asks too late gets the present time, and the beat goes on from there. Ends when the signal aborts.
 */
export async function* ticks(
  fps: number,
  times: CaptureTimes,
  signal: AbortSignal,
): AsyncGenerator<number, void, undefined> {
  const { clock } = times;
  const interval = 1000 / fps;
  let due = clock.monotonic();
  while (!signal.aborted) {
    const now = clock.monotonic();
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
    yield times.at(due);
    due += interval;
  }
}
