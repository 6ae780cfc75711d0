/** Rounds a score to four decimals: more would be noise, and enlarge the events. */
export function rounded(score: number): number {
  return Math.round(score * 10_000) / 10_000;
}
