// Places of records. Adjacent records form chunks, which are rows; their bytes are in segment
// files. The newest chunk of a partition grows in its tail.
import { pauseMs } from "./arrivals.ts";
import type { Database } from "./database.ts";
import type { EncodedRecord } from "./record.ts";
import { offsetLimit, offsetOfId, placeId } from "./schema.ts";
import { SegmentLost } from "./errors.ts";
import { createdMs, type Placed } from "./segment_writer.ts";
import type { Tail } from "./tails.ts";
import type { Topics } from "./topics.ts";
import type { Retention } from "./url.ts";

/** Limits of a chunk: retention and time are known this finely. */
const [chunkRecords, chunkBytes] = [64, 1 << 20];

/** A thousandth of the retention time, one to five seconds; less where less than 16 s are kept. */
function chunkMs(kept: number): number {
  return Math.min(kept / 16, 5_000, Math.max(kept / 1_000, 1_000));
}

/** The parts of an open log that hold its records. */
export interface Store {
  readonly dir: string;
  readonly db: Database;
  readonly topics: Topics;
  readonly records: Records;
}

/** What ends with the log. Closing never fails. */
export type Closers = Set<{ close(): Promise<void> }>;

/** Adjacent records from offset `first` on. `time` is the newest timestamp. */
export type ChunkRow = [
  first: number,
  count: number,
  segment: number,
  position: number,
  size: number,
  time: number,
];

export const chunkColumns = `${offsetOfId}, count, segment, position, size, max_time`;

const chunksFrom = `SELECT ${chunkColumns} FROM chunks WHERE id < ${placeId} AND id >= coalesce((
    SELECT max(id) FROM chunks WHERE id >= ${placeId} AND id <= ${placeId}
  ), ${placeId}) ORDER BY id LIMIT ?`;

/** The growing chunk, if any. */
export function openChunk({ latest, bytes, open }: Tail): ChunkRow[] {
  if (open === undefined) return [];
  const { first, segment, position, total, time } = open;
  return [[first, latest - first, segment, position, bytes - total, time]];
}

/** Synchronous: call the methods within `read` or `write`. */
export class Records {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Within a transaction: makes records visible that were placed in a segment.
   *
   * @param kept retention of the partition
   * @param now arrival time
   * @returns the first record's offset
   * @throws {SegmentLost} if the segment no longer belongs to this log
   */
  append(
    id: number,
    records: readonly EncodedRecord[],
    { segment, position, padding }: Placed,
    { kept, now }: { kept: Retention; now: number },
  ): number {
    const { tails } = this.#db;
    const tail = tails.read(id);
    // Sealing takes a segment from its partition's row.
    if (tail.open?.segment !== segment.id) this.#claim(id, segment, tail.latest);
    // A clock set back must not make newer records look older.
    const arrived = Math.max(tail.arrived, now);
    const most = { bytes: Math.min(chunkBytes, kept.bytes / 16), ms: chunkMs(kept.ms) };
    let { latest, bytes } = tail;
    let open = tail.open && { ...tail.open };
    let at = position;
    let run = tails.run(id, segment.id);
    const follows = () =>
      run !== undefined && open?.segment === segment.id &&
      open.position + bytes - open.total === at;
    // Padding belongs to the record before it.
    bytes += padding;
    if (!follows()) {
      bytes -= padding;
      run = undefined;
    }
    // A copy: the transaction may fail.
    run = { segment: segment.id, first: latest, time: -Infinity, ...run };
    for (const { size, timestamp: time } of records) {
      const fits = follows() && latest - open!.first < chunkRecords &&
        bytes - open!.total + size <= most.bytes && arrived - open!.arrived <= most.ms;
      if (fits) {
        open!.time = Math.max(open!.time, time);
      } else {
        tails.close(id, { latest, bytes, arrived, open });
        open = { segment: segment.id, first: latest, position: at, total: bytes, arrived, time };
      }
      run.time = Math.max(run.time, time);
      latest++;
      bytes += size;
      at += size;
    }
    tails.stage(id, { latest, bytes, arrived, open }, run);
    return tail.latest;
  }

  /** Within a transaction: hides records below an offset. */
  hideBefore(id: number, offset: number): void {
    const { tails } = this.#db;
    tails.settle(id);
    this.#db.run(
      "UPDATE partitions SET floor = ?, change = ? WHERE id = ? AND floor < ?",
      ...[offset, tails.nextChange(), id, offset],
    );
  }

  /** Arrival time of the newest record; 0 if there is none. */
  newest(): number {
    return this.#db.get<[number | null]>("SELECT max(arrived) FROM partitions")![0] ?? 0;
  }

  /** Within a transaction: see `Dated`. What arrives later is dated later, too, in every process. */
  redate(from: number, to: number, ms: number): void {
    const { tails } = this.#db;
    const found = this.#db.all<[number]>("SELECT id FROM partitions")
      .map(([id]) => ({ id, tail: tails.read(id) }));
    const starts = this.#db.all<[segment: number, arrived: number]>(
      "SELECT segment, min(arrived) FROM chunks GROUP BY segment",
    );
    for (const { tail: { open } } of found) if (open) starts.push([open.segment, open.arrived]);
    // Also what a process appended that has ended, or is not as far: its segments were made far later than that arrived.
    const others = starts.filter(([segment, arrived]) => createdMs(segment) - arrived > pauseMs);
    const first = Math.min(from, ...others.map(([, arrived]) => arrived));
    const dated = (time: number) => time >= first && time <= to ? time + ms : time;
    for (const { id, tail } of found) {
      const open = tail.open && { ...tail.open, arrived: dated(tail.open.arrived) };
      tails.stage(id, { ...tail, arrived: Math.max(tail.arrived, to + ms), open });
    }
    this.#db.run(
      "UPDATE chunks SET arrived = arrived + ? WHERE arrived BETWEEN ? AND ?",
      ...[ms, first, to],
    );
  }

  /** Up to `limit` chunks, starting with the one that holds `offset`. */
  from(id: number, tail: Tail, offset: number, limit: number): ChunkRow[] {
    const growing = openChunk(tail);
    // A chunk closed meanwhile is listed once.
    const end = tail.open?.first ?? offsetLimit - 1;
    if (offset >= end) return offset < tail.latest ? growing : [];
    const chunks = this.#db.all<ChunkRow>(
      chunksFrom,
      ...[id, end, id, 0, id, offset, id, offset, limit + 1],
    );
    return [...chunks, ...growing].filter(([first, count]) => first + count > offset)
      .slice(0, limit);
  }

  /** Within a transaction: ensures that the segment belongs to this log. */
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
