/**
 * Intersection over union of two boxes: left, top, right, bottom.
 *
 * @param i where the first box begins in its array, `j` the second
 */
export function iouOf(a: ArrayLike<number>, b: ArrayLike<number>, i = 0, j = 0): number {
  const width = Math.min(a[i + 2]!, b[j + 2]!) - Math.max(a[i]!, b[j]!);
  const height = Math.min(a[i + 3]!, b[j + 3]!) - Math.max(a[i + 1]!, b[j + 1]!);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (areaOf(a, i) + areaOf(b, j) - shared);
}

function areaOf(box: ArrayLike<number>, at: number): number {
  return (box[at + 2]! - box[at]!) * (box[at + 3]! - box[at + 1]!);
}
