// Abandoned runs that have not ended: a function of their sink may still be running, and no second one may
// run beside it.

/** The lingering runs of a driver, by lane number. */
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

  /** A run has ended at last. Returns false if it was not lingering. */
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
