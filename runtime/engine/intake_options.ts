// Options and callbacks of a streaming query's intake.
import type { Clock } from "../base/clock.ts";
import type { OverloadPolicy } from "../definition/overload.ts";
import type { PartitionReader } from "../log/log.ts";
import type { ExecutionOptions, FrameGroups } from "./options.ts";
import type { DropReason } from "./reporter.ts";

export interface LaneReader extends PartitionReader {
  /**
   * Where the last bounded read stopped short: the frame at this offset waits for frames not yet in the log.
   * Absent if no frame waits for others.
   */
  readonly held?: number | undefined;
}

export interface IntakeOptions extends Pick<ExecutionOptions, "inspect"> {
  readonly source: LaneReader;
  readonly groups?: FrameGroups;
  readonly topic: string;
  readonly partition: number;
  readonly query: string;
  readonly failOnDataLoss: boolean;
  readonly overload: OverloadPolicy;
  readonly clock: Clock;
  /** Cancels every wait. */
  readonly signal: AbortSignal;
  readonly report: (message: string) => void;
  /** Frames were dropped or lost. */
  readonly onDropped: (count: number, reason: DropReason) => void;
}

/** A range re-read after a restart. */
export interface Rereading {
  /** Frames below this offset were processed before and can no longer be lost. */
  readonly until: number;
  /**
   * Called if the log no longer holds all of them, with its first offset; returns true if the query can do
   * without.
   */
  readonly onMissing: (earliest: number) => boolean;
}
