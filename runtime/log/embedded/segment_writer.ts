// The segment files that this log appends to: one at a time per partition, with a single writer.
//
// A file lock shows that its writer is alive: the operating system releases it when the process ends, but
// not while it is stopped. So no two processes ever write to the same file, and a writer that was stopped
// during a write and resumes does no harm.
import { join } from "node:path";
import { concatenated } from "../../base/bytes.ts";
import type { Database } from "./database.ts";
import { createLocked, FileSync, freeBytes, keepReserve } from "./disk.ts";
import { storageError, storageFault } from "./errors.ts";
import { modes } from "./private_files.ts";
import { type EncodedRecord, encodePadding, headBytes } from "./record.ts";
import { offsetOfId, placeId } from "./schema.ts";
import type { PartitionRow, Topics } from "./topics.ts";

/**
 * Limits of a segment, whose size is a sixteenth of what its partition keeps or of the free disk:
 * space is given back in such steps.
 */
const [minSegmentBytes, maxSegmentBytes] = [256 << 10, 16 << 20];
const [minSegmentMs, maxSegmentMs] = [1_000, 3_600_000];
/** Segment ids: milliseconds since 2024, until 2093, and random bits. */
const [firstMs, msBits, chanceBits] = [Date.UTC(2024, 0), 41, 11];
const pageBytes = 4_096;
const pieceBytes = 1 << 20;

/** When a segment was made, by the wall clock. */
export function createdMs(id: number): number {
  return firstMs + Math.floor(id / 2 ** chanceBits);
}

export class OpenSegment {
  position = 0;
  /** Padding before `position`. */
  padding = 0;
  /** Its end at the last sync. */
  synced = 0;
  /** Its row exists in the database. */
  known = false;
  /** Commits under way with records in it. */
  pending = 0;
  /** It belongs to another log, or is gone. */
  lost = false;
  readonly sync: FileSync;

  /**
   * @param file relative to the log's folder
   * @param room free bytes of the disk
   */
  constructor(
    readonly id: number,
    readonly partition: number,
    readonly file: string,
    path: string,
    readonly handle: Deno.FsFile,
    readonly openedAt: number,
    readonly room: number,
  ) {
    this.sync = new FileSync(handle, path);
  }
}

export interface Placed {
  readonly segment: OpenSegment;
  readonly position: number;
  readonly padding: number;
}

export class SegmentWriter {
  readonly #dir: string;
  readonly #db: Database;
  readonly #topics: Topics;
  readonly #now: () => number;
  readonly #wall: () => number;
  readonly #active = new Map<number, OpenSegment>();
  /** Full or given up; sealed after their commits. */
  readonly #full = new Set<OpenSegment>();

  /**
   * @param now arrival time
   * @param wall the wall clock
   */
  constructor(dir: string, db: Database, topics: Topics, now: () => number, wall = Date.now) {
    this.#dir = dir;
    this.#db = db;
    this.#topics = topics;
    this.#now = now;
    this.#wall = wall;
  }

  get ids(): Set<number> {
    return new Set([...this.#active.values(), ...this.#full].map(({ id }) => id));
  }

  /** Writes adjacent records. Call `done` after their commit. */
  place(row: PartitionRow, records: readonly EncodedRecord[]): Placed {
    // What rows have taken from the reserve is not for frames.
    if (!keepReserve(this.#dir, false)) throw new Error("No space left on device");
    const segment = this.#segment(row);
    const { position, padding } = segment;
    write(segment, pieces(records));
    segment.padding = 0;
    segment.sync.written();
    segment.pending++;
    return { segment, position, padding };
  }

  /**
   * Pads segments to whole pages before the sync of each second: a page that is not full is written
   * again with what follows. Padding of more than an eighth of what was written is not worth it.
   */
  pad(): void {
    for (const segment of this.#active.values()) {
      const { position, synced } = segment;
      segment.synced = position;
      const size = -position & (pageBytes - 1);
      if (size < headBytes || position - synced < 8 * size) continue;
      try {
        write(segment, [encodePadding(size)]);
      } catch (error) {
        // On a full disk the page is written again.
        if (storageFault(error) !== "full") throw error;
        continue;
      }
      segment.synced = segment.position;
      segment.padding += size;
    }
  }

  async sync(segments: Iterable<OpenSegment> = [...this.#active.values(), ...this.#full]) {
    const due = [...segments].filter(({ sync }) => sync.isDue);
    try {
      await Promise.all(due.map(({ sync }) => sync.finished()));
    } catch (error) {
      throw storageError(error, "sync the log", this.#db.path);
    }
    return due.length > 0;
  }

  /** Drops a segment that no longer belongs to this log; other commits may still have records in it. */
  forget(segment: OpenSegment): void {
    if (this.#active.get(segment.partition) === segment) this.#active.delete(segment.partition);
    this.#full.delete(segment);
    segment.lost = true;
    if (segment.pending === 0) segment.handle.close();
  }

  /** A commit with records in the segment is over. */
  done(segment: OpenSegment): void {
    if (--segment.pending === 0 && segment.lost) segment.handle.close();
  }

  /** Drops segments whose files were removed, and returns their names: no reader sees what they get. */
  forgetRemoved(): string[] {
    const removed = [...this.#active.values()].filter(({ handle }) =>
      handle.statSync().nlink === 0
    );
    for (const segment of removed) this.forget(segment);
    return removed.map(({ file }) => file);
  }

  /** Seals full and old segments, or all of them. */
  async seal(all = false): Promise<void> {
    for (const [id, segment] of this.#active) {
      const { ms } = this.#topics.row(id).retention;
      const age = this.#now() - segment.openedAt;
      if (all || age >= clamp(ms / 16, minSegmentMs, maxSegmentMs)) this.#retire(segment);
    }
    const ready = this.#ready();
    if (ready.length > 0) await this.#db.write("seal segments", () => this.#sealRows(ready));
    // On a full disk `sealNow` was faster.
    const left = ready.filter((segment) => this.#full.has(segment));
    await this.sync(left);
    for (const segment of left) this.#end(segment);
  }

  /** Synchronously seals segments that are full or hold expired records. */
  sealNow(): void {
    for (const segment of this.#active.values()) {
      const [first] =
        this.#db.get<[number]>("SELECT first FROM segments WHERE id = ?", segment.id) ??
          [Infinity];
      if (first < this.#topics.range(segment.partition).earliest) this.#retire(segment);
    }
    const ready = this.#ready();
    if (ready.length > 0) this.#db.writeNow(() => this.#sealRows(ready));
    for (const segment of ready) {
      segment.handle.syncDataSync();
      this.#end(segment);
    }
  }

  /** Closes the files; the next process to open the log recovers unsealed ones. */
  close(): void {
    for (const { handle } of [...this.#active.values(), ...this.#full]) handle.close();
    this.#active.clear();
    this.#full.clear();
  }

  #ready(): OpenSegment[] {
    return [...this.#full].filter(({ pending }) => pending === 0);
  }

  #sealRows(segments: readonly OpenSegment[]): void {
    for (const { id, partition } of segments) sealRow(this.#db, id, partition);
  }

  #end(segment: OpenSegment): void {
    if (this.#full.delete(segment)) segment.handle.close();
  }

  #retire(segment: OpenSegment): void {
    this.#active.delete(segment.partition);
    this.#full.add(segment);
  }

  #segment(row: PartitionRow): OpenSegment {
    const active = this.#active.get(row.id);
    if (active !== undefined) {
      const most = Math.min(row.retention.bytes, active.room) / 16;
      const limit = clamp(most, minSegmentBytes, maxSegmentBytes);
      if (active.position < limit) return active;
      this.#retire(active);
    }
    const segment = this.#create(row);
    this.#active.set(row.id, segment);
    return segment;
  }

  #create({ id: partition, topic, partition: number }: PartitionRow): OpenSegment {
    // What was deleted does not get its folders again.
    this.#db.checkPresent(0);
    // In the order of creation. Another log may take the same id at the same moment.
    const ms = Math.min(Math.max(this.#wall() - firstMs, 0), 2 ** msBits - 1);
    let id = ms * 2 ** chanceBits + Math.floor(Math.random() * 2 ** chanceBits);
    const folder = join("segments", `${topic}-${number}`);
    Deno.mkdirSync(join(this.#dir, folder), { recursive: true, mode: modes.folder });
    for (;; id++) {
      const file = join(folder, `${id.toString(36)}.seg`);
      const path = join(this.#dir, file);
      const handle = createLocked(path);
      if (handle === undefined) continue;
      const room = freeBytes(this.#dir) ?? Infinity;
      return new OpenSegment(id, partition, file, path, handle, this.#now(), room);
    }
  }
}

/** Within a transaction: records the end of a segment. */
export function sealRow(db: Pick<Database, "run" | "tails">, id: number, partition: number): void {
  const tail = db.tails.read(partition);
  if (tail.open?.segment === id) {
    db.tails.close(partition, tail);
    db.tails.stage(partition, { ...tail, open: undefined });
  }
  db.run(
    `UPDATE segments SET (next, bytes, max_time) = (
       SELECT coalesce(max(${offsetOfId} + count), 0), coalesce(max(position + size), 0),
              coalesce(max(max_time), 0)
       FROM chunks WHERE id >= ${placeId} AND id < ${placeId} AND segment = segments.id
     ) WHERE id = ? AND next IS NULL`,
    ...[partition, 0, partition + 1, 0, id],
  );
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

/** The bytes of the records: small ones in one piece. */
function* pieces(records: readonly EncodedRecord[]): Generator<Uint8Array> {
  let [parts, bytes]: [Uint8Array[], number] = [[], 0];
  for (const { head, value, size } of records) {
    if (bytes > 0 && bytes + size > pieceBytes) {
      yield concatenated(parts);
      [parts, bytes] = [[], 0];
    }
    if (size > pieceBytes) {
      yield head;
      yield value;
    } else {
      parts.push(head, value);
      bytes += size;
    }
  }
  if (bytes > 0) yield concatenated(parts);
}

/** Writes at the segment's end; what a failed write has left there is written over. */
function write(segment: OpenSegment, parts: Iterable<Uint8Array>): void {
  const { handle, position } = segment;
  try {
    for (const bytes of parts) {
      for (let at = 0; at < bytes.length;) at += handle.writeSync(bytes.subarray(at));
      segment.position += bytes.length;
    }
  } catch (error) {
    segment.position = position;
    handle.seekSync(position, Deno.SeekMode.Start);
    throw error;
  }
}
