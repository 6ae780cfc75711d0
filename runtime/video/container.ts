// The interface of video files for writers: a file grows picture by picture, can be played at any
// moment, and gets an index when it is finished.

import type { EncodedPicture } from "./encoding.ts";
import type { FrameIndex, IndexEntry } from "./frame_index.ts";
import type { TimePoint } from "./timeline.ts";

/** What all pictures of a file have in common. */
export interface Track {
  readonly width: number;
  readonly height: number;
  /** Capture time of the first picture, epoch milliseconds. */
  readonly startTimestamp: number;
  /** The decoder's configuration record, as base64; empty where the format needs none. */
  readonly configuration: string;
  /** Pictures a second, for formats with a fixed rate. */
  readonly fps?: number;
}

/** One encoded picture, at its time in the file. */
export interface Sample extends EncodedPicture, TimePoint {
  /** The source offset it comes from. */
  readonly offset: number;
}

/** Bytes to add to a file. */
export interface Appended {
  readonly bytes: readonly Uint8Array[];
  readonly entry: IndexEntry;
}

/** A kind of video file. */
export interface Container {
  /** Ending of file names, without the dot. */
  readonly ending: string;
  /**
   * What the second picture tells about all, for formats with a fixed rate. The header is then
   * written again.
   */
  refine?(track: Track, second: Omit<Sample, "data">): Track;
  /**
   * Whether a picture can follow in a file of `length` bytes whose entries' steps add up to `steps`;
   * else it begins a new file.
   */
  accepts(track: Track, sample: Omit<Sample, "data">, steps: number, length: number): boolean;
  /**
   * The beginning of a file that is not finished: of as many bytes whatever it has grown to.
   *
   * @param grown the content of the file so far; absent if it is empty
   */
  header(track: Track, grown?: { steps: number; length: number }): Uint8Array;
  /** Whether the header tells how far the file has grown. */
  readonly headerGrows: boolean;
  append(track: Track, sample: Sample, steps: number): Appended;
  /**
   * Finishes a file of `length` bytes.
   *
   * @returns what follows at its end, and what replaces bytes at its beginning after that.
   */
  finish(track: Track, index: FrameIndex, length: number, lastDelta: number): Finish;
}

/** How a file is finished. */
export interface Finish {
  readonly tail: Uint8Array;
  readonly patch: { readonly position: number; readonly bytes: Uint8Array };
}
