// Marks Framelane's own work that may hold the thread, so that the operator that uses a large picture is
// not blamed for its decoding.

let cells: Int32Array | undefined;
let index = 0;

/** From now on, this cell holds 1 while this thread does its own work. */
export function showOwnWork(shared: Int32Array, at: number): void {
  [cells, index] = [shared, at];
}

/** Runs work that may hold the thread for long with a large picture. */
export function ownWork<T>(work: () => T): T {
  if (cells === undefined) return work();
  const before = Atomics.exchange(cells, index, 1);
  try {
    return work();
  } finally {
    Atomics.store(cells, index, before);
  }
}
