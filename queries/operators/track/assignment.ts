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
  if (rows === 0 || columns === 0) return result;
  // Costs above the limit are all equal, so that they do not affect the other pairs.
  const cost = (row: number, column: number) => {
    const own = costs[row * columns + column]!;
    return own <= limit ? own : limit + 1e-4;
  };
  const flipped = rows > columns;
  const [few, many] = flipped ? [columns, rows] : [rows, columns];
  const owners = solve(few, many, flipped ? (a, b) => cost(b, a) : cost);
  for (let b = 0; b < many; b++) {
    const a = owners[b]!;
    if (a < 0) continue;
    const [row, column] = flipped ? [b, a] : [a, b];
    if (costs[row * columns + column]! <= limit) result[row] = column;
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
