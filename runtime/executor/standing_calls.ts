// Detects calls of operators and sinks that hang, which would otherwise stall a lane without explanation.
import type { Calls } from "../engine/options.ts";

/** Interval between checks, milliseconds. */
export const LOOK_MS = 2500;
/** A call that takes this long is reported, milliseconds. */
const LONG_MS = 10_000;

export class StandingCalls {
  readonly #since = new Map<string, { ended: number; time: number }>();
  #reported: string | undefined;

  /**
   * @param now monotonic milliseconds
   * @returns undefined if nothing changed; otherwise the names of hanging calls, empty if none hangs any more
   */
  look(calls: readonly Calls[], now: number): readonly string[] | undefined {
    const standing: string[] = [];
    for (const { name, open, ended } of calls) {
      const last = this.#since.get(name);
      if (open === 0 || last === undefined || last.ended !== ended) {
        this.#since.set(name, { ended, time: now });
      } else if (now - last.time >= LONG_MS) standing.push(name);
    }
    const report = standing.join();
    if (report === (this.#reported ?? "")) return undefined;
    this.#reported = report;
    return standing;
  }
}
