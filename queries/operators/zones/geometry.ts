// Geometry of points, polygons and lines.
import type { Point } from "../../../runtime/mod.ts";

/** True for a point inside a polygon, by the even-odd rule, or on its border, as boxes cut off by the picture are. */
export function isInside([x, y]: Point, polygon: readonly Point[]): boolean {
  let inside = false;
  for (let i = 0, before = polygon.length - 1; i < polygon.length; before = i++) {
    const [ax, ay] = polygon[i]!, [bx, by] = polygon[before]!;
    const isOnLine = (bx - ax) * (y - ay) === (by - ay) * (x - ax);
    if (isOnLine && (x - ax) * (x - bx) <= 0 && (y - ay) * (y - by) <= 0) return true;
    if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

/** True for corners that all lie on one line, which have no inside. */
export function isFlat(corners: readonly Point[]): boolean {
  const [x, y] = corners[0] ?? [0, 0];
  const others = corners.map((corner): Point => [corner[0] - x, corner[1] - y]);
  const far = others.reduce((a, b) => Math.hypot(...b) > Math.hypot(...a) ? b : a, [0, 0]);
  // Decimal fractions on one line are not so to the last bit.
  return others.every((other) => Math.abs(other[0] * far[1] - far[0] * other[1]) < 1e-12);
}

/** Distance of a point to the right of the line from one point to another; negative on the left. */
export function distanceRight(point: Point, from: Point, to: Point): number {
  const dx = to[0] - from[0], dy = to[1] - from[1];
  return (dx * (point[1] - from[1]) - dy * (point[0] - from[0])) / Math.hypot(dx, dy);
}

/** True if the path from `a` to `b`, on different sides, crosses the line between its ends. */
export function crosses(a: Point, b: Point, from: Point, to: Point): boolean {
  return distanceRight(from, a, b) * distanceRight(to, a, b) <= 0;
}
