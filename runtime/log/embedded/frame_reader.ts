import type { Frame } from "../../definition/frame.ts";
import { weightOf } from "../records.ts";
import { badFrame, decodeRecord, recordPlaces } from "./record.ts";
import type { ChunkRow, Store } from "./records.ts";
import { SegmentCursor } from "./segment_cursor.ts";
import type { Tail } from "./tails.ts";

/** Adjacent chunks are read together, up to this many bytes. */
const readAhead = 1 << 20;

export interface FrameLimits {
  readonly maxFrames: number;
  readonly maxBytes: number;
  /** At least one frame, however large. */
  readonly always: boolean;
}

export interface PartitionId {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
}

/** Where to read from; `size` of a single record. */
interface Start {
  readonly offset: number;
  readonly at: number;
  readonly size?: number;
}

export class FrameReader {
  readonly #parts: Store;
  readonly #partition: PartitionId;
  readonly #cursor: SegmentCursor;
  /** The place of the record after the last one read. */
  #next: Start & { readonly segment: number } | undefined;

  constructor(parts: Store, partition: PartitionId) {
    this.#parts = parts;
    this.#partition = partition;
    this.#cursor = new SegmentCursor(parts.dir, parts.db);
  }

  /**
   * Returns the frames from `offset` on, and the offset to continue from, perhaps behind a hole.
   */
  read(
    tail: Tail,
    offset: number,
    { maxFrames, maxBytes, always }: FrameLimits,
  ): { frames: Frame[]; next: number } {
    const { id, topic, partition } = this.#partition;
    const { records, topics } = this.#parts;
    const chunks = records.from(id, tail, offset, maxFrames);
    const frames: Frame[] = [];
    let [next, bytes] = [offset, 0];
    for (const [i, [first, count, segment, position, size, time]] of chunks.entries()) {
      next = Math.max(next, first);
      // Records read before are skipped.
      const known = this.#next?.offset === next && this.#next.segment === segment && next > first;
      const one = frames.length === maxFrames - 1;
      const start = known ? this.#next! : this.#locate(chunks[i]!, next, one);
      let seen = start.offset;
      const from = start.at;
      const left = one && start.size !== undefined ? start.size : position + size - from;
      if (left > maxBytes - bytes && count === 1 && !(always && frames.length === 0)) break;
      const ahead = one ? left : Math.min(readAhead, maxBytes - bytes, end(chunks, i) - from);
      const read = this.#cursor.read(segment, from, left, ahead);
      // Removed by retention in the meantime.
      if (read === undefined && topics.range(id).earliest > next) break;
      for (const found of recordPlaces(read ?? nothing, first + count - seen, left)) {
        const place = { topic, partition, offset: seen++ };
        if (place.offset < next) continue;
        if (frames.length >= maxFrames) return { frames, next };
        const why = read === undefined ? "its segment file is gone" : "its head is damaged";
        const frame = found === undefined
          ? badFrame(place, time, why)
          : decodeRecord(read!, found, place);
        bytes += weightOf(frame);
        if (bytes > maxBytes && !(always && frames.length === 0)) return { frames, next };
        frames.push(frame);
        if (found !== undefined) {
          this.#next = { offset: seen, segment, at: from + found.at + found.size };
        }
        next = seen;
      }
    }
    return { frames, next: chunks.length === 0 ? topics.range(id).latest : next };
  }

  close(): void {
    this.#cursor.close();
  }

  /**
   * Where to begin in a chunk: at the record with this offset, or at its start when a head is
   * damaged.
   */
  #locate(chunk: ChunkRow, offset: number, one: boolean): Start {
    const begin = { offset: chunk[0], at: chunk[3] };
    if (offset === begin.offset && !one) return begin;
    for (const head of this.#cursor.heads(chunk)) if (head.offset === offset) return head;
    return begin;
  }
}

const nothing = new Uint8Array(0);

/** Where the adjacent bytes end from the chunk at `i` on. */
function end(chunks: readonly ChunkRow[], i: number): number {
  let [, , segment, position, size] = chunks[i]!;
  for (let next = i + 1; next < chunks.length; next++) {
    const [, , other, start, length] = chunks[next]!;
    if (other !== segment || start !== position + size) break;
    size += length;
  }
  return position + size;
}
