// The mark that `gate` adds to frames.
import type { Frame, ResultData } from "../../runtime/mod.ts";

/** The decision of `gate` on a frame. */
export interface GateMark {
  /** False for a still frame, which is not analysed. */
  readonly run: boolean;
  /** How many frames were skipped so far. */
  readonly skipped: number;
}

/** The mark as a result's data. */
export function gateData({ run, skipped }: GateMark): ResultData {
  return { gate: { run, skipped } };
}

/** True for a frame that need not be analysed. */
export function isStill({ result }: Frame): boolean {
  const mark = result?.data?.["gate"];
  return typeof mark === "object" && mark !== null && "run" in mark && mark.run === false;
}
