// Options and callbacks of a streaming query.
import type { Clock } from "../base/clock.ts";
import type { BadFrameError, Frame, Output } from "../definition/frame.ts";
import type { LogReader, Membership, OutputRecord, ReadProblem, TopicLog } from "../log/log.ts";
import type { QueryTotals, StreamingQueryProgress } from "../definition/progress.ts";
import type { QueryPlan } from "../definition/plan.ts";
import type { OperatorError } from "../definition/operator_error.ts";
import type { DeadInput } from "./dead_inputs.ts";
import type { OpenCalls } from "./open_calls.ts";
import type { Measurements } from "./reporter.ts";

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

/** Which call of user code runs. */
export interface CalledWith {
  /** Number of the operator, from 1; 0 for a sink or a timer. */
  readonly step: number;
  /** Offset of the frame being processed, of a window its first; −1 if there is none. */
  readonly offset: number;
  /** As in `FailedInput`. */
  readonly number?: number | undefined;
}

/** Runs a call of user code; without `input` it opens something. */
export type CallUser = <T>(work: () => T, input?: CalledWith) => T;

/** Callbacks of the pipeline. */
export interface PipelineEvents {
  /** An output, in order, with the frame that caused it. */
  onOutput(output: unknown, cause: Frame): void | Promise<void>;
  onBadFrame(frame: Frame, error: BadFrameError): void;
  /**
   * An operator has failed on an input too often; without a frame, on a timer.
   *
   * @returns false if it was dead-lettered before, which does not count again
   */
  onDeadInput(error: OperatorError, frame?: Frame): boolean;
  /** Throws when the sinks cannot take an output: a failure of its operator. */
  checkOutput?(output: unknown): void;
  readonly call: CallUser;
  readonly open: OpenCalls;
}

/** Takes pictures and findings for the wall; latest wins, never blocks. */
export interface PicturePort {
  show(output: Output): void;
}

/** The left frames of a lane of two cameras that wait for the other camera. */
export interface Held {
  /** Their first offset. */
  readonly from: number;
  /**
   * How far the partition with the missing frame was read; `Infinity` for the one not waited for.
   */
  readonly left: number;
  readonly right: number;
}

/** Which frames of a lane depend on earlier ones: access units of video, not images. */
export interface FrameGroups {
  /**
   * Accepts the next frame, in offset order.
   *
   * @returns `no-keyframe` if it depends on a frame that never came
   * @throws {BadFrameError} if it is not a valid access unit
   */
  take(frame: Frame): "image" | "unit" | "no-keyframe";
  interrupt(): void;
  /** The oldest offset to read to decode all from `offset` on. */
  neededFor(offset: number): number;
  close(): Promise<void>;
}

export interface ExecutionOptions {
  readonly report: (message: string) => void;
  /** What prevents reading, each time it occurs; without an argument when it has passed. */
  readonly onProblem?: (problem?: ReadProblem) => void;
  /** It has taken its partition over; `next` is its first frame to process. */
  readonly onStarted?: (id: string, next: number) => void;
  /** Frames wait for the other camera of the lane. */
  readonly onHeld?: (held: Held) => void;
  /** A batch begins, or none runs. */
  readonly onTrigger?: (active: boolean) => void;
  readonly onProgress?: (progress: StreamingQueryProgress, measurements: Measurements) => void;
  /** A batch is committed; what this run has counted so far. */
  readonly onTotals?: (totals: QueryTotals) => void;
  /** Runs each call of an operator or a sink, to know whose code runs. */
  readonly call?: CallUser;
  /** A function of a sink that must not run twice at once begins or ends. */
  readonly onFunction?: (atWork: boolean) => void;
  /** An input was dead-lettered, since its operator has failed on it too often. */
  readonly onDeadInput?: (error: OperatorError) => void;
  readonly plan: QueryPlan;
  readonly log: TopicLog;
  readonly reader: LogReader;
  readonly topic: string;
  readonly partition: number;
  readonly group: string;
  readonly membership?: Membership;
  /**
   * The partition was created while the query ran: without a checkpoint it is read from the start.
   */
  readonly foundLater?: boolean;
  readonly runId: string;
  /** Inputs dead-lettered by earlier runs. */
  readonly deadInputs?: readonly DeadInput[];
  /** Whether the driver has not started another run in its place. */
  readonly owns?: () => boolean;
  readonly clock: Clock;
  readonly pictures: PicturePort;
  /** Checks an encoded image's header; throws `BadFrameError`. */
  readonly inspect: (value: Uint8Array) => void;
  /** The flaws that were repaired while an image was decoded. */
  readonly repairs?: (value: Uint8Array) => Iterable<string> | undefined;
  /** Groups the access units of a partition; without it every frame is an image. */
  readonly groups?: () => FrameGroups;
  readonly deadLetter: (frame: Frame, error: Error) => OutputRecord;
  /** Makes the record of an alert; without it none is kept. */
  readonly alertRecord?: (output: Output) => OutputRecord;
  /** Makes the record of what was found, if anything; without it none is kept. */
  readonly findingsRecord?: (output: Output) => OutputRecord | undefined;
  /** Minimum interval between progress reports, milliseconds. Default 1000. */
  readonly progressIntervalMs?: number;
}
