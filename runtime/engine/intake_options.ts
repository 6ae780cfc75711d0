// Options of the intake.
import type { Clock } from "../base/clock.ts";
import type { OverloadPolicy } from "../definition/overload.ts";
import type { PartitionReader } from "../log/log.ts";
import type { ExecutionOptions, FrameGroups } from "./options.ts";
import type { DropReason } from "./reporter.ts";

export interface IntakeOptions extends Pick<ExecutionOptions, "inspect"> {
  readonly source: PartitionReader;
  readonly groups?: FrameGroups;
  readonly topic: string;
  readonly partition: number;
  readonly query: string;
  readonly failOnDataLoss: boolean;
  readonly overload: OverloadPolicy;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly report: (message: string) => void;
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
