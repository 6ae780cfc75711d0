// The name that was probably meant.

/** The most similar of `names`: at most two edits away, or one for a short name. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  return [1, name.length < 4 ? 1 : 2].flatMap((letters) =>
    names.filter((candidate) => distance(name, candidate) <= letters)
  )[0];
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, change));
    }
    row = next;
  }
  return row[b.length]!;
}
