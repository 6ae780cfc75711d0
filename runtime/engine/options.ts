// What a streaming query needs, and its callbacks.
import type { Clock } from "../base/clock.ts";
import type { BadFrameError, Frame, Output } from "../definition/frame.ts";
import type { LogReader, Membership, OutputRecord, ReadProblem, TopicLog } from "../log/log.ts";
import type { QueryTotals, StreamingQueryProgress } from "../definition/progress.ts";
import type { QueryPlan } from "../definition/plan.ts";
import type { OperatorError } from "../definition/operator_error.ts";
import type { InputAside } from "./put_aside.ts";
import type { Measurements } from "./reporter.ts";

/** What code that is not the engine's own is called with. */
export interface CalledWith {
  /** Number of the operator, from 1; 0 for a sink or a timer. */
  readonly step: number;
  /** Offset of the frame that is being processed; −1 where there is none. */
  readonly offset: number;
}

/** Runs a call of code that is not the engine's own; without `input` it opens something. */
export type CallUser = <T>(work: () => T, input?: CalledWith) => T;

/** What the pipeline tells the streaming query while it works. */
export interface PipelineEvents {
  /** An output, with the frame whose arrival caused it, in order. */
  onOutput(output: unknown, cause: Frame): void | Promise<void>;
  /** A frame that cannot be processed. */
  onBadFrame(frame: Frame, error: BadFrameError): void;
  /**
   * An operator has failed on an input too often; without a frame it was a timer's.
   *
   * @returns false when the same was put aside before: it does not count again.
   */
  onPutAside(error: OperatorError, frame?: Frame): boolean;
  /** Throws when the sinks cannot take an output: its operator has failed then. */
  checkOutput?(output: unknown): void;
  /** Runs each call of an operator. */
  readonly call: CallUser;
}

/** Takes pictures and findings for the wall: latest wins, and it never blocks. */
export interface PicturePort {
  show(output: Output): void;
}

/** Frames that wait for what is not in the log yet: those of a lane of two cameras for the slower one. */
export interface Held {
  /** They begin here: those before it were given to the operators. */
  readonly from: number;
  /** How far the partition was read from which a frame is needed, the lane's own or the other; `Infinity` for the one that is not waited for. */
  readonly left: number;
  readonly right: number;
}

/** Callbacks of a streaming query. */
export interface ExecutionEvents {
  /** A line for people. */
  readonly report: (message: string) => void;
  /** What keeps it from reading on, each time it is met; called without anything when it has passed. */
  readonly onProblem?: (problem?: ReadProblem) => void;
  /** It has taken its partition over; frames from `next` on are still to come. */
  readonly onStarted?: (id: string, next: number) => void;
  /** Nothing can be done with what both cameras of a lane have sent. */
  readonly onHeld?: (held: Held) => void;
  /** A batch begins, or no batch runs any more. */
  readonly onTrigger?: (active: boolean) => void;
  readonly onProgress?: (progress: StreamingQueryProgress, measurements: Measurements) => void;
  /** A batch is committed; what this run has counted until then. */
  readonly onTotals?: (totals: QueryTotals) => void;
  /** Runs each call of an operator or a sink, so that it is known whose code has the thread. */
  readonly call?: CallUser;
  /** A function of a sink, which must not run twice at once, begins or ends. */
  readonly onFunction?: (atWork: boolean) => void;
  /** An operator has failed too often on an input, which was put aside. */
  readonly onPutAside?: (error: OperatorError) => void;
}

/** Which frames of a lane depend on earlier ones: access units of video do, images do not. */
export interface FrameGroups {
  /**
   * Takes the next frame, in offset order.
   *
   * @returns `no-keyframe` when it depends on a frame that never came.
   * @throws {BadFrameError} when its bytes are no access unit.
   */
  take(frame: Frame): "image" | "unit" | "no-keyframe";
  /** Frames are missing here. */
  interrupt(): void;
  /** The oldest offset to read so that all from `offset` on can be decoded. */
  neededFor(offset: number): number;
  close(): Promise<void>;
}

/** What a streaming query needs. */
export interface ExecutionOptions extends ExecutionEvents {
  readonly plan: QueryPlan;
  readonly log: TopicLog;
  readonly reader: LogReader;
  readonly topic: string;
  readonly partition: number;
  readonly group: string;
  readonly membership?: Membership;
  /** The partition was created while the query ran: without a checkpoint it is read from the start. */
  readonly foundLater?: boolean;
  readonly runId: string;
  /** Inputs that earlier runs have failed on too often. */
  readonly aside?: readonly InputAside[];
  /**
   * One cell: the offset after the last frame whose outputs live sinks have had. It outlives a run,
   * so that what runs again after a restart is not shown, nor its latency measured, a second time.
   */
  readonly shown?: BigInt64Array;
  /** Whether the driver still means this run, and has not started another one in its place. */
  readonly owns?: () => boolean;
  readonly clock: Clock;
  /** The way to the wall. */
  readonly pictures: PicturePort;
  /** Looks at an encoded image's header; throws `BadFrameError`. */
  readonly inspect: (value: Uint8Array) => void;
  /** What was repaired of an image while operators decoded it: names to count. */
  readonly repairs?: (value: Uint8Array) => Iterable<string> | undefined;
  /** Puts the access units of a partition into their groups; without it every frame is an image. */
  readonly groups?: () => FrameGroups;
  readonly deadLetter: (frame: Frame, error: Error) => OutputRecord;
  /** Makes the record by which an alert is remembered; without it none is. */
  readonly alertRecord?: (output: Output) => OutputRecord;
  /** Makes the record of what was found, if anything was; without it none is made. */
  readonly findingsRecord?: (output: Output) => OutputRecord | undefined;
  /** Milliseconds between two progress reports. Default 1000. */
  readonly progressIntervalMs?: number;
}
