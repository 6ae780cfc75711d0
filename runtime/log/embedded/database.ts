// The database of an embedded log: transactions, shared by all that wait at the same time.
import { backup, type DatabaseSync, type StatementSync } from "node:sqlite";
import { dirname } from "node:path";
import { setImmediate } from "node:timers";
import { LogError } from "../log.ts";
import { SegmentLost, storageError, storageFault } from "./errors.ts";
import { type DatabaseFile, openDatabase, placeOf } from "./database_file.ts";
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
 * After this many transactions that changed rows this connection copies the WAL into the database.
 * SQLite would do so after each commit once the WAL has a certain length and readers keep it from
 * starting over.
 */
const checkpointCommits = 1_000;
/** Minimum intervals of checks that the file exists, and of its syncs to disk that spare appends a row. */
const [presenceCheckMs, settleMs] = [250, 250];
/** Units of one transaction, so that the event loop is never held up for long. */
const sharedAtMost = 256;

/** Changes waiting for their transaction. */
interface Unit {
  readonly action: string;
  readonly changes: () => unknown;
  readonly durable: boolean;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** All methods but the asynchronous ones are short. */
export class Database {
  readonly path: string;
  readonly logId: string;
  readonly turns: Turns = new Turns();
  readonly tails: Tails;
  /** Called on a full disk: frees space, and returns whether to try again. */
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

  private constructor({ db, path, logId, place }: DatabaseFile, waiting: Waiting) {
    this.path = path;
    this.logId = logId;
    this.#place = place;
    this.#db = db;
    this.#waiting = waiting;
    this.tails = new Tails(dirname(path), this);
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
    return new Database(await openDatabase(dir, waiting, tell), waiting);
  }

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

  /** Changes whenever another connection, of any process, has written. */
  dataVersion(): number {
    this.checkPresent();
    return this.get<[number]>("PRAGMA data_version")![0];
  }

  /** Runs queries; retries while the database is locked. */
  async read<T>(action: string, queries: () => T): Promise<T> {
    const work = () => {
      this.checkPresent();
      return queries();
    };
    try {
      return await whileBusy(this.#waiting, () => this.turns.run(work));
    } catch (error) {
      throw storageError(error, action, this.path);
    }
  }

  /**
   * Runs `changes` in a transaction: all of them or none. Others that wait at the same time share
   * it, and fail by themselves. Retries while other writers hold the lock, so `changes` may run
   * several times.
   *
   * A commit survives the death of the process. With `durable` it is on the disk, with all commits
   * before it.
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

  /** Runs `work`, and again if a full disk has freed space for it. */
  withRoom<T>(what: "frames" | "rows", work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (storageFault(error) !== "full" || this.onFull?.(what) !== true) throw error;
      return work();
    }
  }

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
    // All pages at once: a write of others would start the copy again.
    await backup(this.#db, path, { rate: 2 ** 31 - 1 });
  }

  walBytes(): number {
    return sizeOf(`${this.path}-wal`);
  }

  /** Whether `checkPresent` has noticed it. */
  get deleted(): boolean {
    return this.#deleted !== undefined;
  }

  /** @throws {LogError} `DELETED` when the file was deleted, and with it all later writes. */
  checkPresent(intervalMs = presenceCheckMs): void {
    if (this.#deleted !== undefined) throw this.#deleted;
    const now = performance.now();
    if (now - this.#presenceCheckedAt < intervalMs) return;
    this.#presenceCheckedAt = now;
    if (placeOf(this.path) === this.#place && placeOf(this.tails.file.path) === this.#tails) return;
    this.#deleted = new LogError(
      "DELETED",
      `Cannot continue with ${this.path}: it was deleted or replaced while it was in use: what was appended since is lost`,
    );
    throw this.#deleted;
  }

  /** Closes the file after all waiting writes. */
  async close(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    await this.#settling;
    this.#closed = true;
    this.turns.stop();
    this.tails.file.close();
    this.#statements.clear();
    this.#wal?.close();
    this.#db.close();
  }

  /** A statement that changes no row: `changes` would be those of the one before. */
  #execute(sql: string): void {
    this.#statement(sql).run();
  }

  /** Starts to sync the rows that later appends to the same segments rest on. */
  #settle(): void {
    const now = performance.now();
    if (this.#settling !== undefined || now - this.#settled < settleMs) return;
    this.#settled = now;
    const failed = () => {/* The keeper syncs again, and reports, once a second. */};
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
    const apply = () => units.map((unit) => this.#apply(unit, several));
    return this.withRoom("rows", () => this.writeNow(apply));
  }

  /** A failure of one unit of several costs itself alone. */
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

  /** Commits are safe in the WAL until it succeeds. */
  checkpoint(): void {
    try {
      const [, walPages] = this.get<[number, number]>("PRAGMA wal_checkpoint(PASSIVE)")!;
      if (walPages * pageSize < walLimitBytes) return;
      this.#db.exec(`PRAGMA busy_timeout = ${10 * busyTimeoutMs}`);
      this.get("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // A lock or a full disk may be gone at the next one; damage is found by what reads it.
    } finally {
      this.#db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    }
  }
}
