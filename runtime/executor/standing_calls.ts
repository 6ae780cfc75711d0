// Calls of operators and sinks that do not end: nothing else would tell why a lane stands still.

/** How often calls are looked at, milliseconds. */
export const LOOK_MS = 2500;
/** A call that takes this long is reported, milliseconds. */
const LONG_MS = 10_000;

/** Calls of one operator or sink. */
export interface Calls {
  /** e.g. `Operator map(gauge)`. */
  readonly name: string;
  /** Calls that have not ended, and those that have: with one open the count stands still. */
  readonly open: number;
  readonly ended: number;
}

/** Watches the calls of one lane. */
export class StandingCalls {
  readonly #since = new Map<string, { ended: number; time: number }>();
  #reported: string | undefined;

  /**
   * @param now milliseconds of a clock that does not go back
   * @returns `undefined` when nothing changed; else what has not ended, or an empty list when all continues.
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
