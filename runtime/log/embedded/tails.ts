/**
 * The tail of each partition: its latest offset, and the chunk that still grows.
 *
 * A tail is a row of `partitions`. An append that only lets the newest chunk grow is written to the file `tails` instead,
 * in place, under the same lock: a row costs a page of the write-ahead log for each append, the file one page for each sync.
 * A slot counts while the row has its segment open, and is ahead of it. After a power failure the row may be older than
 * the slot, by whole chunks of the same run of records.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { LogError } from "../log.ts";
import { syncPath } from "./disk.ts";
import { storageFault } from "./errors.ts";
import { modes } from "./private_files.ts";
import { placeId } from "./schema.ts";

/** The chunk of a partition that still grows. */
export interface OpenChunk {
  readonly segment: number;
  /** Its first offset, where that lies in the segment, and the partition's bytes before it. */
  readonly first: number;
  readonly position: number;
  readonly total: number;
  /** When its first record came. */
  readonly arrived: number;
  /** The newest timestamp. */
  readonly time: number;
}

/** Where a partition ends. */
export interface Tail {
  readonly latest: number;
  /** All bytes ever appended. */
  readonly bytes: number;
  /** When the last record came. */
  readonly arrived: number;
  readonly open: OpenChunk | undefined;
}

/** Records that lie behind each other in a segment, without a gap, as its writer knows them. */
export interface Run {
  readonly first: number;
  /** The newest timestamp. */
  time: number;
  /** The commit from which on the row has the segment open; undefined before. */
  commit: number | undefined;
}

/** What tails need of the database. */
interface Rows {
  get<Row extends readonly (string | number | null)[]>(
    sql: string,
    ...values: (number | null)[]
  ): Row | undefined;
  run(sql: string, ...values: (number | null)[]): number;
  dataVersion(): number;
}

type TailRow = [
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

/** CRC-32 of the rest; then 64-bit numbers: segment, run, latest, bytes, arrived, time. */
const [slotBytes, usedBytes] = [64, 56];
/** A slot that is written just now is whole when it is read again. */
const rereads = 1_000;
/** The file grows by this much. */
const growBytes = 4_096;

/** The tails of a log. The methods are synchronous: call them within `read` or `write`. */
export class Tails {
  readonly #rows: Rows;
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #staged = new Map<number, { readonly tail: Tail; readonly run: Run | undefined }>();
  /** Runs whose segment the transaction makes the open one of its row. */
  readonly #saved: Run[] = [];
  /** Commits of this log, and how many of them are on the disk. */
  #commits = 0;
  #synced = 0;
  #size = 0;
  #dirty = false;
  #fresh = true;
  #version = -1;
  #change = 0;

  /** @param dir the log's folder. */
  constructor(dir: string, rows: Rows) {
    this.#path = join(dir, "tails");
    this.#rows = rows;
    this.#file = Deno.openSync(this.#path, {
      ...{ create: true, read: true, write: true, mode: modes.file },
    });
  }

  /** Within a transaction: a number for it, larger than that of all before. */
  nextChange(): number {
    const version = this.#rows.dataVersion();
    if (version !== this.#version) {
      // Others have written.
      const [last] = this.#rows.get<[number | null]>("SELECT max(change) FROM partitions")!;
      this.#change = Math.max(this.#change, last ?? 0);
      this.#version = version;
    }
    return ++this.#change;
  }

  read(id: number): Tail {
    return this.#staged.get(id)?.tail ?? this.#merged(id).tail;
  }

  /** Within a transaction: the new tail of a partition; with the run of its last segment it may stay out of the row. */
  stage(id: number, tail: Tail, run?: Run): void {
    this.#staged.set(id, { tail, run });
  }

  /**
   * Within a transaction that depends on the partition's latest offset: after a power failure one is not there without
   * the other.
   */
  settle(id: number): void {
    if (this.#staged.has(id)) return;
    const { tail, ahead } = this.#merged(id);
    if (ahead) this.stage(id, tail);
  }

  /** Within a transaction: makes a row of the chunk that still grows. */
  close(id: number, { latest, bytes, open }: Tail): void {
    if (open === undefined) return;
    this.#rows.run(
      `INSERT INTO chunks VALUES (${placeId}, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, open.first, latest - open.first, open.segment, open.position],
      ...[bytes - open.total, open.total, open.arrived, open.time],
    );
  }

  /** Whether the slots of these partitions have changed since `seen`, which is brought up to date. */
  changed(seen: Map<number, number>): number[] {
    if (seen.size === 0) return [];
    const ids = [...seen.keys()];
    const from = Math.min(...ids);
    const bytes = this.#read(from, Math.max(...ids) + 1 - from);
    const view = new DataView(bytes.buffer);
    return ids.filter((id) => {
      const at = (id - from) * slotBytes + 24;
      const latest = at + 8 > bytes.length ? 0 : view.getFloat64(at);
      if (latest === seen.get(id)) return false;
      seen.set(id, latest);
      return true;
    });
  }

  /** What a unit of a transaction has staged can be taken back. */
  savepoint(): () => void {
    const staged = [...this.#staged];
    return () => {
      this.#staged.clear();
      for (const [id, one] of staged) this.#staged.set(id, one);
    };
  }

  /** Before a transaction. */
  begin(): void {
    this.#staged.clear();
    this.#saved.length = 0;
  }

  /** After a transaction. */
  committed(): void {
    this.#commits++;
    for (const run of this.#saved) run.commit ??= this.#commits;
  }

  /**
   * At the end of a transaction: writes what was staged, in place where nothing else was changed, otherwise as rows.
   *
   * @returns whether a sync of the log would let later appends be written in place.
   */
  flush(changed: boolean): boolean {
    const staged = [...this.#staged];
    const inPlace = !changed && staged.every(([id, { run }]) => this.#mayStay(id, run));
    for (const [id, { tail, run }] of staged) {
      if (inPlace) this.#put(id, tail, run!);
      else this.#save(id, tail, run);
    }
    return staged.some(([, { run }]) => run !== undefined && !this.#isSynced(run));
  }

  /** Brings what was written in place to the disk, and with `syncRows` all commits until now. */
  async sync(syncRows: () => Promise<void>): Promise<void> {
    const [commits, dirty] = [this.#commits, this.#dirty];
    this.#dirty = false;
    await Promise.all([syncRows(), dirty ? this.#file.syncData() : undefined]);
    this.#synced = Math.max(this.#synced, commits);
    if (!dirty || !this.#fresh) return;
    this.#fresh = false;
    await syncPath(dirname(this.#path));
  }

  end(): void {
    this.#file.close();
  }

  #isSynced({ commit }: Run): boolean {
    return commit !== undefined && commit <= this.#synced;
  }

  /** Whether a tail can be written in place: the row on the disk has its segment open, and there is room. */
  #mayStay(id: number, run: Run | undefined): boolean {
    return run !== undefined && this.#isSynced(run) && this.#hasRoom(id);
  }

  /** Makes room, so that writing a slot never meets a full disk; only one process at a time is here. */
  #hasRoom(id: number): boolean {
    const end = (id + 1) * slotBytes;
    if (end <= this.#size) return true;
    this.#size = this.#file.statSync().size;
    if (end <= this.#size) return true;
    const zeros = new Uint8Array(Math.ceil(end / growBytes) * growBytes - this.#size);
    this.#file.seekSync(this.#size, Deno.SeekMode.Start);
    try {
      for (let at = 0; at < zeros.length;) at += this.#file.writeSync(zeros.subarray(at));
    } catch (error) {
      if (storageFault(error) !== "full") throw error;
      return false;
    }
    this.#size += zeros.length;
    return true;
  }

  #put(id: number, { latest, bytes, arrived, open }: Tail, { first, time }: Run): void {
    const slot = new Uint8Array(slotBytes);
    const view = new DataView(slot.buffer);
    for (const [i, value] of [open!.segment, first, latest, bytes, arrived, time].entries()) {
      view.setFloat64(8 + 8 * i, value);
    }
    view.setUint32(0, crc32(slot.subarray(4, usedBytes)));
    this.#file.seekSync(id * slotBytes, Deno.SeekMode.Start);
    this.#file.writeSync(slot);
    this.#dirty = true;
  }

  #save(id: number, { latest, bytes, arrived, open }: Tail, run: Run | undefined): void {
    if (run !== undefined) this.#saved.push(run);
    const { segment, first, position, total, arrived: since, time } = open ??
      { segment: null, first: 0, position: 0, total: 0, arrived: 0, time: 0 };
    this.#rows.run(
      `UPDATE partitions SET latest = ?, bytes = ?, arrived = ?, change = ?, open_segment = ?,
       open_first = ?, open_position = ?, open_total = ?, open_arrived = ?, open_time = ? WHERE id = ?`,
      ...[latest, bytes, arrived, this.nextChange(), segment, first, position, total, since, time, id],
    );
  }

  /** The tail, and whether it is ahead of the row. */
  #merged(id: number): { tail: Tail; ahead: boolean } {
    // Read first: the row is at least as new.
    const slot = this.#slot(id);
    const [latest, bytes, arrived, segment, first, position, total, openArrived, time] = this.#rows
      .get<TailRow>(
        `SELECT latest, bytes, arrived, open_segment, open_first, open_position, open_total, open_arrived,
         open_time FROM partitions WHERE id = ?`,
        id,
      )!;
    if (segment === null) return { tail: { latest, bytes, arrived, open: undefined }, ahead: false };
    const open = { segment, first, position, total, arrived: openArrived, time };
    const ahead = slot !== undefined && slot.segment === segment && slot.run <= first &&
      slot.latest > latest;
    if (!ahead) return { tail: { latest, bytes, arrived, open }, ahead };
    const grown = { ...open, time: Math.max(time, slot.time) };
    return {
      tail: { latest: slot.latest, bytes: slot.bytes, arrived: slot.arrived, open: grown },
      ahead,
    };
  }

  #slot(id: number) {
    for (let tries = 0; tries < rereads; tries++) {
      const bytes = this.#read(id, 1);
      if (bytes.length < slotBytes) return undefined;
      const view = new DataView(bytes.buffer);
      if (crc32(bytes.subarray(4, usedBytes)) !== view.getUint32(0)) {
        if (bytes.every((byte) => byte === 0)) return undefined;
        continue;
      }
      const [segment, run, latest, size, arrived, time] = Array.from(
        { length: 6 },
        (_, i) => view.getFloat64(8 + 8 * i),
      ) as [number, number, number, number, number, number];
      return { segment, run, latest, bytes: size, arrived, time };
    }
    throw new LogError(
      "INTERNAL",
      `Cannot read ${this.#path}: it is damaged; restore a backup of the log, or move its folder away and start again`,
    );
  }

  /** The bytes of slots; fewer where the file ends. */
  #read(id: number, count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count * slotBytes);
    this.#file.seekSync(id * slotBytes, Deno.SeekMode.Start);
    return bytes.subarray(0, this.#file.readSync(bytes) ?? 0);
  }
}
