// Minimum-cost assignment.

/**
 * Pairs rows with columns at the lowest total cost. Pairs that cost more than `limit` are not
 * formed.
 *
 * Uses shortest augmenting paths with potentials (Jonker and Volgenant).
 *
 * @param costs row by row
 * @returns for each row its column, or −1.
 */
export function assign(
  costs: Float64Array,
  rows: number,
  columns: number,
  limit: number,
): Int32Array {
  const result = new Int32Array(rows).fill(-1);
  const isNear = (row: number, column: number) => costs[row * columns + column]! <= limit;
  // In a crowd most have no partner within the limit: they take no part, and cost no time.
  const allColumns = Array.from({ length: columns }, (_, column) => column);
  const nearRows = Array.from({ length: rows }, (_, row) => row)
    .filter((row) => allColumns.some((column) => isNear(row, column)));
  const nearColumns = allColumns.filter((column) => nearRows.some((row) => isNear(row, column)));
  const flipped = nearRows.length > nearColumns.length;
  const [few, many] = flipped ? [nearColumns, nearRows] : [nearRows, nearColumns];
  const place = (a: number, b: number): readonly [row: number, column: number] =>
    flipped ? [many[b]!, few[a]!] : [few[a]!, many[b]!];
  // Costs above the limit are all equal, so that they do not affect the other pairs.
  const owners = solve(few.length, many.length, (a, b) => {
    const [row, column] = place(a, b);
    return isNear(row, column) ? costs[row * columns + column]! : limit + 1e-4;
  });
  for (const [b, a] of owners.entries()) {
    if (a < 0) continue;
    const [row, column] = place(a, b);
    if (isNear(row, column)) result[row] = column;
  }
  return result;
}

/** For each of `many` its partner among `few`, or −1; each of `few` gets a partner. */
function solve(few: number, many: number, cost: (a: number, b: number) => number): Int32Array {
  const rowPrice = new Float64Array(few), columnPrice = new Float64Array(many);
  const owners = new Int32Array(many).fill(-1);
  const before = new Int32Array(many), least = new Float64Array(many);
  const done = new Uint8Array(many);
  for (let start = 0; start < few; start++) {
    least.fill(Infinity);
    done.fill(0);
    before.fill(-1);
    let row = start, last = -1, reached = 0;
    for (;;) {
      let next = -1, shortest = Infinity;
      for (let b = 0; b < many; b++) {
        if (done[b] !== 0) continue;
        const path = reached + cost(row, b) - rowPrice[row]! - columnPrice[b]!;
        if (path < least[b]!) {
          least[b] = path;
          before[b] = last;
        }
        if (least[b]! < shortest) {
          shortest = least[b]!;
          next = b;
        }
      }
      done[next] = 1;
      reached = shortest;
      last = next;
      if (owners[next]! < 0) break;
      row = owners[next]!;
    }
    for (let b = 0; b < many; b++) {
      if (done[b] === 0 || b === last) continue;
      const by = reached - least[b]!;
      rowPrice[owners[b]!]! += by;
      columnPrice[b]! -= by;
    }
    rowPrice[start]! += reached;
    for (let b = last; b >= 0;) {
      const from = before[b]!;
      owners[b] = from < 0 ? start : owners[from]!;
      b = from;
    }
  }
  return owners;
}
