// What a restart can go back to: the state at the ends of batches.

/** Points for what is read again: more would save less than a hundredth of it. */
const POINTS = 100;

/**
 * Adds a point to those of earlier batches, oldest first, and drops those that are not needed.
 *
 * @param needed the restart must be here or earlier
 * @returns the point to go back to
 */
export function restorePoint<Point extends { readonly end: number }>(
  points: Point[],
  point: Point,
  needed: number,
): Point {
  const [before, newest] = points.slice(-2);
  if (newest !== undefined && newest.end - before!.end < (point.end - needed) / POINTS) {
    points.pop();
  }
  points.push(point);
  while (points[1] !== undefined && points[1].end <= needed) points.shift();
  return points[0]!;
}
