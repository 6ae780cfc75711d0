/**
 * Lists of numbers as people write them.
 *
 * @module
 */

/** `1-3, 7`. */
export function formatNumbers(numbers: readonly number[], separator = ", "): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (sorted[end + 1] === sorted[end]! + 1) end++;
    parts.push(end === i ? `${sorted[i]}` : `${sorted[i]}-${sorted[end]}`);
    i = end + 1;
  }
  return parts.join(separator);
}
