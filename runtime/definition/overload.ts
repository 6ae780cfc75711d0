// A query's policy when frames arrive faster than it processes them.
import { checkOptions } from "../base/fields.ts";
import { type OptionRow, shown, whole, withDefaults } from "../base/options.ts";

/**
 * - `wait`: drops nothing; the backlog stays in the log;
 * - `drop-oldest`: when more than `maxLagFrames` wait, drops the oldest ones beyond that;
 * - `latest`: when more than one frame waits, drops all but the newest;
 * - `sample`: when more than `maxLagFrames` wait, processes one of `every` frames.
 *
 * The backlog is measured in offsets: in a topic written with transactions, their markers count
 * too. Dropped frames are counted (`dropped`) and committed. Where a query ends by itself (triggers
 * `available-now` and `once`, a read with an end) the policy is always `wait`: it processes all data.
 */
export type OverloadPolicy =
  | { readonly kind: "wait" }
  | { readonly kind: "drop-oldest"; readonly maxLagFrames: number }
  | { readonly kind: "latest" }
  | { readonly kind: "sample"; readonly maxLagFrames: number; readonly every: number };

const DEFAULTS: { readonly [Kind in OverloadPolicy["kind"]]: OverloadPolicy & { kind: Kind } } = {
  wait: { kind: "wait" },
  "drop-oldest": { kind: "drop-oldest", maxLagFrames: 30 },
  latest: { kind: "latest" },
  sample: { kind: "sample", maxLagFrames: 30, every: 4 },
};
const ROWS: Readonly<Record<OverloadPolicy["kind"], Readonly<Record<string, OptionRow>>>> = {
  wait: {},
  "drop-oldest": { maxLagFrames: whole(1) },
  latest: {},
  sample: { maxLagFrames: whole(1), every: whole(2) },
};

/**
 * Checks a policy and fills in defaults: `maxLagFrames` 30, `every` 4.
 *
 * @throws {RangeError} saying what was given and what is accepted.
 */
export function checkOverload(policy: OverloadPolicy | OverloadPolicy["kind"]): OverloadPolicy {
  const { kind, ...numbers } = typeof policy === "string" ? { kind: policy } : { ...policy };
  const rows = Object.hasOwn(ROWS, kind) ? ROWS[kind] : undefined;
  if (rows === undefined) {
    throw new RangeError(
      `Cannot use overload policy ${shown(policy)}: expected wait, drop-oldest, latest or sample`,
    );
  }
  checkOptions(`use overload policy ${kind}`, numbers, rows);
  return withDefaults<OverloadPolicy>(DEFAULTS[kind], numbers);
}
