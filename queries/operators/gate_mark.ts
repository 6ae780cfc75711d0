// The mark that `gate` leaves on frames.
import type { Frame, ResultData } from "../../runtime/mod.ts";

export interface GateMark {
  /** False on a still frame, which is not looked at. */
  readonly run: boolean;
  /** Frames so far that were not looked at. */
  readonly skipped: number;
}

export function gateData({ run, skipped }: GateMark): ResultData {
  return { gate: { run, skipped } };
}

/** True of a frame that need not be looked at. */
export function isStill({ result }: Frame): boolean {
  const mark = result?.data?.["gate"];
  return typeof mark === "object" && mark !== null && "run" in mark && mark.run === false;
}
