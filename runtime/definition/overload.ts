/**
 * What a query does when frames come faster than it processes them.
 *
 * @module
 */

/**
 * - `wait`: nothing is left out, the backlog stays in the log;
 * - `drop-oldest`: when more than `maxLagFrames` wait, the oldest beyond that are left out;
 * - `latest`: when more than one frame waits, all but the newest one are left out;
 * - `sample`: when more than `maxLagFrames` wait, one of `every` frames is processed.
 *
 * How many wait is known by offsets: in a topic that was written in transactions their markers count too.
 * What is left out is counted (`dropped`) and committed. With the triggers `available-now` and `once` it
 * is always `wait`: they ask for all there is.
 */
export type OverloadPolicy =
  | { readonly kind: "wait" }
  | { readonly kind: "drop-oldest"; readonly maxLagFrames: number }
  | { readonly kind: "latest" }
  | { readonly kind: "sample"; readonly maxLagFrames: number; readonly every: number };

/**
 * Checks a policy and fills in defaults: `maxLagFrames` 30, `every` 4.
 *
 * @throws {RangeError} saying what was given and what is accepted.
 */
export function checkOverload(policy: OverloadPolicy | OverloadPolicy["kind"]): OverloadPolicy {
  const given = typeof policy === "string" ? { kind: policy } : policy;
  const lag = "maxLagFrames" in given ? given.maxLagFrames : 30;
  const every = "every" in given ? given.every : 4;
  if (!Number.isInteger(lag) || lag < 1) {
    throw new RangeError(`Cannot use maxLagFrames ${lag}: expected a whole number from 1 up`);
  }
  if (!Number.isInteger(every) || every < 2) {
    throw new RangeError(`Cannot use every ${every}: expected a whole number from 2 up`);
  }
  switch (given.kind) {
    case "wait":
    case "latest":
      return { kind: given.kind };
    case "drop-oldest":
      return { kind: "drop-oldest", maxLagFrames: lag };
    case "sample":
      return { kind: "sample", maxLagFrames: lag, every };
    default:
      throw new RangeError(
        `Cannot use overload policy ${
          JSON.stringify(given)
        }: expected wait, drop-oldest, latest or sample`,
      );
  }
}
