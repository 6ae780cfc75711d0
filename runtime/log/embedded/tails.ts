// The tail of each partition: its latest offset, and its growing chunk.
//
// A tail is stored in its partition's row. An append that only extends the newest chunk is written to a
// slot of the file `tails` instead, under the same lock: a row costs a page of the write-ahead log per
// append, the file one page per sync. A slot is valid while the row has its segment open and is behind it.
// After a power failure the row may be several chunks behind: they are then merged into one that begins with
// the slot's run.
import { placeId } from "./schema.ts";
import { rowsSlot, type Slot, TailFile } from "./tail_file.ts";

export interface OpenChunk {
  readonly segment: number;
  /** Its first offset, its position in the segment, and the partition's bytes before it. */
  readonly first: number;
  readonly position: number;
  readonly total: number;
  readonly arrived: number;
  /** Newest timestamp. */
  time: number;
}

export interface Tail {
  readonly latest: number;
  readonly bytes: number;
  readonly arrived: number;
  readonly open?: OpenChunk | undefined;
}

/** Adjacent records at the end of a segment, as its writer knows them. */
export interface Run {
  readonly segment: number;
  readonly first: number;
  /** Newest timestamp. */
  time: number;
  /** The first commit with which the partition's row has the segment open; undefined before. */
  commit?: number;
}

interface Rows {
  get<Row extends readonly (string | number | null)[]>(
    sql: string,
    ...values: (number | null)[]
  ): Row | undefined;
  run(sql: string, ...values: (number | null)[]): number;
  dataVersion(): number;
}

/** Columns of `partitions` that hold a tail. */
export const tailColumns = "p.latest, p.bytes, p.arrived, " +
  "open_segment, open_first, open_position, open_total, open_arrived, open_time";
const tailSql = `SELECT ${tailColumns} FROM partitions p WHERE p.id = ?`;
/** With `segment` the five columns after it are null. */
export type TailRow<Rest extends unknown[]> = [
  ...[latest: number, bytes: number, arrived: number, segment: number | null],
  ...[first: number, position: number, total: number, since: number, time: number],
  ...Rest,
];

/** Synchronous: call the methods within `read` or `write`. */
export class Tails {
  readonly file: TailFile;
  readonly #rows: Rows;
  readonly #staged = new Map<number, { readonly tail: Tail; readonly run: Run | undefined }>();
  /** Runs as of the last commit, by partition. */
  readonly #runs = new Map<number, Run>();
  /** Slots as they were last read, by partition. */
  readonly #slots = new Map<number, Slot | undefined>();
  /** Commits of this log, and the number of them on disk. */
  #commits = 0;
  #synced = 0;
  #version = -1;
  #change = 0;
  /** The transaction changes rows of partitions. */
  #changesRows = false;
  /** Changes with each commit of this log that changed rows of partitions. */
  rowCommits = 0;

  constructor(dir: string, rows: Rows) {
    this.file = new TailFile(dir);
    this.#rows = rows;
  }

  /** Within a transaction: a number larger than all before. */
  nextChange(): number {
    const version = this.#rows.dataVersion();
    if (version !== this.#version) {
      // Other connections have written.
      const [last] = this.#rows.get<[number | null]>("SELECT max(change) FROM partitions")!;
      this.#change = Math.max(this.#change, last ?? 0);
      this.#version = version;
    }
    this.#changesRows = true;
    return ++this.#change;
  }

  read(id: number): Tail {
    return this.#staged.get(id)?.tail ?? this.#merged(id).tail;
  }

  /**
   * The tail, and what `sql` selects of the partition after `tailColumns`.
   *
   * @param known rows as they were once: the tail may be older, too; those that it lacks are read and added
   */
  readWith<Rest extends (number | null)[]>(
    id: number,
    sql: string,
    known?: Map<number, TailRow<Rest>>,
  ): { tail: Tail; rest: Rest } {
    const { tail, rest } = this.#merged<Rest>(id, sql, known);
    return { tail: this.#staged.get(id)?.tail ?? tail, rest };
  }

  /** The run of this log at the end of a segment, if there is one. */
  run(id: number, segment: number): Run | undefined {
    const run = this.#staged.get(id)?.run ?? this.#runs.get(id);
    return run?.segment === segment ? run : undefined;
  }

  /**
   * Within a transaction: sets the tail of a partition; with the run at its end it need not be written to the
   * row.
   */
  stage(id: number, tail: Tail, run?: Run): void {
    this.#staged.set(id, { tail, run });
  }

  /** Within a transaction that relies on the latest offset: a power failure takes both or none. */
  settle(id: number): void {
    if (this.#staged.has(id)) return;
    const { tail, ahead } = this.#merged(id);
    if (ahead) this.stage(id, tail);
  }

  /** Within a transaction: writes the growing chunk as a row. */
  close(id: number, { latest, bytes, open }: Tail): void {
    if (open === undefined) return;
    this.#rows.run(
      `INSERT INTO chunks VALUES (${placeId}, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, open.first, latest - open.first, open.segment, open.position],
      ...[bytes - open.total, open.total, open.arrived, open.time],
    );
  }

  /** Call after a failed transaction. */
  failed(): void {
    this.#changesRows = false;
    this.#staged.clear();
  }

  /** Returns a function that discards everything staged since. */
  savepoint(): () => void {
    const staged = [...this.#staged];
    return () => {
      this.#staged.clear();
      for (const [id, one] of staged) this.#staged.set(id, one);
    };
  }

  /** At the end of a transaction: writes everything staged, in place unless rows changed. */
  flush(changed: boolean): void {
    const staged = [...this.#staged];
    const inPlace = !changed &&
      staged.every(([id, { run }]) => this.#isSynced(run) && this.file.reserve(id));
    if (inPlace) this.#put(staged.map(([id, { tail, run }]) => [id, tail, run!]));
    else for (const [id, { tail }] of staged) this.#save(id, tail);
    if (this.#changesRows) this.file.reserve(rowsSlot);
  }

  /** After a transaction; returns whether a sync would allow more appends in place. */
  committed(): boolean {
    if (this.#changesRows) {
      this.#changesRows = false;
      this.rowCommits++;
      // Only now do others see the rows.
      this.file.announce();
    }
    this.#commits++;
    let synced = true;
    for (const [id, { run }] of this.#staged) {
      if (run === undefined) continue;
      run.commit ??= this.#commits;
      this.#runs.set(id, run);
      synced &&= this.#isSynced(run);
    }
    this.#staged.clear();
    return !synced;
  }

  /** Syncs all commits so far, those in rows with `syncRows`. */
  async sync(syncRows: () => Promise<void>): Promise<void> {
    const commits = this.#commits;
    await Promise.all([syncRows(), this.file.sync()]);
    this.#synced = Math.max(this.#synced, commits);
  }

  #isSynced(run: Run | undefined): boolean {
    return run?.commit !== undefined && run.commit <= this.#synced;
  }

  /** All of them or none: what a failed transaction leaves would be taken for records. */
  #put(tails: readonly (readonly [id: number, tail: Tail, run: Run])[]): void {
    let done = 0;
    try {
      for (const [id, { latest, bytes, arrived }, { segment, first, time }] of tails) {
        this.file.put(id, [segment, first, latest, bytes, arrived, time]);
        done++;
      }
    } catch (error) {
      for (const [id] of tails.slice(0, done + 1)) this.file.put(id, this.#slots.get(id));
      throw error;
    }
  }

  #save(id: number, { latest, bytes, arrived, open }: Tail): void {
    this.#rows.run(
      `UPDATE partitions SET latest = ?, bytes = ?, arrived = ?, change = ?, open_segment = ?,
       open_first = ?, open_position = ?, open_total = ?, open_arrived = ?, open_time = ? WHERE id = ?`,
      ...[latest, bytes, arrived, this.nextChange(), open?.segment ?? null, open?.first ?? null],
      ...[open?.position ?? null, open?.total ?? null, open?.arrived ?? null, open?.time ?? null],
      id,
    );
  }

  /** The tail, whether it is ahead of the row, and the row's columns after it. */
  #merged<Rest extends (number | null)[] = []>(
    id: number,
    sql = tailSql,
    known?: Map<number, TailRow<Rest>>,
  ): { tail: Tail; ahead: boolean; rest: Rest } {
    // Read first: the row is at least as new. A known one may be older: then the tail is older than the slot.
    const slot = this.file.get(id);
    this.#slots.set(id, slot);
    const row = known?.get(id) ?? this.#rows.get<TailRow<Rest>>(sql, id)!;
    known?.set(id, row);
    let [latest, bytes, arrived, segment, first, position, total, since, time, ...rest] = row;
    if (segment === null) return { tail: { latest, bytes, arrived }, ahead: false, rest };
    const ahead = slot !== undefined && slot[0] === segment && slot[1] <= first && slot[2] > latest;
    if (ahead) {
      [, , latest, bytes, arrived] = slot;
      time = Math.max(time, slot[5]);
    }
    const open = { segment, first, position, total, arrived: since, time };
    return { tail: { latest, bytes, arrived, open }, ahead, rest };
  }
}
