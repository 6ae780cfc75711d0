// Marks work of Framelane's own that may hold the thread: what a large picture takes is no fault of the
// operator that asked for it.

let cells: Int32Array | undefined;
let place = 0;

/** From now on own work of this thread shows as a 1 in this cell. */
export function showOwnWork(shared: Int32Array, at: number): void {
  [cells, place] = [shared, at];
}

/** Does work that may take long with a large picture, without a break. */
export function ownWork<T>(work: () => T): T {
  if (cells === undefined) return work();
  const before = Atomics.exchange(cells, place, 1);
  try {
    return work();
  } finally {
    Atomics.store(cells, place, before);
  }
}
