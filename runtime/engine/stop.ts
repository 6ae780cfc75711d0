// How streaming queries are stopped.

/**
 * `drain` after the batch that runs is committed, `move` likewise but another runtime continues where it
 * ends, `abort` at once.
 */
export type StopMode = "drain" | "move" | "abort";

/** The query was asked to stop. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";

  constructor() {
    super("The streaming query was stopped");
  }
}
