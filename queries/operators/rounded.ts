// Scores as they are reported.

/** Four digits: what is beyond them is noise, and would fill the events. */
export function rounded(score: number): number {
  return Math.round(score * 10_000) / 10_000;
}
