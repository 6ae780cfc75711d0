/**
 * The database file of an embedded log: opening it, checking what it is, transactions.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { LogError } from "../log.ts";
import { storageError, storageFault } from "./errors.ts";
import { applicationId, pageSize, schema, schemaVersion } from "./schema.ts";
import { Turns } from "./turns.ts";

/** A value of a row or of a parameter. */
export type Cell = string | number | null | Uint8Array;

/** Deno has the method, its types do not. */
type ArrayStatement = StatementSync & { setReturnArrays(enabled: boolean): void };

/** SQLite waits so long for a lock inside of a call; beyond that the event loop gets its turn. */
const busyTimeoutMs = 3;
/**
 * After so many bytes this connection copies the WAL into the database. SQLite's own way, after each commit as soon as the
 * WAL has a certain length, would do so at every commit while readers keep the WAL from starting over.
 */
const checkpointBytes = 4 << 20;
/** From this length on a writer waits for the readers once, so that the WAL starts over. */
const walLimitBytes = 64 << 20;
/** What a transaction writes besides records: pages of indexes and partitions. */
const transactionBytes = 3 * pageSize;

/** An open database. All its methods but the waiting ones are synchronous and short. */
export class Database {
  /** The database file. */
  readonly path: string;
  /** Identity of this log, a UUID. */
  readonly logId: string;
  /** Counts the time that queries take. */
  readonly turns: Turns = new Turns();
  readonly #db: DatabaseSync;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #statements = new Map<string, StatementSync>();
  #durable = false;
  #written = 0;
  #closed = false;

  private constructor(path: string, db: DatabaseSync, logId: string, waiting: Waiting) {
    this.path = path;
    this.#db = db;
    this.logId = logId;
    this.#clock = waiting.clock;
    this.#timeoutMs = waiting.timeoutMs;
  }

  /**
   * Opens `DIR/log.db`, and makes it when there is none.
   *
   * @throws {LogError} `INVALID` for a foreign or newer file or a folder without access, `DISK_FULL`,
   * `INTERNAL` for a damaged one, `UNREACHABLE` when others lock it beyond the timeout.
   */
  static async open(dir: string, waiting: Waiting): Promise<Database> {
    const path = join(dir, "log.db");
    const action = `open the embedded log in ${dir}`;
    let db: DatabaseSync | undefined;
    try {
      // Pictures of cameras are nobody else's business.
      await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
      db = new DatabaseSync(path);
      const opened = db;
      const logId = await whileBusy(waiting, () => prepare(opened, path));
      return new Database(path, db, logId, waiting);
    } catch (error) {
      db?.close();
      if (
        error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists
      ) {
        throw new LogError("INVALID", `Cannot ${action}: it is not a folder; name another one`, {
          cause: error,
        });
      }
      throw storageError(error, action, path);
    }
  }

  /** All rows of a query, as arrays. */
  all<Row extends readonly Cell[]>(sql: string, ...values: Cell[]): Row[] {
    return this.#statement(sql).all(...values) as unknown as Row[];
  }

  /** The first row of a query. */
  get<Row extends readonly Cell[]>(sql: string, ...values: Cell[]): Row | undefined {
    return this.#statement(sql).get(...values) as unknown as Row | undefined;
  }

  /** Runs a statement; returns how many rows it changed. */
  run(sql: string, ...values: Cell[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  /** A number that changes whenever another connection, of any process, has written. */
  dataVersion(): number {
    return this.get<[number]>("PRAGMA data_version")![0];
  }

  /** Runs queries; tries again while the database is locked. */
  async read<T>(action: string, queries: () => T): Promise<T> {
    return await this.#guard(action, queries);
  }

  /**
   * Runs `changes` in one transaction: all of them or none. Tries again while other writers hold the
   * lock, so `changes` may be called several times.
   *
   * A commit survives the death of the process. With `durable` it has reached the disk, and with it
   * all commits before.
   */
  async write<T>(
    action: string,
    changes: () => T,
    { durable = false, bytes = 0 }: { durable?: boolean; bytes?: number } = {},
  ): Promise<T> {
    const result = await this.#guard(action, () => {
      if (durable !== this.#durable) {
        this.#db.exec(`PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"}`);
        this.#durable = durable;
      }
      this.run("BEGIN IMMEDIATE");
      try {
        const result = changes();
        this.run("COMMIT");
        return result;
      } catch (error) {
        // Some errors end the transaction by themselves.
        if (this.#db.isTransaction) this.run("ROLLBACK");
        throw error;
      }
    });
    this.#written += bytes + transactionBytes;
    if (this.#written > checkpointBytes) this.turns.spend(() => this.#checkpoint());
    return result;
  }

  /** Closes the file. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.turns.stop();
    this.#statements.clear();
    this.#db.close();
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
      return await whileBusy(
        { clock: this.#clock, timeoutMs: this.#timeoutMs },
        () => this.turns.spend(work),
      );
    } catch (error) {
      throw storageError(error, action, this.path);
    }
  }

  /** What fails here (a lock, a full disk) is made up for by the next checkpoint; commits are safe in the WAL. */
  #checkpoint(): void {
    this.#written = 0;
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

/** How to wait for locks. */
export interface Waiting {
  readonly clock: Clock;
  /** How long at most. */
  readonly timeoutMs: number;
}

/** Calls `work` until it no longer meets a lock; gives the event loop its turn in between. */
export async function whileBusy<T>(
  { clock, timeoutMs }: Waiting,
  work: () => T | Promise<T>,
): Promise<T> {
  let started: number | undefined;
  for (let delay = 1;; delay = Math.min(delay * 1.5, 20)) {
    try {
      return await work();
    } catch (error) {
      if (storageFault(error) !== "busy") throw error;
      started ??= clock.monotonic();
      if (clock.monotonic() - started > timeoutMs) throw error;
      // Apart from each other, lest the same writers meet again.
      await clock.sleep(delay * (0.5 + Math.random()));
    }
  }
}

/** Checks what the file is, makes the tables in an empty one; returns the log's id. */
function prepare(db: DatabaseSync, path: string): string {
  const number = (sql: string) => Number(Object.values(db.prepare(sql).get()!)[0]);
  const check = () => {
    // Asked first: whoever makes the tables sets the rest in the same transaction.
    if (number("SELECT count(*) FROM sqlite_schema") === 0) return false;
    if (number("PRAGMA application_id") !== applicationId) {
      throw new LogError(
        "INVALID",
        `Cannot open ${path}: it is the database of another program; name another folder`,
      );
    }
    const version = number("PRAGMA user_version");
    if (version !== schemaVersion) {
      throw new LogError(
        "INVALID",
        `Cannot open ${path}: its format is version ${version}, this Framelane reads version ` +
          `${schemaVersion}; update Framelane or name another folder`,
      );
    }
    return true;
  };
  db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  if (!check()) {
    db.exec(`PRAGMA page_size = ${pageSize}; PRAGMA journal_mode = WAL; BEGIN IMMEDIATE`);
    try {
      // Another process may have been faster.
      if (!check()) {
        db.exec(schema);
        db.prepare("INSERT INTO log VALUES (1, ?)").run(crypto.randomUUID());
        db.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}`);
      }
      db.exec("COMMIT");
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      throw error;
    }
  }
  db.exec(`
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = ${walLimitBytes / pageSize};
    PRAGMA journal_size_limit = ${walLimitBytes};
    PRAGMA cache_size = -8192;
  `);
  return String(db.prepare("SELECT log_id FROM log").get()!.log_id);
}
