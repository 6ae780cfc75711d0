// Whether a recording keeps its pace, counted and told.

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
