// Properties tried on what a fixed seed gives, the same in every run, and on what a new one gives, which
// is printed so that the run can be repeated.
import fc from "fast-check";
import { say } from "./trial_report.ts";

const FIXED_SEED = 20_260_101;

/** How often a property is tried with each of the two seeds. */
export interface FuzzOptions {
  readonly runs?: number;
}

/**
 * Tries a property. `FRAMELANE_TEST_SEED` takes the place of the new seed.
 *
 * @param what is fuzzed; printed with the seed.
 */
export async function fuzz<T>(
  what: string,
  property: fc.IRawProperty<T>,
  { runs = 300 }: FuzzOptions = {},
): Promise<void> {
  const given = Deno.env.get("FRAMELANE_TEST_SEED") ?? "";
  const random = /^\d+$/.test(given)
    ? Number(given)
    : crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1;
  say(`${what}: seeds ${FIXED_SEED} and ${random}`);
  for (const seed of [FIXED_SEED, random]) {
    await fc.assert(property, { seed, numRuns: runs });
  }
}
