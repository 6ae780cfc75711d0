// Calls of operators and sinks that have not ended: one that hangs stalls its lane.
import type { Clock } from "../base/clock.ts";

/** A call that takes this long is reported, milliseconds. */
const LONG_MS = 10_000;

export class OpenCalls {
  readonly #clock: Clock;
  readonly #calls = new Set<{ readonly name: string; readonly since: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A call began that does not end at once; returns what to call when it has ended. */
  began(name: string): () => void {
    const call = { name, since: this.#clock.monotonic() };
    this.#calls.add(call);
    return () => void this.#calls.delete(call);
  }

  /** Which calls take long, in words; empty if none does. */
  get long(): string {
    const before = this.#clock.monotonic() - LONG_MS;
    const long = [...this.#calls].filter(({ since }) => since <= before);
    return [...new Set(long.map(({ name }) => name))]
      .map((name) => `${name} has not ended for ${LONG_MS / 1000} s`).join("; ");
  }
}
