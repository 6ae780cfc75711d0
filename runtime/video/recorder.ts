// Turns a lane's images into the bytes of video files: which file, which group, what time. Knows no
// disk. What it makes depends on the images, their times and offsets alone, never on how they are
// batched, so that a recorder which begins again from a mark continues with the same bytes.
import { crc32 } from "node:zlib";
import type { Container, Track } from "./container.ts";
import type { Encoding, Prepared } from "./encoding.ts";
import type { IndexEntry } from "./frame_index.ts";
import { nextPoint, type TimePoint } from "./timeline.ts";

/** Where a file was when its last group of pictures began. */
export interface GroupStart {
  readonly length: number;
  readonly frames: number;
  readonly steps: number;
  /** Of the last picture before; absent at a file's beginning. */
  readonly point?: TimePoint;
  readonly offset?: number;
  readonly track: Track;
}

/** The group of pictures that a file ends with. */
export interface Group {
  readonly start: GroupStart;
  /** Source offset and time in the file of its first picture. */
  readonly offset: number;
  readonly time: number;
  readonly entries: readonly IndexEntry[];
  /** Checksum of its bytes in the file. */
  readonly crc: number;
}

/** How far a file has come. Plain data. */
export interface Mark {
  /** Name of the file. */
  readonly file: string;
  readonly track: Track;
  readonly length: number;
  readonly frames: number;
  readonly steps: number;
  readonly point: TimePoint;
  /** Source offset of the last picture. */
  readonly offset: number;
  readonly group: Group;
}

/** How far a recording has come: the file at work, and how many there were. Plain data. */
export interface Progress {
  readonly mark?: Mark;
  readonly files: number;
}

/** What must be done on disk, in order. */
export type Piece =
  /** Begins a file with its header. */
  | { readonly kind: "begin"; readonly file: string; readonly header: Uint8Array }
  | { readonly kind: "append"; readonly bytes: readonly Uint8Array[] }
  /** A group is complete: its entries go into the file's index. */
  | { readonly kind: "group"; readonly entries: readonly IndexEntry[] }
  /** The file is complete. */
  | { readonly kind: "finish"; readonly mark: Mark };

/** Pictures of a group at most. */
const MOST_GROUP_FRAMES = 250;

/** How to record. */
export interface RecorderOptions {
  readonly container: Container;
  readonly encoding: Encoding;
  /** Name of a file without ending, for the first offset in it. */
  readonly nameOf: (files: number, offset: number) => string;
  /** A group of pictures lasts this long at most. Default 2 000. */
  readonly groupMs?: number;
  /** A file lasts this long at most. */
  readonly rollMs?: number;
  /** A file that is this large gets no more pictures. */
  readonly rollBytes?: number;
}

/** One lane's recorder. Calls must not overlap. */
export class Recorder {
  readonly #options: Required<RecorderOptions>;
  #progress: Progress;
  #pieces: Piece[] = [];
  /** The encoder is in the middle of the group that the mark ends with. */
  #live = false;

  constructor(options: RecorderOptions, progress: Progress = { files: 0 }) {
    this.#options = {
      groupMs: 2000,
      rollMs: Infinity,
      rollBytes: Infinity,
      ...options,
    };
    this.#progress = progress;
  }

  get progress(): Progress {
    return this.#progress;
  }

  /** What `add` has made since the last call. */
  take(): Piece[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  /** Continues from elsewhere; the next picture begins a group. */
  restore(progress: Progress): void {
    this.#progress = progress;
    this.#live = false;
  }

  /** Adds a picture, which stays the caller's. */
  async add(picture: Prepared, timestamp: number, offset: number): Promise<void> {
    const { container, encoding } = this.#options;
    let mark = this.#progress.mark;
    let point = nextPoint(mark?.point, timestamp);
    const joins = this.#live && picture.joins === true;
    if (mark !== undefined && !joins && !this.#fits(mark, picture, point, offset)) mark = undefined;
    const groupEnds = mark === undefined || !this.#live ||
      (picture.joins === undefined ? this.#groupEnds(mark, point) : !picture.joins);
    let track = mark?.track;
    if (groupEnds) {
      const configuration = await encoding.begin(picture);
      this.#live = true;
      if (track?.configuration !== configuration) mark = undefined;
      if (mark === undefined) {
        const { width, height } = picture;
        track = { width, height, startTimestamp: timestamp, configuration };
      }
    }
    const { data, key } = await encoding.encode(picture);
    if (mark === undefined) point = nextPoint(undefined, timestamp);
    const sample = { data, key, ...point, offset };
    if (mark?.frames === 1) track = container.refine?.(track!, sample) ?? track;
    const start = this.#begin(mark, track!, offset, groupEnds);
    const { bytes, entry } = container.append(track!, sample, mark?.steps ?? 0);
    this.#pieces.push({ kind: "append", bytes });
    const group = groupEnds
      ? { start, offset, time: point.time, entries: [], crc: 0 }
      : mark!.group;
    this.#progress = {
      files: this.#progress.files,
      mark: {
        file: mark?.file ?? this.#nameOf(offset),
        track: track!,
        length: bytes.reduce((sum, { length }) => sum + length, mark?.length ?? start.length),
        frames: (mark?.frames ?? 0) + 1,
        steps: (mark?.steps ?? 0) + entry.step * (mark === undefined ? 0 : 1),
        point,
        offset,
        group: {
          ...group,
          entries: [...group.entries, entry],
          crc: bytes.reduce((crc, part) => crc32(part, crc), group.crc),
        },
      },
    };
  }

  /** Whether the picture can go into the file. */
  #fits(mark: Mark, picture: Prepared, point: TimePoint, offset: number): boolean {
    const { container, rollMs, rollBytes } = this.#options;
    const { track, steps, length } = mark;
    return picture.width === track.width && picture.height === track.height &&
      point.time < rollMs && length < rollBytes &&
      container.accepts(track, { ...point, key: true, offset }, steps, length);
  }

  #groupEnds({ group }: Mark, point: TimePoint): boolean {
    const { groupMs } = this.#options;
    return point.time - group.time >= groupMs || group.entries.length >= MOST_GROUP_FRAMES;
  }

  #nameOf(offset: number): string {
    const { nameOf, container } = this.#options;
    return `${nameOf(this.#progress.files - 1, offset)}.${container.ending}`;
  }

  /** What comes before the picture: the end of a group or file, the beginning of a new one. */
  #begin(
    mark: Mark | undefined,
    track: Track,
    offset: number,
    groupEnds: boolean,
  ): GroupStart {
    if (mark !== undefined) {
      if (groupEnds) this.#pieces.push({ kind: "group", entries: mark.group.entries });
      const { length, frames, steps, point, offset: last } = mark;
      return { length, frames, steps, point, offset: last, track };
    }
    const old = this.#progress.mark;
    if (old !== undefined) {
      this.#pieces.push({ kind: "group", entries: old.group.entries });
      this.#pieces.push({ kind: "finish", mark: old });
    }
    this.#progress = { ...this.#progress, files: this.#progress.files + 1 };
    const header = this.#options.container.header(track);
    this.#pieces.push({ kind: "begin", file: this.#nameOf(offset), header });
    return { length: header.length, frames: 0, steps: 0, track };
  }
}

/** How far a recording was when its last group of pictures began. */
export function beforeGroup({ mark, files }: Progress): Progress {
  if (mark === undefined) return { files };
  const { start } = mark.group;
  if (start.frames === 0) return { files: files - 1 };
  // The group before is not known any more, and not needed: another one begins here.
  const group = { start, offset: mark.group.offset, time: 0, entries: [], crc: 0 };
  const { track, length, frames, steps, point, offset } = start;
  return {
    files,
    mark: { file: mark.file, track, length, frames, steps, point: point!, offset: offset!, group },
  };
}
