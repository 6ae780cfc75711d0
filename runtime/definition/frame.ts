// A frame is one record of the topic: one encoded image of one camera, with its capture time.
//
// This module has no imports, so that everything else may depend on it.

/** Headers of a record: names and values as UTF-8 text. */
export type Headers = Readonly<Record<string, string>>;

/**
 * One encoded image in a partition of the log.
 *
 * `partition` and `offset` identify the frame: offsets only grow within a partition, and every
 * operator and sink sees frames in offset order.
 */
export interface Frame {
  /** The topic that the frame was read from. */
  readonly topic: string;
  /** Partition number, from 0. `CAMERA-n` publishes to partition n − 1. */
  readonly partition: number;
  /** Position in the partition. */
  readonly offset: number;
  /** Capture time, epoch milliseconds. */
  readonly timestamp: number;
  /** The record's key, `CAMERA-n` for Framelane's cameras; other producers may omit it. */
  readonly key: string | null;
  /** `content-type`, `session`, `seq`, `width`, `height`, `label`, …: all optional. */
  readonly headers: Headers;
  /** The encoded image. May be a view of a larger buffer: copy it if you keep it. */
  readonly value: Uint8Array;
  /** What operators found in this frame; absent if nothing. */
  readonly result?: Result;
  /** Index among the outputs of one frame or window; absent for 0. Set by the runtime. */
  readonly part?: number;
  /** Why the log could not read the record, which is dead-lettered before operators see it. */
  readonly fault?: BadFrameError;
}

/** An ordered list of frames of one partition. */
export interface Window {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | null;
  /** The frames in offset order. */
  readonly frames: readonly Frame[];
  /** Offset of the first frame: with `number`, the window's identity. */
  readonly firstOffset: number;
  readonly lastOffset: number;
  /**
   * Index among the windows that start with the same frame; absent for 0. Several windows may start
   * with one frame if frames are held (`fps`) or windows overlap in time.
   */
  readonly number?: number;
  /** Capture time of the first frame, epoch milliseconds. */
  readonly firstTimestamp: number;
  readonly lastTimestamp: number;
  /** The number of gaps inside the window: missing frames, or pauses beyond `maxGapMs`. */
  readonly gaps: number;
}

/** A JSON value. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

/** Custom data of operators, by name; it reaches every sink unchanged. */
export type ResultData = Readonly<Record<string, Json>>;

/** An object detected in a frame. */
export interface DetectedObject {
  readonly label: string;
  /** 0 to 1. */
  readonly score: number;
  /** Left, top, right, bottom in pixels of the source frame. */
  readonly box: readonly [number, number, number, number];
  /** Integer that identifies the object across frames, within one session of its camera. */
  readonly track?: number;
  /** x and y in pixels of the source frame, and a score from 0 to 1, in the model's order. */
  readonly keypoints?: readonly (readonly [x: number, y: number, score: number])[];
  readonly data?: ResultData;
}

/** How often a line was crossed from left to right (`in`) and back (`out`). */
export interface LineCount {
  readonly in: number;
  readonly out: number;
}

/** Findings on one frame of a window. */
export interface FrameResult {
  readonly offset: number;
  readonly timestamp: number;
  readonly scores?: Readonly<Record<string, number>>;
  readonly objects?: readonly DetectedObject[];
  readonly data?: ResultData;
}

/** A transition of an alert; one `id` for the whole episode. */
export interface Alert {
  readonly id: string;
  readonly state: "start" | "update" | "end";
  readonly label: string;
  /** The highest score of the episode so far. */
  readonly peak: number;
}

/** What a query found: the value of a JSON output record, and a line of an `events` file. */
export interface Result {
  readonly query?: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly camera?: string;
  /** The camera's display name and location. */
  readonly cameraName?: string;
  readonly place?: string;
  readonly window?: {
    readonly firstOffset: number;
    readonly lastOffset: number;
    /** `Window.number`. */
    readonly number?: number;
    readonly firstTimestamp: number;
    readonly lastTimestamp: number;
    readonly frames: number;
    readonly gaps: number;
  };
  readonly model?: { readonly name: string; readonly sha256: string };
  /** Milliseconds spent in the model. */
  readonly inferMs?: number;
  readonly scores?: Readonly<Record<string, number>>;
  readonly frames?: readonly FrameResult[];
  /** The number of objects in each zone, by zone name. */
  readonly zones?: Readonly<Record<string, number>>;
  /** Crossings of each line so far, by line name. */
  readonly counts?: Readonly<Record<string, LineCount>>;
  readonly alert?: Alert;
  readonly data?: ResultData;
}

/** The result for a window, possibly with a picture. Identified by first offset and number. */
export interface Finding {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | null;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** `Window.number`; set by the runtime if the operator does not. */
  readonly number?: number;
  /** See `Frame.part`. */
  readonly part?: number;
  /** Capture time of the last frame, epoch milliseconds. */
  readonly timestamp: number;
  readonly result: Result;
  /** The window's last frame, possibly annotated. */
  readonly picture?: Frame;
}

/** What sinks receive: a processed frame, or the finding for a window. */
export type Output = Frame | Finding;

/** True for a finding, false for a frame. */
export function isFinding(output: Output): output is Finding {
  return "firstOffset" in output;
}

/** The first source offset of an output. */
export function firstOffsetOf(output: Output): number {
  return isFinding(output) ? output.firstOffset : output.offset;
}

/** The last source offset of an output. */
export function lastOffsetOf(output: Output): number {
  return isFinding(output) ? output.lastOffset : output.offset;
}

/** The suffix of a window's number in names: empty, `.2`, `.3`, … */
export function numberSuffix(number = 0): string {
  return number === 0 ? "" : `.${number + 1}`;
}

/**
 * The name of an output within its partition: `OFFSET` or `FIRST-LAST`, followed by the numbers of
 * the window and the output if there are several. It does not depend on the run or its batches.
 *
 * @param digits offsets are padded with zeros to this length
 *
 * @example
 * ```ts
 * import { outputName } from "./frame.ts";
 *
 * const window = { topic: "T", partition: 0, key: null, timestamp: 0, result: {} };
 * outputName({ ...window, firstOffset: 3, lastOffset: 7 }); // "3-7"
 * outputName({ ...window, firstOffset: 3, lastOffset: 7, number: 1 }); // "3-7.2"
 * outputName({ ...window, firstOffset: 3, lastOffset: 7, number: 1, part: 1 }); // "3-7.2-2"
 * ```
 */
export function outputName(output: Output, digits = 1): string {
  const padded = (offset: number) => String(offset).padStart(digits, "0");
  const { part = 0 } = output;
  if (!isFinding(output)) return padded(output.offset) + numberSuffix(part);
  const { firstOffset, lastOffset, number = 0 } = output;
  const suffix = part === 0 ? numberSuffix(number) : `.${number + 1}-${part + 1}`;
  return `${padded(firstOffset)}-${padded(lastOffset)}${suffix}`;
}

/** The name of the camera that owns a partition: `CAMERA-n` for partition n − 1. */
export function cameraOfPartition(partition: number): string {
  return `CAMERA-${partition + 1}`;
}

/** The camera in a record's key, otherwise the one that owns its partition. */
export function cameraOf(record: { key: string | null; partition: number }): string {
  return record.key !== null && record.key !== ""
    ? record.key.toWellFormed()
    : cameraOfPartition(record.partition);
}

/** The name of the streaming query on a partition. */
export function laneName(partition: number): string {
  return `QUERY-PARTITION-${partition}`;
}

/**
 * A frame that cannot be processed (corrupt, empty, too large, of an unknown type). If an operator
 * throws it, this one frame is dead-lettered and the query continues.
 */
export class BadFrameError extends Error {
  override readonly name = "BadFrameError";
  /** A short code for counting, e.g. `corrupt`, `empty`, `too-large`, `unsupported-type`. */
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
