// The steps of a batch, published on `framelane.step` of `node:diagnostics_channel`.
import { channel } from "node:diagnostics_channel";

/** Steps between reading a batch and being done with it, in the order in which they come. */
export const BATCH_STEPS = [
  /** Frames are read, no operator has seen them. */
  "read",
  /** All operators are done. */
  "operators",
  /** One sink has taken the batch; comes once for each sink. */
  "write",
  /** One sink's outputs are on disk; comes once for each sink. */
  "flush",
  /** The plan of the batch is recorded. */
  "plan",
  /** Everything is ready to be committed. */
  "commit.before",
  /** The batch is committed, no sink has heard of it. */
  "commit.after",
  /** One sink has heard of the commit; comes once for each sink. */
  "committed",
] as const;

const steps = channel("framelane.step");

/** A streaming query of this thread has reached a step. */
export function step(name: typeof BATCH_STEPS[number]): void {
  if (steps.hasSubscribers) steps.publish(name);
}
