// Finds connected regions of a picture.

/** A connected region of cells. */
export interface Region {
  /** In cells; right and bottom are exclusive. */
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  /** Number of cells. */
  readonly cells: number;
  /** Sum of the weights of its cells. */
  readonly weight: number;
}

/**
 * Finds the regions of adjacent cells, including diagonal ones.
 *
 * @param weights one weight per cell, row by row; cells with 0 belong to no region
 * @param width cells in a row
 * @returns the regions, largest first; of equal ones the upper left one first.
 */
export function connectedRegions(weights: ArrayLike<number>, width: number): Region[] {
  const height = Math.floor(weights.length / width);
  const seen = new Uint8Array(width * height);
  const stack: number[] = [];
  const regions: Region[] = [];
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] !== 0 || weights[start]! <= 0) continue;
    let left = width, top = height, right = 0, bottom = 0, cells = 0, weight = 0;
    seen[start] = 1;
    stack.push(start);
    while (stack.length > 0) {
      const cell = stack.pop()!;
      const x = cell % width, y = (cell - x) / width;
      cells++;
      weight += weights[cell]!;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const neighbour = ny * width + nx;
          if (seen[neighbour] !== 0 || weights[neighbour]! <= 0) continue;
          seen[neighbour] = 1;
          stack.push(neighbour);
        }
      }
    }
    regions.push({ left, top, right, bottom, cells, weight });
  }
  return regions.sort((a, b) => b.cells - a.cells || a.top - b.top || a.left - b.left);
}
