// SQLite's calls are synchronous: this keeps them from holding up the event loop.
import { clearImmediate, setImmediate } from "node:timers";

/** What SQLite may take of one turn of the event loop, milliseconds. */
const budgetMs = 4;

/** Counts the time that work takes in a turn, and puts work off to a later one. */
export class Turns {
  readonly #tasks: (() => void)[] = [];
  #immediate: ReturnType<typeof setImmediate> | undefined;
  #spentMs = 0;

  /** True when this turn's time is used up. */
  get exhausted(): boolean {
    return this.#spentMs >= budgetMs;
  }

  /** Runs `work` and counts its time. */
  spend<T>(work: () => T): T {
    const started = performance.now();
    try {
      return work();
    } finally {
      this.#spentMs += performance.now() - started;
    }
  }

  /** Runs `work` and counts its time: in this turn when it has time left, otherwise in a later one. */
  async run<T>(work: () => T): Promise<T> {
    while (this.exhausted) await new Promise<void>((resolve) => this.later(resolve));
    return this.spend(work);
  }

  /** Runs `task` in a later turn; it must not throw. */
  later(task: () => void): void {
    this.#tasks.push(task);
    this.#immediate ??= setImmediate(() => this.#turn());
  }

  /** Resolves at once when this turn has time left, otherwise in a later one. */
  async ready(): Promise<void> {
    if (this.exhausted) await new Promise<void>((resolve) => this.later(resolve));
  }

  /** Runs at once what was put off. */
  stop(): void {
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
    this.#spentMs = 0;
    for (const task of this.#tasks.splice(0)) task();
  }

  #turn(): void {
    this.#immediate = undefined;
    this.#spentMs = 0;
    const tasks = this.#tasks.splice(0);
    let done = 0;
    while (done < tasks.length && !this.exhausted) this.spend(tasks[done++]!);
    this.#tasks.unshift(...tasks.slice(done));
    if (this.#tasks.length > 0) this.#immediate ??= setImmediate(() => this.#turn());
  }
}
