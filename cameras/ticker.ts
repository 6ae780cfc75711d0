// The frame clock of sources that generate images.
import { pause } from "../runtime/base/wait.ts";
import type { SourceContext } from "./source.ts";

/** Slower clocks report activity at this interval, milliseconds: their pauses do not count as `--stall`. */
const ALIVE_EVERY_MS = 100;

/**
 * Yields the times of frames at a steady rate, in epoch milliseconds, when each is due. A late
 * reader gets the present time, and the clock continues from there. Ends when the signal aborts.
 *
 * @example
 * ```ts
 * import type { SourceContext, SourceImage } from "./source.ts";
 * import { ticks } from "./ticker.ts";
 *
 * async function* stills(value: Uint8Array, context: SourceContext): AsyncGenerator<SourceImage> {
 *   for await (const timestamp of ticks(5, context)) {
 *     yield { value, contentType: "image/jpeg", timestamp };
 *   }
 * }
 * ```
 */
export async function* ticks(
  fps: number,
  { times, signal, onActivity }: Pick<SourceContext, "times" | "signal" | "onActivity">,
): AsyncGenerator<number, void, undefined> {
  const { clock } = times;
  const interval = 1000 / fps;
  let due = clock.monotonic();
  while (!signal.aborted) {
    const wait = due - clock.monotonic();
    if (wait > 0) {
      if (!await pause(Math.min(wait, ALIVE_EVERY_MS), signal, clock)) return;
      if (wait > ALIVE_EVERY_MS) {
        onActivity?.();
        continue;
      }
    } else if (-wait > interval) {
      due -= wait;
    }
    yield times.at(due);
    due += interval;
  }
}
