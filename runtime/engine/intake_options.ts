// What the intake of a streaming query needs, and its callbacks.
import type { Clock } from "../base/clock.ts";
import type { OverloadPolicy } from "../definition/overload.ts";
import type { PartitionReader } from "../log/log.ts";
import type { ExecutionOptions, FrameGroups } from "./options.ts";
import type { DropReason } from "./reporter.ts";

export interface LaneReader extends PartitionReader {
  /**
   * Where the last read with an end stopped short of it: the frame at this offset waits for what is not in
   * the log yet. Absent where no frame waits for others.
   */
  readonly held?: number | undefined;
}

/** What the intake needs, and its callbacks. */
export interface IntakeOptions extends Pick<ExecutionOptions, "inspect"> {
  readonly source: LaneReader;
  readonly groups?: FrameGroups;
  readonly topic: string;
  readonly partition: number;
  readonly query: string;
  readonly failOnDataLoss: boolean;
  readonly overload: OverloadPolicy;
  readonly clock: Clock;
  /** Ends every wait. */
  readonly signal: AbortSignal;
  readonly report: (message: string) => void;
  /** Frames that were left out, or lost. */
  readonly onDropped: (count: number, reason: DropReason) => void;
}

/** What is read again after a restart. */
export interface Rereading {
  /** Frames below this offset were processed before: none of them can be lost any more. */
  readonly until: number;
  /**
   * Called when the log does not hold all of them any more, with the first offset that it holds; true
   * when the query does without.
   */
  readonly onMissing: (earliest: number) => boolean;
}
