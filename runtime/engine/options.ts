// Options and callbacks of a streaming query.
import type { Clock } from "../base/clock.ts";
import type { BadFrameError, Frame, Output } from "../definition/frame.ts";
import type { LogReader, Membership, OutputRecord, ReadProblem, TopicLog } from "../log/log.ts";
import type { QueryTotals, StreamingQueryProgress } from "../definition/progress.ts";
import type { QueryPlan } from "../definition/plan.ts";
import type { OperatorError } from "../definition/operator_error.ts";
import type { InputAside } from "./put_aside.ts";
import type { Measurements } from "./reporter.ts";

/** Describes a call of user code. */
export interface CalledWith {
  /** Number of the operator, from 1; 0 for a sink or a timer. */
  readonly step: number;
  /** Offset of the frame being processed; −1 if there is none. */
  readonly offset: number;
}

/** Runs a call of user code; without `input` it opens something. */
export type CallUser = <T>(work: () => T, input?: CalledWith) => T;

/** Events of the pipeline. */
export interface PipelineEvents {
  /** An output, in order, with the frame whose arrival caused it. */
  onOutput(output: unknown, cause: Frame): void | Promise<void>;
  /** A frame that cannot be processed. */
  onBadFrame(frame: Frame, error: BadFrameError): void;
  /**
   * An operator has failed on an input too often; without a frame, on a timer.
   *
   * @returns false if the input was dead-lettered before and does not count again
   */
  onPutAside(error: OperatorError, frame?: Frame): boolean;
  /** Throws if the sinks reject an output, which counts as a failure of its operator. */
  checkOutput?(output: unknown): void;
  readonly call: CallUser;
}

/** Receives pictures and results for the wall: latest wins, never blocks. */
export interface PicturePort {
  show(output: Output): void;
}

/** Frames of a lane with two cameras that wait for the slower camera. */
export interface Held {
  /** First waiting frame; earlier ones were passed to the operators. */
  readonly from: number;
  /**
   * Read positions of the lane's own and the other partition; `Infinity` for the one that is not waited for.
   */
  readonly left: number;
  readonly right: number;
}

export interface ExecutionEvents {
  readonly report: (message: string) => void;
  /** Called with each problem that blocks reading, and without one once it has passed. */
  readonly onProblem?: (problem?: ReadProblem) => void;
  /** The partition was taken over; processing continues at `next`. */
  readonly onStarted?: (id: string, next: number) => void;
  /** No frame of a lane with two cameras can be decided yet. */
  readonly onHeld?: (held: Held) => void;
  /** A batch begins, or no batch is running any more. */
  readonly onTrigger?: (active: boolean) => void;
  readonly onProgress?: (progress: StreamingQueryProgress, measurements: Measurements) => void;
  /** A batch was committed; the totals of this run. */
  readonly onTotals?: (totals: QueryTotals) => void;
  /** Runs each call of an operator or a sink, to record whose code has the thread. */
  readonly call?: CallUser;
  /** A sink function that must not run twice at once begins or ends. */
  readonly onFunction?: (atWork: boolean) => void;
  /** An operator has failed too often on an input, which was dead-lettered. */
  readonly onPutAside?: (error: OperatorError) => void;
}

/** Tracks dependencies between frames: access units of video depend on earlier ones, images do not. */
export interface FrameGroups {
  /**
   * Accepts the next frame, in offset order.
   *
   * @returns `no-keyframe` if it depends on a frame that never came
   * @throws {BadFrameError} if it is not a valid access unit
   */
  take(frame: Frame): "image" | "unit" | "no-keyframe";
  /** Call where frames are missing. */
  interrupt(): void;
  /** The oldest offset to read so that all frames from `offset` on can be decoded. */
  neededFor(offset: number): number;
  close(): Promise<void>;
}

export interface ExecutionOptions extends ExecutionEvents {
  readonly plan: QueryPlan;
  readonly log: TopicLog;
  readonly reader: LogReader;
  readonly topic: string;
  readonly partition: number;
  readonly group: string;
  readonly membership?: Membership;
  /** The partition was created while the query ran: without a checkpoint it is read from its start. */
  readonly foundLater?: boolean;
  readonly runId: string;
  /** Inputs that earlier runs have failed on too often. */
  readonly aside?: readonly InputAside[];
  /**
   * One cell: one past the offset of the last frame that live sinks have seen. It outlives a run, so that
   * repeated frames are not shown or measured twice.
   */
  readonly shown?: BigInt64Array;
  /** False once the driver has started another run in place of this one. */
  readonly owns?: () => boolean;
  readonly clock: Clock;
  readonly pictures: PicturePort;
  /** Checks an encoded image's header; throws `BadFrameError`. */
  readonly inspect: (value: Uint8Array) => void;
  /** Names of the repairs made to an image while operators decoded it, for counting. */
  readonly repairs?: (value: Uint8Array) => Iterable<string> | undefined;
  /** Groups access units by keyframe; without it every frame is an image. */
  readonly groups?: () => FrameGroups;
  readonly deadLetter: (frame: Frame, error: Error) => OutputRecord;
  /** Creates the record that stores an alert; without it none is stored. */
  readonly alertRecord?: (output: Output) => OutputRecord;
  /** Creates the record that stores results, if there are any; without it none is stored. */
  readonly findingsRecord?: (output: Output) => OutputRecord | undefined;
  /** Minimum interval between progress reports, milliseconds. Default 1000. */
  readonly progressIntervalMs?: number;
}
