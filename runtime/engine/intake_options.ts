// Options of the intake.
import type { OverloadPolicy } from "../definition/overload.ts";
import type { PartitionReader } from "../log/log.ts";
import type { ExecutionOptions, FrameGroups } from "./options.ts";
import type { DropReason } from "./reporter.ts";

export interface LaneReader extends PartitionReader {
  /**
   * Where the last bounded read stopped early: the frame at this offset waits for one that is not
   * in the log yet. Absent where no frame waits for others.
   */
  readonly held?: number | undefined;
}

export interface IntakeOptions
  extends Pick<ExecutionOptions, "topic" | "partition" | "clock" | "report" | "inspect"> {
  readonly source: LaneReader;
  readonly groups?: FrameGroups;
  readonly query: string;
  readonly failOnDataLoss: boolean;
  readonly overload: OverloadPolicy;
  readonly signal: AbortSignal;
  readonly onDropped: (count: number, reason: DropReason) => void;
}

/** A range re-read after a restart. */
export interface Rereading {
  /** Frames below this offset were processed before the restart. */
  readonly until: number;
  /**
   * Called with the first offset that the log holds, when it lacks some; true when the query does
   * without.
   */
  readonly onMissing: (earliest: number) => boolean;
}
