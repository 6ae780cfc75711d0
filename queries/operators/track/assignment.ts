// Minimum-cost assignment.

/** Pairs that are compared in all combinations: beyond, it may take seconds. */
const MOST_PAIRS = 500 * 500;

/**
 * Pairs rows with columns at the lowest total cost. Pairs that cost more than `limit` are not
 * formed.
 *
 * Uses shortest augmenting paths with potentials (Jonker and Volgenant). Where there are very many
 * pairs each one takes the cheapest partner that is left.
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
  const flipped = rows > columns;
  const [few, many] = flipped ? [columns, rows] : [rows, columns];
  const own = Float64Array.from({ length: few * many }, (_, at) => {
    const cost = costs[flipped ? (at % many) * columns + Math.floor(at / many) : at]!;
    // Costs above the limit are all equal, so that they do not affect the other pairs.
    return cost <= limit ? cost : limit + 1e-4;
  });
  const pair = own.length > MOST_PAIRS ? takeCheapest : solve;
  for (const [b, a] of pair(own, few, many, limit).entries()) {
    if (a < 0 || own[a * many + b]! > limit) continue;
    result[flipped ? b : a] = flipped ? a : b;
  }
  return result;
}

/** Like `solve`, in one pass; rows without a partner that costs less than the limit get none. */
function takeCheapest(
  costs: Float64Array,
  few: number,
  many: number,
  limit: number,
): Int32Array {
  const owners = new Int32Array(many).fill(-1);
  for (let a = 0; a < few; a++) {
    let best = -1, least = limit;
    for (let b = 0; b < many; b++) {
      const cost = costs[a * many + b]!;
      if (owners[b]! >= 0 || (best < 0 ? cost > least : cost >= least)) continue;
      least = cost;
      best = b;
    }
    if (best >= 0) owners[best] = a;
  }
  return owners;
}

/** For each of `many` columns its partner among `few` rows, or −1; each row gets a partner. */
function solve(costs: Float64Array, few: number, many: number): Int32Array {
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
      const base = reached - rowPrice[row]!;
      for (let b = 0; b < many; b++) {
        if (done[b] !== 0) continue;
        const path = base + costs[row * many + b]! - columnPrice[b]!;
        if (path < least[b]!) {
          least[b] = path;
          before[b] = last;
        }
        // Of equal columns a free one, which ends the search: most pairs in a crowd are equally far.
        if (least[b]! < shortest || (least[b] === shortest && owners[b]! < 0)) {
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
