// SQLite's calls are synchronous: this keeps them from blocking the event loop.
import { clearImmediate, setImmediate } from "node:timers";

/** SQLite's time budget per event loop turn, milliseconds. */
const budgetMs = 4;

/** Measures the time of work in a turn, and defers work to a later one. */
export class Turns {
  readonly #tasks: (() => void)[] = [];
  #immediate: ReturnType<typeof setImmediate> | undefined;
  #spentMs = 0;

  /** Whether this turn's budget is used up. */
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

  /** Runs `work` in this turn if it has time left, otherwise in a later one, and counts its time. */
  async run<T>(work: () => T): Promise<T> {
    while (this.exhausted) await new Promise<void>((resolve) => this.later(resolve));
    return this.spend(work);
  }

  /** Runs `task` in a later turn; it must not throw. */
  later(task: () => void): void {
    this.#tasks.push(task);
    this.#immediate ??= setImmediate(() => this.#turn());
  }

  /** Resolves at once if this turn has time left, otherwise in a later one. */
  async ready(): Promise<void> {
    if (this.exhausted) await new Promise<void>((resolve) => this.later(resolve));
  }

  /** Runs deferred tasks at once. */
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
