// Runs that were given up and have not ended: a function of theirs may still run, and must not run
// twice.

export class Lingering {
  readonly #runs = new Map<
    number,
    { readonly key: string; readonly over: PromiseWithResolvers<void> }
  >();

  /** @param key identifies the query and its partition */
  add(number: number, key: string): void {
    this.#runs.set(number, { key, over: Promise.withResolvers() });
  }

  has(number: number): boolean {
    return this.#runs.has(number);
  }

  /** A run has ended; returns whether it was one of these. */
  ended(number: number): boolean {
    this.#runs.get(number)?.over.resolve();
    return this.#runs.delete(number);
  }

  /** Resolves when no run of the key is left; undefined if there is none. */
  over(key: string): Promise<unknown> | undefined {
    const runs = [...this.#runs.values()].filter((run) => run.key === key);
    return runs.length === 0 ? undefined : Promise.all(runs.map(({ over }) => over.promise));
  }
}
