/**
 * `drain`: once the running batch is committed; `move`: the same, but another runtime continues there;
 * `abort`: at once.
 */
export type StopMode = "drain" | "move" | "abort";

export class StoppedError extends Error {
  override readonly name = "StoppedError";

  constructor() {
    super("The streaming query was stopped");
  }
}
