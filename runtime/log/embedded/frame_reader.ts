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

/** Where to read from; of one record alone its size is known. */
interface Start {
  readonly offset: number;
  readonly at: number;
  readonly size?: number;
}

/** Reads one partition. */
export class FrameReader {
  readonly #parts: FrameParts;
  readonly #partition: PartitionId;
  readonly #cursor: SegmentCursor;
  /** Where the record lies that follows the last one read. */
  #next: Start & { readonly segment: number } | undefined;

  constructor(parts: FrameParts, partition: PartitionId) {
    this.#parts = parts;
    this.#partition = partition;
    this.#cursor = new SegmentCursor(parts.dir, parts.db);
  }

  /**
   * Reads from `offset` on.
   *
   * @returns the frames, and the offset to continue from, which may lie behind a hole.
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
      const one = frames.length === maxFrames - 1;
      const start = known ? this.#next! : this.#locate(chunks[i]!, next, one);
      let seen = start.offset;
      const from = start.at;
      const left = one && start.size !== undefined ? start.size : position + size - from;
      if (left > maxBytes - bytes && count === 1 && !(always && frames.length === 0)) break;
      const ahead = one ? left : Math.min(readAhead, maxBytes - bytes, end(chunks, i) - from);
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

  /** Where to begin in a chunk: at the record with this offset, unless a head before it is damaged. */
  #locate(chunk: ChunkRow, offset: number, one: boolean): Start {
    const begin = { offset: chunk[0], at: chunk[3] };
    if (offset === begin.offset && !one) return begin;
    for (const head of this.#cursor.heads(chunk)) if (head.offset === offset) return head;
    return begin;
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
