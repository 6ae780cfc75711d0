// The steps of a batch, by name: what trials stop a streaming query at.

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

/** A step of a batch. */
export type BatchStep = typeof BATCH_STEPS[number];
