// The steps of a batch, published on `framelane.step` of `node:diagnostics_channel`.
import { channel } from "node:diagnostics_channel";

/** Steps of a batch, in order. */
export const BATCH_STEPS = [
  /** Frames are read; no operator has seen them. */
  "read",
  /** All operators are done. */
  "operators",
  /** One sink has written the batch; published once per sink. */
  "write",
  /** One sink's outputs are on disk; published once per sink. */
  "flush",
  /** The plan of the batch is recorded. */
  "plan",
  /** Ready to commit. */
  "commit.before",
  /** The batch is committed; no sink has been notified. */
  "commit.after",
  /** One sink was notified of the commit; published once per sink. */
  "committed",
] as const;

const steps = channel("framelane.step");

/** A streaming query of this thread has reached a step. */
export function step(name: typeof BATCH_STEPS[number]): void {
  if (steps.hasSubscribers) steps.publish(name);
}
