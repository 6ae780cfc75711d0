// Keeps SQLite's synchronous calls from holding up the event loop.
import { clearImmediate, setImmediate } from "node:timers";

/** Time for SQLite in one turn of the event loop, milliseconds. */
const budgetMs = 4;

/** Measures work of a turn, and defers more to a later one. */
export class Turns {
  readonly #tasks: (() => void)[] = [];
  #immediate: ReturnType<typeof setImmediate> | undefined;
  #spentMs = 0;

  get exhausted(): boolean {
    return this.#spentMs >= budgetMs;
  }

  spend<T>(work: () => T): T {
    const started = performance.now();
    try {
      return work();
    } finally {
      this.#spentMs += performance.now() - started;
    }
  }

  /** Runs `work` in this turn if it has time left, otherwise in a later one. */
  async run<T>(work: () => T): Promise<T> {
    while (this.exhausted) await this.ready();
    return this.spend(work);
  }

  /** Runs `task` in a later turn; it must not throw. */
  later(task: () => void): void {
    this.#tasks.push(task);
    this.#immediate ??= setImmediate(() => this.#turn());
  }

  /** Resolves in this turn if it has time left, otherwise in a later one. */
  async ready(): Promise<void> {
    if (this.exhausted) await new Promise<void>((resolve) => this.later(resolve));
  }

  /** Runs deferred tasks now. */
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
