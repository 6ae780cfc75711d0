// A frame: one record of the topic. One encoded image of one camera, with its capture time.
//
// This module imports nothing: everything else may depend on it.

/** Headers of a record: names and values as UTF-8 text. */
export type Headers = Readonly<Record<string, string>>;

/**
 * One encoded image as it stands in a partition of the log.
 *
 * `partition` and `offset` are the frame's identity: within a partition offsets only grow, and
 * every operator and sink sees frames in offset order.
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
  /** The record's key, `CAMERA-n` for Framelane's cameras; foreign producers may leave it out. */
  readonly key: string | null;
  /** `content-type`, `session`, `seq`, `width`, `height`, `label`, …: all optional. */
  readonly headers: Headers;
  /** The encoded image. May be a view on a larger buffer: copy it before you keep it for long. */
  readonly value: Uint8Array;
  /** What operators found on this frame; absent until one of them says something. */
  readonly result?: Result;
  /**
   * Which of the outputs made of this frame or window it is, from 0, which is left out. Set by the
   * runtime on what goes to sinks.
   */
  readonly part?: number;
  /** Why the log could not give the record back: no operator sees it, it goes to the dead letters. */
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
   * Which of the windows that begin with this frame it is, from 0, which is left out. Several do
   * where frames are held (`fps`) and where windows by time overlap.
   */
  readonly number?: number;
  /** Capture time of the first frame, epoch milliseconds. */
  readonly firstTimestamp: number;
  readonly lastTimestamp: number;
  /** How many gaps (missing frames or pauses beyond `maxGapMs`) lie inside the window. */
  readonly gaps: number;
}

/** What JSON can hold. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

/** What operators add for themselves, by name; it reaches every sink as it is. */
export type ResultData = Readonly<Record<string, Json>>;

/** One object that was seen in a frame. */
export interface DetectedObject {
  readonly label: string;
  /** 0 to 1. */
  readonly score: number;
  /** Left, top, right, bottom in pixels of the source frame. */
  readonly box: readonly [number, number, number, number];
  /** The same whole number on each frame that shows this object, within a session of its camera. */
  readonly track?: number;
  /** x and y in pixels of the source frame, and a score from 0 to 1, in the order of the model. */
  readonly keypoints?: readonly (readonly [x: number, y: number, score: number])[];
  readonly data?: ResultData;
}

/** How often a line was crossed from its left hand to its right (`in`) and back (`out`). */
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

/** What a query found: the value of a JSON output record and a line of an `events` file. */
export interface Result {
  readonly query?: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly camera?: string;
  /** What people call the camera, and where it is. */
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
  /** How many objects are in each zone, by the zones' names. */
  readonly zones?: Readonly<Record<string, number>>;
  /** Crossings so far of each line, by the lines' names. */
  readonly counts?: Readonly<Record<string, LineCount>>;
  readonly alert?: Alert;
  readonly data?: ResultData;
}

/**
 * The finding on a window: a result, and if the operator drew one, a picture to show with it.
 * Its identity is the window's: first offset and number.
 */
export interface Finding {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | null;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** `Window.number`; the runtime sets it where an operator does not. */
  readonly number?: number;
  /** See `Frame.part`. */
  readonly part?: number;
  /** Capture time of the last frame, epoch milliseconds. */
  readonly timestamp: number;
  readonly result: Result;
  /** The window's last frame, drawn on or as it was. */
  readonly picture?: Frame;
}

/** What flows into sinks: a processed frame, or the finding on a window. */
export type Output = Frame | Finding;

/** True for a finding, false for a frame. */
export function isFinding(output: Output): output is Finding {
  return "firstOffset" in output;
}

/** First source offset that went into an output. */
export function firstOffsetOf(output: Output): number {
  return isFinding(output) ? output.firstOffset : output.offset;
}

/** Last source offset that went into an output. */
export function lastOffsetOf(output: Output): number {
  return isFinding(output) ? output.lastOffset : output.offset;
}

/** What a window's number adds to the name of something made of it: nothing, `.2`, `.3`, … */
export function numberSuffix(number = 0): string {
  return number === 0 ? "" : `.${number + 1}`;
}

/**
 * The name of an output within its partition: `OFFSET` or `FIRST-LAST`, then the number of the window
 * and of the output where there are several. The same in any run, whatever its batches.
 *
 * @param digits offsets are filled up with zeros to this length.
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

/** The camera that a record names in its key, or else the one that owns its partition. */
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
 * A frame that cannot be processed (corrupt, empty, too large, of an unknown type). Thrown by an
 * operator it costs this one frame, which goes to the dead letters; the query continues.
 */
export class BadFrameError extends Error {
  override readonly name = "BadFrameError";
  /** Short and countable, e.g. `corrupt`, `empty`, `too-large`, `unsupported-type`. */
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
