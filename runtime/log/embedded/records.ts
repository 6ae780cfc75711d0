/**
 * Records: which are where. Chunks, of one or several records each, are rows; their bytes are in segment files.
 *
 * @module
 */
import { join } from "node:path";
import type { Frame } from "../../definition/frame.ts";
import { LogError } from "../log.ts";
import type { Database } from "./database.ts";
import { badFrame, decodeRecord, type EncodedRecord, recordSize, recordTime } from "./record.ts";
import { offsetLimit, offsetOfId, placeId, wholeLog } from "./schema.ts";
import { SegmentLost } from "./errors.ts";
import type { Placed } from "./segment_writer.ts";
import type { Topics } from "./topics.ts";
import type { Retention } from "./url.ts";

/** What one chunk holds at most: retention, time and damage are known this finely. */
const chunkRecords = 64;
const chunkBytes = 1 << 20;

/** Most bytes to read at once of chunks that lie behind each other. */
const readAhead = 1 << 20;

type ChunkRow = [
  first: number,
  count: number,
  segment: number,
  position: number,
  size: number,
  time: number,
];

const chunkColumns = `${offsetOfId}, count, segment, position, size, max_time`;

/** How the records are divided into chunks, so that retention need not keep much more than it should. */
export function chunksOf(records: readonly EncodedRecord[], kept: Retention): EncodedRecord[][] {
  const most = Math.min(chunkBytes, kept.bytes / 16);
  const chunks: EncodedRecord[][] = [];
  let bytes = 0;
  for (const record of records) {
    const last = chunks.at(-1);
    if (last !== undefined && last.length < chunkRecords && bytes + record.size <= most) {
      last.push(record);
      bytes += record.size;
    } else {
      chunks.push([record]);
      bytes = record.size;
    }
  }
  return chunks;
}

/** The rows of records. The methods are synchronous: call them within `read` or `write`. */
export class Records {
  readonly #db: Database;
  readonly #topics: Topics;
  readonly #dir: string;

  constructor(dir: string, db: Database, topics: Topics) {
    this.#dir = dir;
    this.#db = db;
    this.#topics = topics;
  }

  /** Within a transaction: a number for it, larger than that of all before. */
  nextChange(): number {
    return this.#db.get<[number]>(
      `UPDATE partitions SET change = change + 1 WHERE id = ${wholeLog} RETURNING change`,
    )![0];
  }

  /**
   * Within a transaction: makes records visible that were placed in a segment.
   *
   * @returns the first record's offset.
   * @throws {SegmentLost} when the segment is no longer this log's.
   */
  append(
    id: number,
    chunks: readonly (readonly EncodedRecord[])[],
    { segment, position }: Placed,
    change: number,
    now: number,
  ): number {
    const db = this.#db;
    const [latest, bytes, before] = db.get<[number, number, number]>(
      "SELECT latest, bytes, arrived FROM partitions WHERE id = ?",
      id,
    )!;
    const count = chunks.reduce((sum, { length }) => sum + length, 0);
    if (latest + count > offsetLimit) {
      throw new LogError(
        "INTERNAL",
        `Cannot append: the partition has used up its ${offsetLimit} offsets`,
      );
    }
    const row = db.get<[number | null, string]>(
      "SELECT next, file FROM segments WHERE id = ?",
      segment.id,
    );
    const lost = row === undefined ? segment.known : row[0] !== null || row[1] !== segment.file;
    if (lost) throw new SegmentLost(segment);
    if (row === undefined) {
      db.run(
        "INSERT INTO segments VALUES (?, ?, ?, ?, NULL, NULL, NULL)",
        segment.id,
        id,
        segment.file,
        latest,
      );
    }
    // A clock that is set back does not make younger records look older.
    const arrived = Math.max(before, now);
    let [first, at, total] = [latest, position, bytes];
    for (const records of chunks) {
      let [size, time] = [0, -Infinity];
      for (const record of records) {
        size += record.size;
        time = Math.max(time, record.timestamp);
      }
      db.run(
        `INSERT INTO chunks VALUES (${placeId}, ?, ?, ?, ?, ?, ?, ?)`,
        id,
        first,
        records.length,
        segment.id,
        at,
        size,
        total,
        arrived,
        time,
      );
      first += records.length;
      at += size;
      total += size;
    }
    db.run(
      "UPDATE partitions SET latest = ?, bytes = ?, arrived = ?, change = ? WHERE id = ?",
      first,
      total,
      arrived,
      change,
      id,
    );
    return latest;
  }

  /** Within a transaction: records below an offset are no longer shown. */
  hideBefore(id: number, offset: number, change: number): void {
    this.#db.run(
      "UPDATE partitions SET floor = min(?, latest), change = ? WHERE id = ? AND floor < min(?, latest)",
      offset,
      change,
      id,
      offset,
    );
  }

  /**
   * Reads from `offset` on: at most `maxFrames` frames of at most `maxBytes` in sum; with `always` one
   * frame however large it is.
   *
   * @returns the frames, and the offset to go on from, which may lie behind a hole.
   */
  read(
    cursor: SegmentCursor,
    offset: number,
    { maxFrames, maxBytes, always }: { maxFrames: number; maxBytes: number; always: boolean },
  ): { frames: Frame[]; next: number } {
    const { id, topic, partition } = cursor.place;
    const chunks = this.#chunks(id, offset, maxFrames);
    const frames: Frame[] = [];
    let [next, bytes] = [offset, 0];
    for (const [i, [first, count, segment, position, size, time]] of chunks.entries()) {
      next = Math.max(next, first);
      // Records of a chunk that were read before are passed over.
      const known = next > first && cursor.next?.offset === next && cursor.next.segment === segment
        ? cursor.next.position
        : undefined;
      let seen = known === undefined ? first : next;
      const from = known ?? position;
      const left = position + size - from;
      if (left > maxBytes - bytes && count === 1 && !(always && frames.length === 0)) break;
      const ahead = Math.min(readAhead, maxBytes - bytes, end(chunks, i) - from);
      const read = cursor.read(segment, from, left, () => this.#file(segment), ahead);
      for (let at = 0; seen < first + count; seen++) {
        if (frames.length >= maxFrames) return { frames, next };
        const place = { topic, partition, offset: seen };
        if (seen < next) {
          if (read !== undefined) at += recordSize(read, at) ?? read.length;
          continue;
        }
        if (read === undefined) {
          frames.push(badFrame(place, time, "its segment file is gone: it"));
          next = seen + 1;
          continue;
        }
        const length = recordSize(read, at) ?? 0;
        if (bytes + length > maxBytes && !(always && frames.length === 0)) return { frames, next };
        const { frame, size } = decodeRecord(read, at, place, time);
        frames.push(frame);
        bytes += length;
        // A damaged head hides where the next record begins: the rest of the chunk is lost.
        at = size === undefined ? read.length : at + size;
        next = seen + 1;
        cursor.next = { offset: next, segment, position: from + at };
      }
    }
    return { frames, next: chunks.length === 0 ? this.#topics.range(id).latest : next };
  }

  /** The first offset whose timestamp is at or after `time`; the latest offset when none is. */
  offsetForTime(cursor: SegmentCursor, time: number): number {
    const { id } = cursor.place;
    const { earliest, latest } = this.#topics.range(id);
    const segments = this.#db.all<[number, number, number | null]>(
      `SELECT id, first, next FROM segments WHERE partition = ?
       AND (next IS NULL OR next > ? AND max_time >= ?) ORDER BY first`,
      id,
      earliest,
      time,
    );
    let found = latest;
    for (const [segment, first, next] of segments) {
      if (first >= found) break;
      const start = this.#db.get<[number]>(
        `SELECT coalesce(max(${offsetOfId}), 0) FROM chunks WHERE id >= ${placeId} AND id <= ${placeId}`,
        id,
        0,
        id,
        Math.max(first, earliest),
      )![0];
      // A chunk may begin before the offsets that are still shown, so several are looked at.
      const chunks = this.#db.all<ChunkRow>(
        `SELECT ${chunkColumns} FROM chunks WHERE id >= ${placeId} AND id < ${placeId}
         AND segment = ? AND max_time >= ? ORDER BY id LIMIT 2`,
        id,
        start,
        id,
        next ?? offsetLimit - 1,
        segment,
        time,
      );
      for (const chunk of chunks) {
        const offset = this.#inChunk(cursor, chunk, time, earliest);
        if (offset === undefined) continue;
        found = Math.min(found, offset);
        break;
      }
    }
    return found;
  }

  #inChunk(
    cursor: SegmentCursor,
    [first, count, segment, position, size]: ChunkRow,
    time: number,
    earliest: number,
  ): number | undefined {
    if (count === 1) return first >= earliest ? first : undefined;
    const bytes = cursor.read(segment, position, size, () => this.#file(segment));
    for (let [at, offset] = [0, first]; offset < first + count; offset++) {
      const length = bytes === undefined ? undefined : recordSize(bytes, at);
      if (offset >= earliest && (length === undefined || recordTime(bytes!, at) >= time)) {
        return offset;
      }
      at += length ?? 0;
    }
    return undefined;
  }

  /** The chunks from the one that holds `offset` on. */
  #chunks(id: number, offset: number, limit: number): ChunkRow[] {
    const chunks = this.#db.all<ChunkRow>(
      `SELECT ${chunkColumns} FROM chunks WHERE id < ${placeId} AND id >= coalesce((
         SELECT max(id) FROM chunks WHERE id >= ${placeId} AND id <= ${placeId}
       ), ${placeId}) ORDER BY id LIMIT ?`,
      id,
      offsetLimit - 1,
      id,
      0,
      id,
      offset,
      id,
      offset,
      limit + 1,
    );
    return chunks.filter(([first, count]) => first + count > offset);
  }

  #file(segment: number): string | undefined {
    const row = this.#db.get<[string]>("SELECT file FROM segments WHERE id = ?", segment);
    return row === undefined ? undefined : join(this.#dir, row[0]);
  }
}

/** Where the bytes end that follow each other from the chunk at `i` on. */
function end(chunks: readonly ChunkRow[], i: number): number {
  let [, , segment, position, size] = chunks[i]!;
  for (const [, , other, start, length] of chunks.slice(i + 1)) {
    if (other !== segment || start !== position + size) break;
    size += length;
  }
  return position + size;
}

/** The segment that one reader has open, and where its next record begins. */
export class SegmentCursor {
  readonly place: { readonly id: number; readonly topic: string; readonly partition: number };
  next:
    | { readonly offset: number; readonly segment: number; readonly position: number }
    | undefined;
  #open: { readonly segment: number; readonly file: Deno.FsFile } | undefined;
  #buffer = new Uint8Array(64 << 10);
  /** What the buffer holds. */
  #held = { segment: -1, position: 0, size: 0 };

  constructor(place: SegmentCursor["place"]) {
    this.place = place;
  }

  /**
   * Bytes of a segment, good until the next call; fewer when the file is shorter, undefined when it is gone.
   *
   * @param ahead bytes that may be read at once, for the next calls.
   */
  read(
    segment: number,
    position: number,
    size: number,
    file: () => string | undefined,
    ahead = size,
  ): Uint8Array | undefined {
    const from = position - this.#held.position;
    if (
      this.#held.segment !== segment || from < 0 || from + size > this.#held.size
    ) {
      if (!this.#fill(segment, position, Math.max(size, ahead), file)) return undefined;
      return this.#buffer.subarray(0, Math.min(size, this.#held.size));
    }
    return this.#buffer.subarray(from, from + size);
  }

  #fill(segment: number, position: number, size: number, file: () => string | undefined): boolean {
    if (this.#open?.segment !== segment) {
      this.close();
      try {
        const path = file();
        if (path === undefined) return false;
        this.#open = { segment, file: Deno.openSync(path) };
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return false;
        throw error;
      }
    }
    // A large record must not hold its room for ever.
    const room = 2 ** Math.ceil(Math.log2(Math.max(size, 64 << 10)));
    if (this.#buffer.length < room || this.#buffer.length > 4 << 20) {
      this.#buffer = new Uint8Array(room);
    }
    const { file: handle } = this.#open!;
    handle.seekSync(position, Deno.SeekMode.Start);
    let got = 0;
    while (got < size) {
      const more = handle.readSync(this.#buffer.subarray(got, size));
      if (more === null) break;
      got += more;
    }
    this.#held = { segment, position, size: got };
    return true;
  }

  close(): void {
    this.#open?.file.close();
    this.#open = undefined;
    this.#held = { segment: -1, position: 0, size: 0 };
  }
}
