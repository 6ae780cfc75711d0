// Notices appends by other connections and processes, for all partitions of an open log: Linux reports writes into
// the file `tails`, and polling finds unreported changes.
import type { Database } from "./database.ts";
import { storageFault } from "./errors.ts";
import { rowsSlot, type SeenSlot } from "./tail_file.ts";
import type { PartitionRows, PartitionView, Topics } from "./topics.ts";

/** Poll delay while appends come that are not reported, and how long it stays after the last one. */
const busyPollMs = 2;
const busyForMs = 1_000;
/** Poll delay otherwise. */
const idlePollMs = 10;
/** Poll delay while all changes are reported; a process may be killed between a commit and its announcement. */
const reportedPollMs = 500;

/**
 * Gets its partition, which may be as it was before rows changed that are not announced yet; undefined when it cannot be
 * read, which reading reports.
 */
export type ChangeListener = (view: PartitionView | undefined) => void;

interface Watched extends SeenSlot {
  readonly listeners: Set<ChangeListener>;
}

/**
 * Looks at the partitions' tails after each reported write, which costs microseconds, and at their rows only when a
 * commit has announced that it changed some. It does so once others see the rows, so that a look after the report
 * finds them: a reader without a report need not look. Polls look at SQLite's `data_version` as well. Where one finds
 * a change that was not reported, polling is fast until a report shows one again. Runs while there are listeners.
 */
export class ChangeWatcher {
  readonly #db: Database;
  readonly #topics: Topics;
  readonly #rows: Watched = { id: rowsSlot, latest: -1, listeners: new Set() };
  readonly #watched = new Map<number, Watched>();
  /** Rows of partitions since the last look at changed ones: most appends change none. */
  readonly #known: PartitionRows = new Map();
  /** Ordered by id. */
  #slots: readonly Watched[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #pollMs = 0;
  #version = -1;
  #change = 0;
  #rowCommits = 0;
  #lastChange = -Infinity;
  #watcher: Deno.FsWatcher | undefined;
  /** No poll has found a change that was not reported. */
  #reportsAll = false;

  constructor(db: Database, topics: Topics) {
    this.#db = db;
    this.#topics = topics;
  }

  /**
   * Calls `listener`, which must not throw, after each change of the partition; returns a function
   * that ends it.
   */
  listen(id: number, listener: ChangeListener): () => void {
    const one = this.#watched.get(id) ?? { id, latest: -1, listeners: new Set() };
    one.listeners.add(listener);
    this.#watched.set(id, one);
    this.#arrange();
    void this.#watch();
    // Now: a poll would take what it finds first for a change that was not reported.
    this.#tryLook(false);
    this.#pace();
    return () => {
      one.listeners.delete(listener);
      if (one.listeners.size > 0 || this.#watched.get(id) !== one) return;
      this.#watched.delete(id);
      this.#arrange();
      if (this.#watched.size === 0) this.stop();
    };
  }

  /** Call after a write by this connection: its readers need not wait for the report. */
  written(): void {
    if (this.#watched.size > 0) this.#tryLook(false);
  }

  stop(): void {
    this.#known.clear();
    clearInterval(this.#timer);
    this.#pollMs = 0;
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#reportsAll = false;
  }

  #arrange(): void {
    this.#slots = [this.#rows, ...this.#watched.values()].sort((a, b) => a.id - b.id);
  }

  async #watch(): Promise<void> {
    // Elsewhere reports come later than polling finds the change.
    if (this.#watcher !== undefined || Deno.build.os !== "linux") return;
    try {
      const watcher = this.#watcher = Deno.watchFs(this.#db.tails.file.path);
      // Shows at once whether writes are reported: a log into which none come would be polled often. Later ones must
      // show a change: in some containers only their own writes are reported.
      this.#db.tails.file.announce();
      let first = true;
      for await (const _ of watcher) {
        if (watcher !== this.#watcher) return;
        if (first) this.#reportsAll = true;
        first = false;
        if (this.#tryLook(false)) this.#reportsAll = true;
        this.#pace();
      }
    } catch {
      // All watches of this user are taken, or the file is gone: polling continues.
    }
  }

  #poll(): void {
    if (this.#tryLook(true)) this.#reportsAll = false;
    this.#pace();
  }

  /** Polls as often as is needed now. */
  #pace(): void {
    const busy = performance.now() - this.#lastChange < busyForMs;
    const delay = this.#reportsAll ? reportedPollMs : busy ? busyPollMs : idlePollMs;
    if (delay === this.#pollMs || this.#watched.size === 0) return;
    clearInterval(this.#timer);
    this.#pollMs = delay;
    this.#timer = setInterval(() => this.#poll(), delay);
  }

  #tryLook(rows: boolean): boolean {
    try {
      return this.#look(rows);
    } catch (error) {
      this.#forget();
      // While it is locked the next look finds it. What else is wrong the readers meet and report.
      if (storageFault(error) !== "busy") this.#wakeAll();
      return false;
    }
  }

  /** The next look takes everything for changed. */
  #forget(): void {
    this.#known.clear();
    this.#reportsAll = false;
    this.#version = -1;
    this.#change = 0;
    for (const slot of this.#slots) slot.latest = -1;
  }

  #wakeAll(): void {
    for (const { listeners } of this.#slots) {
      for (const listener of [...listeners]) listener(undefined);
    }
  }

  /**
   * Calls the listeners of changed partitions; returns whether there are any.
   *
   * @param rows look for changed rows, whether announced or not
   */
  #look(rows: boolean): boolean {
    this.#db.checkPresent();
    const { tails } = this.#db;
    let changed = tails.file.changed(this.#slots);
    const announced = changed[0] === this.#rows || tails.rowCommits !== this.#rowCommits;
    if (announced || rows && this.#db.dataVersion() !== this.#version) {
      changed = [...new Set([...changed, ...this.#changedRows()])].filter((one) =>
        one !== this.#rows
      );
    }
    if (changed.length === 0) return false;
    this.#lastChange = performance.now();
    for (const { id, listeners } of changed) {
      const view = this.#view(id);
      for (const listener of listeners) listener(view);
    }
    return true;
  }

  /** A damaged partition costs no other. */
  #view(id: number): PartitionView | undefined {
    try {
      return this.#topics.view(id, this.#known);
    } catch (error) {
      if (storageFault(error) === "busy") throw error;
      return undefined;
    }
  }

  #changedRows(): Watched[] {
    this.#known.clear();
    this.#version = this.#db.dataVersion();
    this.#rowCommits = this.#db.tails.rowCommits;
    const rows = this.#db.all<[number, number]>(
      "SELECT id, change FROM partitions WHERE change > ?",
      this.#change,
    );
    for (const [, change] of rows) this.#change = Math.max(this.#change, change);
    return rows.flatMap(([id]) => this.#watched.get(id) ?? []);
  }
}
