// The segment files that this log appends to: one at a time for each partition, with no other writer.
//
// A lock of the operating system on the file says that its writer is alive: it is gone with the process, however that
// ends, and stays while the process is stopped. So no two processes ever write to the same file, and a writer that was
// stopped in the middle of a write and comes back harms nothing.
import { dirname, join } from "node:path";
import { concatenated } from "../../base/bytes.ts";
import type { Database } from "./database.ts";
import { freeBytes, syncPath } from "./disk.ts";
import { modes } from "./private_files.ts";
import { type EncodedRecord, encodePadding, headBytes } from "./record.ts";
import { offsetOfId, placeId } from "./schema.ts";
import type { Run } from "./tails.ts";
import type { PartitionRow, Topics } from "./topics.ts";

/**
 * A segment is full at a sixteenth of what its partition keeps, or of what was free when it was made, within these bounds:
 * room is given back in such steps.
 */
const [minSegmentBytes, maxSegmentBytes] = [256 << 10, 16 << 20];
const [minSegmentMs, maxSegmentMs] = [1_000, 3_600_000];
/** Search by time looks at all chunks of a segment. */
const maxSegmentChunks = 4_096;
/** Segments are numbered by when they were made, in milliseconds since 2024, until 2093; what is left is by chance. */
const [firstMs, msBits, chanceBits] = [Date.UTC(2024, 0), 41, 11];
/** The operating system writes whole pages. */
const pageBytes = 4_096;
/** Records up to this size are written together. */
const joinedBytes = 1 << 20;

/** A file that this log appends to. */
export interface OpenSegment {
  readonly id: number;
  readonly partition: number;
  /** Relative to the log's folder. */
  readonly file: string;
  readonly handle: Deno.FsFile;
  readonly openedAt: number;
  /** Free on the disk when it was made. */
  readonly room: number;
  /** Where the next record goes. */
  position: number;
  /** Padding before `position`. */
  padding: number;
  /** Where it ended a second ago. */
  synced: number;
  /** Begun in it, about. */
  chunks: number;
  /** The records at its end. */
  run: Run;
  /** Its row is in the database. */
  known: boolean;
  /** Commits on their way that mention it. */
  pending: number;
  /** Bytes that were not synced yet. */
  dirty: boolean;
  /** The folder does not know the file durably yet. */
  fresh: boolean;
}

/** Where records were put. */
export interface Placed {
  readonly segment: OpenSegment;
  readonly position: number;
  readonly padding: number;
}

/** Writes records into segment files. */
export class SegmentWriter {
  readonly #dir: string;
  readonly #db: Database;
  readonly #topics: Topics;
  readonly #now: () => number;
  readonly #active = new Map<number, OpenSegment>();
  /** Full, or given up; to be sealed when their commits have ended. */
  readonly #full = new Set<OpenSegment>();

  /** @param now the time of arrival. */
  constructor(dir: string, db: Database, topics: Topics, now: () => number) {
    this.#dir = dir;
    this.#db = db;
    this.#topics = topics;
    this.#now = now;
  }

  /** The segments that this log holds. */
  get ids(): Set<number> {
    return new Set([...this.#active.values(), ...this.#full].map(({ id }) => id));
  }

  /** Writes the records behind each other. The caller counts `pending` down when its commit has ended. */
  place(row: PartitionRow, records: readonly EncodedRecord[]): Placed {
    const segment = this.#segment(row);
    const { position, padding } = segment;
    try {
      for (const bytes of joined(records)) {
        writeAll(segment.handle, bytes);
        segment.position += bytes.length;
      }
    } catch (error) {
      segment.position = position;
      segment.handle.seekSync(position, Deno.SeekMode.Start);
      throw error;
    }
    segment.padding = 0;
    segment.dirty = true;
    segment.pending++;
    return { segment, position, padding };
  }

  /**
   * Ends segments at the end of a page before they are synced once a second: a page that is not full is written again
   * with what follows. What takes more than an eighth of what was written is not worth it.
   */
  pad(): void {
    for (const segment of this.#active.values()) {
      const { position, handle, synced } = segment;
      segment.synced = position;
      const size = -position & (pageBytes - 1);
      if (size < headBytes || position - synced < 8 * size) continue;
      writeAll(handle, encodePadding(size));
      segment.position = segment.synced = position + size;
      segment.padding += size;
    }
  }

  /** Brings what was written to the disk. */
  async sync(segments: Iterable<OpenSegment> = [...this.#active.values(), ...this.#full]) {
    const syncs: Promise<void>[] = [];
    for (const segment of segments) {
      if (!segment.dirty) continue;
      segment.dirty = false;
      syncs.push(this.#sync(segment));
    }
    await Promise.all(syncs);
    return syncs.length > 0;
  }

  /** Drops a segment that is no longer this log's. */
  forget(segment: OpenSegment): void {
    if (this.#active.get(segment.partition) === segment) this.#active.delete(segment.partition);
    this.#full.delete(segment);
    segment.handle.close();
  }

  /** Seals full and aged segments, or all. */
  async seal(all = false): Promise<void> {
    for (const [id, segment] of this.#active) {
      const { ms } = this.#topics.row(id).retention;
      const age = this.#now() - segment.openedAt;
      if (all || age >= clamp(ms / 16, minSegmentMs, maxSegmentMs)) this.#giveUp(segment);
    }
    const ready = this.#ready();
    if (ready.length > 0) await this.#db.write("seal segments", () => this.#sealRows(ready));
    await this.sync(ready);
    for (const segment of ready) this.#end(segment);
  }

  /** At once, where nothing can be appended before: seals what is full, and what holds records that have expired. */
  sealNow(): void {
    for (const segment of this.#active.values()) {
      const [first] =
        this.#db.get<[number]>("SELECT first FROM segments WHERE id = ?", segment.id) ??
          [Infinity];
      if (first < this.#topics.range(segment.partition).earliest) this.#giveUp(segment);
    }
    const ready = this.#ready();
    if (ready.length > 0) this.#db.writeNow(() => this.#sealRows(ready));
    for (const segment of ready) {
      segment.handle.syncDataSync();
      this.#end(segment);
    }
  }

  /** Closes the files; what is not sealed is found by the next log. */
  close(): void {
    for (const { handle } of [...this.#active.values(), ...this.#full]) handle.close();
    this.#active.clear();
    this.#full.clear();
  }

  /** What no commit on its way mentions. */
  #ready(): OpenSegment[] {
    return [...this.#full].filter(({ pending }) => pending === 0);
  }

  #sealRows(segments: readonly OpenSegment[]): void {
    for (const { id, partition } of segments) sealRow(this.#db, id, partition);
  }

  /** Of a segment that is sealed. */
  #end(segment: OpenSegment): void {
    this.#full.delete(segment);
    segment.handle.close();
    if (!segment.known) Deno.removeSync(join(this.#dir, segment.file));
  }

  #giveUp(segment: OpenSegment): void {
    this.#active.delete(segment.partition);
    this.#full.add(segment);
  }

  #segment(row: PartitionRow): OpenSegment {
    const there = this.#active.get(row.id);
    if (there !== undefined) {
      const most = Math.min(row.retention.bytes, there.room) / 16;
      const limit = clamp(most, minSegmentBytes, maxSegmentBytes);
      if (there.position < limit && there.chunks < maxSegmentChunks) return there;
      this.#giveUp(there);
    }
    const segment = this.#create(row);
    this.#active.set(row.id, segment);
    return segment;
  }

  #create({ id: partition, topic, partition: number }: PartitionRow): OpenSegment {
    // In the order of their making; two that are the same are found out by the first commit.
    const ms = Math.min(Math.max(Date.now() - firstMs, 0), 2 ** msBits - 1);
    const id = ms * 2 ** chanceBits + Math.floor(Math.random() * 2 ** chanceBits);
    const file = join("segments", `${topic}-${number}`, `${id.toString(36)}.seg`);
    const path = join(this.#dir, file);
    Deno.mkdirSync(dirname(path), { recursive: true, mode: modes.folder });
    // Others see it only once it is locked: a file that is not, and has no row, is removed.
    const hidden = `${path}.new`;
    const handle = Deno.openSync(hidden, {
      createNew: true,
      read: true,
      write: true,
      mode: modes.file,
    });
    handle.lockSync(true);
    Deno.renameSync(hidden, path);
    const openedAt = this.#now();
    const run = { first: 0, time: 0 };
    const state = {
      position: 0,
      padding: 0,
      synced: 0,
      chunks: 0,
      run,
      known: false,
      pending: 0,
      dirty: false,
      fresh: true,
    };
    const room = freeBytes(this.#dir) ?? Infinity;
    return { id, partition, file, handle, openedAt, room, ...state };
  }

  async #sync(segment: OpenSegment): Promise<void> {
    await segment.handle.syncData();
    if (!segment.fresh) return;
    segment.fresh = false;
    await syncPath(dirname(join(this.#dir, segment.file)));
  }
}

/** Within a transaction: notes where a segment ends. */
export function sealRow(db: Database, id: number, partition: number): void {
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

/** The bytes of the records, small ones joined. */
function* joined(records: readonly EncodedRecord[]): Generator<Uint8Array> {
  let [parts, bytes]: [Uint8Array[], number] = [[], 0];
  for (const { head, value, size } of records) {
    if (bytes > 0 && bytes + size > joinedBytes) {
      yield concatenated(parts);
      [parts, bytes] = [[], 0];
    }
    if (size > joinedBytes) {
      yield head;
      yield value;
    } else {
      parts.push(head, value);
      bytes += size;
    }
  }
  if (bytes > 0) yield concatenated(parts);
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}
