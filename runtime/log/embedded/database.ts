// The database file of an embedded log; waiting changes share transactions.
import { backup, type DatabaseSync, type StatementSync } from "node:sqlite";
import { dirname } from "node:path";
import { setImmediate } from "node:timers";
import { LogError } from "../log.ts";
import { SegmentLost, storageError, storageFault } from "./errors.ts";
import { openDatabase, placeOf } from "./database_file.ts";
import { sizeOf } from "./disk.ts";
import { pageSize } from "./schema.ts";
import { Tails } from "./tails.ts";
import { Turns } from "./turns.ts";
import { busyTimeoutMs, type Waiting, walLimitBytes, whileBusy } from "./waiting.ts";

/** A value in a row or parameter. */
export type Cell = string | number | null | Uint8Array;

/** Deno implements this method, but its types lack it. */
type ArrayStatement = StatementSync & { setReturnArrays(enabled: boolean): void };

/**
 * Commits with changed rows after which this connection checkpoints the WAL. SQLite's auto-checkpoint, based
 * on the WAL's size, would run at every commit while readers prevent a restart of the WAL.
 */
const checkpointCommits = 1_000;
/** Intervals at which to check that the file still exists, and to sync so that appends need no row. */
const [presenceCheckMs, settleMs] = [250, 250];
/** Maximum changes per transaction, so that the event loop is never blocked for long. */
const sharedAtMost = 256;

/** Changes waiting for their transaction. */
interface Unit {
  readonly action: string;
  readonly changes: () => unknown;
  readonly durable: boolean;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** An open database. All methods except the asynchronous ones are short. */
export class Database {
  readonly path: string;
  /** UUID of this log. */
  readonly logId: string;
  /** Its last user did not close it properly, or it is a copy. */
  readonly unclean: boolean;
  /** Limits the time that queries take per event loop turn. */
  readonly turns: Turns = new Turns();
  /** The ends of the partitions. */
  readonly tails: Tails;
  /** Called when the disk is full: frees space for frames or rows, and returns whether to retry. */
  onFull: ((what: "frames" | "rows") => boolean) | undefined;
  readonly #db: DatabaseSync;
  readonly #waiting: Waiting;
  readonly #place: string;
  readonly #tails: string | undefined;
  readonly #statements = new Map<string, StatementSync>();
  readonly #queue: Unit[] = [];
  #running: Promise<void> | undefined;
  /**
   * Rows ever changed by this connection, and transactions that changed rows since the last WAL checkpoint.
   */
  #changed = 0;
  #commits = 0;
  #wal: Deno.FsFile | undefined;
  #presenceCheckedAt = -Infinity;
  #settled = -Infinity;
  #settling: Promise<void> | undefined;
  #deleted: LogError | undefined;
  #closed = false;

  private constructor(
    db: DatabaseSync,
    file: { path: string; logId: string; place: string; unclean: boolean },
    waiting: Waiting,
  ) {
    this.path = file.path;
    this.logId = file.logId;
    this.unclean = file.unclean;
    this.#place = file.place;
    this.#db = db;
    this.#waiting = waiting;
    this.tails = new Tails(dirname(file.path), this);
    this.#tails = placeOf(this.tails.file.path);
  }

  /**
   * Opens `DIR/log.db`, creating it if absent.
   *
   * @throws {LogError} `INVALID` for a foreign, older or newer file or a folder without access, `DISK_FULL`,
   * `INTERNAL` for a damaged file, `UNREACHABLE` if it stays locked beyond the timeout
   */
  static async open(
    dir: string,
    waiting: Waiting,
    tell: (message: string) => void = () => {},
  ): Promise<Database> {
    const { db, ...file } = await openDatabase(dir, waiting, tell);
    return new Database(db, file, waiting);
  }

  /** All rows of a query, as arrays. */
  all<Row extends readonly Cell[]>(sql: string, ...values: Cell[]): Row[] {
    return this.#statement(sql).all(...values) as unknown as Row[];
  }

  get<Row extends readonly Cell[]>(sql: string, ...values: Cell[]): Row | undefined {
    return this.#statement(sql).get(...values) as unknown as Row | undefined;
  }

  /** Runs a statement; returns the number of changed rows. */
  run(sql: string, ...values: Cell[]): number {
    const changes = Number(this.#statement(sql).run(...values).changes);
    this.#changed += changes;
    return changes;
  }

  /** A number that changes with every write by another connection, in any process. */
  dataVersion(): number {
    this.checkPresent();
    return this.get<[number]>("PRAGMA data_version")![0];
  }

  /** Runs queries; retries while the database is locked. */
  async read<T>(action: string, queries: () => T): Promise<T> {
    return await this.#guard(action, () => {
      this.checkPresent();
      return queries();
    });
  }

  /**
   * Runs `changes` atomically. Waiting calls share a transaction but fail individually. Retries while other
   * writers hold the lock, so `changes` may run several times.
   *
   * A commit survives the death of the process. With `durable`, it and all earlier commits have reached the
   * disk.
   */
  write<T>(
    action: string,
    changes: () => T,
    { durable = false }: { durable?: boolean } = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = resolve as (result: unknown) => void;
      this.#queue.push({ action, changes, durable, resolve: settle, reject });
      this.#running ??= this.#run();
    });
  }

  /** Runs a separate transaction immediately. Throws while others hold the lock. */
  writeNow<T>(changes: () => T): T {
    this.checkPresent();
    this.#execute("BEGIN IMMEDIATE");
    try {
      const before = this.#changed;
      const result = changes();
      this.tails.flush(this.#changed !== before);
      if (this.#changed !== before) this.#commits++;
      this.#execute("COMMIT");
      if (this.tails.committed()) this.#settle();
      return result;
    } catch (error) {
      this.tails.failed();
      // Some errors end the transaction by themselves.
      if (this.#db.isTransaction) this.#execute("ROLLBACK");
      throw error;
    }
  }

  /** Syncs all commits so far to disk. */
  async sync(): Promise<void> {
    await this.tails.sync(() => this.#syncWal());
  }

  async #syncWal(): Promise<void> {
    try {
      this.#wal ??= Deno.openSync(`${this.path}-wal`, { read: true, write: true });
      await this.#wal.syncData();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw storageError(error, "sync the log", this.path);
    }
  }

  /** Copies a consistent snapshot of the database. */
  async copyTo(path: string): Promise<void> {
    this.checkPresent();
    // All pages in one step: a concurrent write would restart the copy.
    await backup(this.#db, path, { rate: 2 ** 31 - 1 });
  }

  /** Size of the write-ahead log. */
  walBytes(): number {
    return sizeOf(`${this.path}-wal`);
  }

  /**
   * Detects a deleted file, whose writes would be lost.
   *
   * @throws {LogError} `DELETED`
   */
  checkPresent(): void {
    if (this.#deleted !== undefined) throw this.#deleted;
    const now = performance.now();
    if (now - this.#presenceCheckedAt < presenceCheckMs) return;
    this.#presenceCheckedAt = now;
    if (placeOf(this.path) === this.#place && placeOf(this.tails.file.path) === this.#tails) return;
    this.#deleted = new LogError(
      "DELETED",
      `Cannot continue with ${this.path}: it was deleted or replaced while it was in use; records appended since are ` +
        "lost; restart",
    );
    throw this.#deleted;
  }

  /** Closes the file once all queued changes are written. */
  async close(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    await this.#settling;
    if (this.#closed) return;
    this.#closed = true;
    this.turns.stop();
    this.tails.file.close();
    this.#statements.clear();
    this.#wal?.close();
    this.#db.close();
  }

  /** Runs a statement that changes no rows; SQLite then reports the previous statement's count. */
  #execute(sql: string): void {
    this.#statement(sql).run();
  }

  /** Starts a sync, after which appends to the same segments need no row. */
  #settle(): void {
    const now = performance.now();
    if (this.#settling !== undefined || now - this.#settled < settleMs) return;
    this.#settled = now;
    const failed = () => {/* Syncing is retried, and errors are reported, once a second. */};
    this.#settling = this.sync().catch(failed).finally(() => this.#settling = undefined);
  }

  #statement(sql: string): StatementSync {
    if (this.#closed) throw new LogError("CLOSED", `Cannot use ${this.path}: the log is closed`);
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      (statement as ArrayStatement).setReturnArrays(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  async #guard<T>(action: string, work: () => T): Promise<T> {
    try {
      return await whileBusy(this.#waiting, () => this.turns.run(work));
    } catch (error) {
      throw storageError(error, action, this.path);
    }
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      // At the end of this turn, so that all changes queued in it share a transaction.
      await new Promise<void>((resolve) => setImmediate(resolve));
      await this.turns.ready();
      await this.#commit(this.#queue.splice(0, sharedAtMost));
    }
    this.#running = undefined;
  }

  async #commit(units: readonly Unit[]): Promise<void> {
    let done: (() => void)[];
    try {
      done = await whileBusy(this.#waiting, () => this.turns.spend(() => this.#applyAll(units)));
      if (units.some(({ durable }) => durable)) await this.sync();
    } catch (error) {
      for (const { action, reject } of units) reject(storageError(error, action, this.path));
      return;
    }
    for (const settle of done) settle();
    if (this.#commits < checkpointCommits) return;
    this.#commits = 0;
    this.turns.spend(() => this.checkpoint());
  }

  #applyAll(units: readonly Unit[]): (() => void)[] {
    const several = units.length > 1;
    const attempt = () => this.writeNow(() => units.map((unit) => this.#apply(unit, several)));
    try {
      return attempt();
    } catch (error) {
      if (storageFault(error) !== "full" || this.onFull?.("rows") !== true) throw error;
      return attempt();
    }
  }

  /** Applies one unit; if there are several, its failure does not affect the others. */
  #apply({ action, changes, resolve, reject }: Unit, several: boolean): () => void {
    if (several) this.#execute("SAVEPOINT unit");
    const restore = this.tails.savepoint();
    try {
      const result = changes();
      if (several) this.#execute("RELEASE unit");
      return () => resolve(result);
    } catch (error) {
      const alone = several && (error instanceof LogError || error instanceof SegmentLost);
      if (!alone || !this.#db.isTransaction) throw error;
      restore();
      this.#execute("ROLLBACK TO unit");
      this.#execute("RELEASE unit");
      return () => reject(storageError(error, action, this.path));
    }
  }

  /**
   * Checkpoints the WAL. A failure (lock, full disk) is left to the next checkpoint: commits are safe in the
   * WAL.
   */
  checkpoint(): void {
    try {
      const [, walPages] = this.get<[number, number]>("PRAGMA wal_checkpoint(PASSIVE)")!;
      if (walPages * pageSize < walLimitBytes) return;
      this.#db.exec(`PRAGMA busy_timeout = ${10 * busyTimeoutMs}`);
      this.get("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (error) {
      if (storageFault(error) === "malformed") throw storageError(error, "keep the log", this.path);
    } finally {
      this.#db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    }
  }
}
