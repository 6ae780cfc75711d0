// The server's clock, measured by its reports.
/** Reports that count: those of the last two minutes. */
const REPORTS = 240;
/** No report takes this long, milliseconds: one of the clocks was set. */
const CLOCK_SET_MS = 60_000;

export class ServerClock {
  /** The server's clock minus this browser's, milliseconds. */
  skew = 0;
  #skews: number[] = [];

  /** On a slow link reports come as late as pictures: the fastest one shows the time. */
  hear(now: number): void {
    const skew = now - Date.now();
    if (Math.abs(skew - this.skew) > CLOCK_SET_MS) this.#skews = [];
    this.#skews = [...this.#skews, skew].slice(-REPORTS);
    this.skew = Math.max(...this.#skews);
  }

  get heard(): boolean {
    return this.#skews.length > 0;
  }

  /** Epoch milliseconds; 0 before the first report. */
  now(): number {
    return this.heard ? Date.now() + this.skew : 0;
  }
}
