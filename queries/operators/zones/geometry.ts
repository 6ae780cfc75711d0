// Geometry of points, polygons and lines.
import type { Point } from "../../../runtime/mod.ts";

/** True for a point inside a polygon, by the even-odd rule. */
export function isInside([x, y]: Point, polygon: readonly Point[]): boolean {
  let inside = false;
  for (let i = 0, before = polygon.length - 1; i < polygon.length; before = i++) {
    const [ax, ay] = polygon[i]!, [bx, by] = polygon[before]!;
    if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

/** True for corners that all lie on one line, which have no inside. */
export function isFlat(corners: readonly Point[]): boolean {
  const [x, y] = corners[0]!;
  return corners.every((a) =>
    corners.every((b) => (a[0] - x) * (b[1] - y) === (b[0] - x) * (a[1] - y))
  );
}

/** Distance of a point to the right of the line from one point to another; negative on the left. */
export function distanceRight(point: Point, from: Point, to: Point): number {
  const dx = to[0] - from[0], dy = to[1] - from[1];
  return (dx * (point[1] - from[1]) - dy * (point[0] - from[0])) / Math.hypot(dx, dy);
}

/** True if the path from `a` to `b`, on different sides, crosses the line between its ends. */
export function crosses(a: Point, b: Point, from: Point, to: Point): boolean {
  const before = distanceRight(a, from, to), after = distanceRight(b, from, to);
  if (before === after) return false;
  const share = before / (before - after);
  const x = a[0] + share * (b[0] - a[0]), y = a[1] + share * (b[1] - a[1]);
  const dx = to[0] - from[0], dy = to[1] - from[1];
  const along = ((x - from[0]) * dx + (y - from[1]) * dy) / (dx * dx + dy * dy);
  return along >= 0 && along <= 1;
}
