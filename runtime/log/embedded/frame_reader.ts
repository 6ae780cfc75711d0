// Reading the frames of a partition from its segments.
import type { Frame } from "../../definition/frame.ts";
import type { Database } from "./database.ts";
import { badFrame, decodeRecord, recordPlaces } from "./record.ts";
import type { ChunkRow, Records } from "./records.ts";
import { SegmentCursor } from "./segment_cursor.ts";
import type { Topics } from "./topics.ts";

/** Chunks that lie behind each other are read together, at most this many bytes. */
const readAhead = 1 << 20;

/** The parts of an open log that reading needs. */
export interface FrameParts {
  readonly dir: string;
  readonly db: Database;
  readonly topics: Topics;
  readonly records: Records;
}

/** How much to read at once. */
export interface FrameLimits {
  readonly maxFrames: number;
  /** Of all frames in sum. */
  readonly maxBytes: number;
  /** One frame however large it is. */
  readonly always: boolean;
}

/** A partition of a topic. */
export interface PartitionId {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
}

/** Reads one partition. */
export class FrameReader {
  readonly #parts: FrameParts;
  readonly #partition: PartitionId;
  readonly #cursor: SegmentCursor;
  /** Where the record lies that follows the last one read. */
  #next: { readonly offset: number; readonly segment: number; readonly at: number } | undefined;

  constructor(parts: FrameParts, partition: PartitionId) {
    this.#parts = parts;
    this.#partition = partition;
    this.#cursor = new SegmentCursor(parts.dir, parts.db);
  }

  /**
   * Reads from `offset` on.
   *
   * @returns the frames, and the offset to go on from, which may lie behind a hole.
   */
  read(
    offset: number,
    { maxFrames, maxBytes, always }: FrameLimits,
  ): { frames: Frame[]; next: number } {
    const { id, topic, partition } = this.#partition;
    const { records, topics } = this.#parts;
    const chunks = records.from(id, offset, maxFrames);
    const frames: Frame[] = [];
    let [next, bytes] = [offset, 0];
    for (const [i, [first, count, segment, position, size, time]] of chunks.entries()) {
      next = Math.max(next, first);
      // Records of a chunk that were read before are passed over.
      const known = this.#next?.offset === next && this.#next.segment === segment && next > first;
      let seen = known ? next : first;
      const from = known ? this.#next!.at : position;
      const left = position + size - from;
      if (left > maxBytes - bytes && count === 1 && !(always && frames.length === 0)) break;
      const ahead = Math.min(readAhead, maxBytes - bytes, end(chunks, i) - from);
      const read = this.#cursor.read(segment, from, left, ahead);
      // Retention was faster.
      if (read === undefined && topics.range(id).earliest > next) break;
      for (const found of recordPlaces(read ?? nothing, first + count - seen, left)) {
        const place = { topic, partition, offset: seen++ };
        if (place.offset < next) continue;
        if (frames.length >= maxFrames) return { frames, next };
        const length = found?.size ?? 0;
        if (bytes + length > maxBytes && !(always && frames.length === 0)) return { frames, next };
        if (found === undefined) {
          const what = read === undefined ? "its segment file is gone: it" : "its head";
          frames.push(badFrame(place, time, what));
        } else {
          frames.push(decodeRecord(read!, found, place));
          bytes += length;
          this.#next = { offset: seen, segment, at: from + found.at + length };
        }
        next = seen;
      }
    }
    return { frames, next: chunks.length === 0 ? topics.range(id).latest : next };
  }

  close(): void {
    this.#cursor.close();
  }
}

const nothing = new Uint8Array(0);

/** Where the bytes end that follow each other from the chunk at `i` on. */
function end(chunks: readonly ChunkRow[], i: number): number {
  let [, , segment, position, size] = chunks[i]!;
  for (const [, , other, start, length] of chunks.slice(i + 1)) {
    if (other !== segment || start !== position + size) break;
    size += length;
  }
  return position + size;
}
