/**
 * Records: which are where. Chunks of records that lie together are rows; their bytes are in segment files. The newest
 * chunk of a partition grows in the partition's own row, so that an append changes nothing else.
 *
 * @module
 */
import { LogError } from "../log.ts";
import type { Database } from "./database.ts";
import type { EncodedRecord } from "./record.ts";
import { offsetLimit, offsetOfId, placeId } from "./schema.ts";
import { SegmentLost } from "./errors.ts";
import type { Placed } from "./segment_writer.ts";
import type { Retention } from "./url.ts";

/** What one chunk holds at most: retention and time are known this finely. */
const [chunkRecords, chunkBytes, chunkMs] = [64, 256 << 10, 1_000];

/** Records that lie together, from offset `first` on. `time` is the newest timestamp. */
export type ChunkRow = [
  first: number,
  count: number,
  segment: number,
  position: number,
  size: number,
  time: number,
];

/** Columns of `chunks`, as a `ChunkRow`. */
export const chunkColumns = `${offsetOfId}, count, segment, position, size, max_time`;

/** The chunk of a partition that still grows, if any, in the columns of `ChunkRow`. */
export const openChunk = `SELECT open_first, latest - open_first, open_segment, open_position,
  bytes - open_total, open_time FROM partitions WHERE id = ? AND open_segment IS NOT NULL`;

type PartitionState = [
  latest: number,
  bytes: number,
  arrived: number,
  segment: number | null,
  first: number,
  position: number,
  total: number,
  openArrived: number,
  time: number,
];

/** The rows of records. The methods are synchronous: call them within `read` or `write`. */
export class Records {
  readonly #db: Database;
  #version = -1;
  #change = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Within a transaction: a number for it, larger than that of all before. */
  nextChange(): number {
    const version = this.#db.dataVersion();
    if (version !== this.#version) {
      // Others have written.
      const row = this.#db.get<[number | null]>("SELECT max(change) FROM partitions")!;
      this.#change = Math.max(this.#change, row[0] ?? 0);
      this.#version = version;
    }
    return ++this.#change;
  }

  /**
   * Within a transaction: makes records visible that were placed in a segment.
   *
   * @returns the first record's offset.
   * @throws {SegmentLost} when the segment is no longer this log's.
   */
  append(
    id: number,
    records: readonly EncodedRecord[],
    { segment, position }: Placed,
    { kept, change, now }: { kept: Retention; change: number; now: number },
  ): number {
    const state = this.#db.get<PartitionState>(
      `SELECT latest, bytes, arrived, open_segment, open_first, open_position, open_total, open_arrived,
       open_time FROM partitions WHERE id = ?`,
      id,
    )!;
    const start = state[0];
    if (start + records.length > offsetLimit) {
      throw new LogError(
        "INTERNAL",
        `Cannot append: the partition has used up its ${offsetLimit} offsets`,
      );
    }
    this.#claim(id, segment, start);
    // A clock that is set back does not make younger records look older.
    const arrived = Math.max(state[2], now);
    const [mostBytes, mostMs] = [
      Math.min(chunkBytes, kept.bytes / 16),
      Math.min(chunkMs, kept.ms / 16),
    ];
    let [latest, bytes, , open, first, from, total, since, time] = state;
    let at = position;
    for (const record of records) {
      const fits = open === segment.id && from + bytes - total === at &&
        latest - first < chunkRecords && bytes - total + record.size <= mostBytes &&
        arrived - since <= mostMs;
      if (!fits) {
        if (open !== null) {
          this.#addChunk(id, first, latest - first, open, from, bytes - total, total, since, time);
        }
        segment.chunks++;
        [open, first, from, total, since, time] = [
          segment.id,
          latest,
          at,
          bytes,
          arrived,
          record.timestamp,
        ];
      }
      time = Math.max(time, record.timestamp);
      latest++;
      bytes += record.size;
      at += record.size;
    }
    this.#db.run(
      `UPDATE partitions SET latest = ?, bytes = ?, arrived = ?, change = ?, open_segment = ?,
       open_first = ?, open_position = ?, open_total = ?, open_arrived = ?, open_time = ? WHERE id = ?`,
      ...[latest, bytes, arrived, change, open, first, from, total, since, time, id],
    );
    return start;
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

  /** The chunks from the one that holds `offset` on, `limit` at most. */
  from(id: number, offset: number, limit: number): ChunkRow[] {
    // One statement, so that a chunk that is closed meanwhile is seen once.
    const chunks = this.#db.all<ChunkRow>(
      `SELECT * FROM (SELECT ${chunkColumns} FROM chunks WHERE id < ${placeId} AND id >= coalesce((
         SELECT max(id) FROM chunks WHERE id >= ${placeId} AND id <= ${placeId}
       ), ${placeId}) ORDER BY id LIMIT ?) UNION ALL ${openChunk}`,
      ...[id, offsetLimit - 1, id, 0, id, offset, id, offset, limit + 1, id],
    );
    return chunks.slice(0, limit + 1).filter(([first, count]) => first + count > offset)
      .slice(0, limit);
  }

  #addChunk(id: number, first: number, ...rest: number[]): void {
    this.#db.run(
      `INSERT INTO chunks VALUES (${placeId}, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, first, ...rest],
    );
  }

  /** Within a transaction: the segment is this log's, still or from now on. */
  #claim(id: number, segment: Placed["segment"], latest: number): void {
    const row = this.#db.get<[number | null, string]>(
      "SELECT next, file FROM segments WHERE id = ?",
      segment.id,
    );
    const lost = row === undefined ? segment.known : row[0] !== null || row[1] !== segment.file;
    if (lost) throw new SegmentLost(segment);
    if (row !== undefined) return;
    this.#db.run(
      "INSERT INTO segments VALUES (?, ?, ?, ?, NULL, NULL, NULL)",
      ...[segment.id, id, segment.file, latest],
    );
  }
}
