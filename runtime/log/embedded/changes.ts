// Notices appends by other connections and processes, for all partitions of an open log: Linux reports writes into
// its folder, and polling finds unreported changes.
import { LogError, type OffsetRange } from "../log.ts";
import type { Database } from "./database.ts";
import { storageFault } from "./errors.ts";
import type { Topics } from "./topics.ts";

/** Poll delay while appends come, and how long it stays after the last one. */
const busyPollMs = 2;
const busyForMs = 1_000;
/** Poll delay otherwise, and while all changes are reported: a commit may become visible late on a busy machine. */
const idlePollMs = 10;

/** Gets the range of its partition; undefined when the log is gone, which reading reports. */
export type ChangeListener = (range: OffsetRange | undefined) => void;

/**
 * Looks at SQLite's `data_version` and the partitions' tails, which costs microseconds, and at the partitions only when
 * one moved: after each reported write, and 2 ms later, since a commit becomes visible a moment after its write. Where
 * a poll finds a change that was not reported, polling is fast again until the next report. Runs while there are
 * listeners.
 */
export class ChangeWatcher {
  readonly #dir: string;
  readonly #db: Database;
  readonly #topics: Topics;
  readonly #listeners = new Map<number, Set<ChangeListener>>();
  /** The tails at the last look. */
  readonly #seen = new Map<number, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #version = -1;
  #wrote = false;
  #change = 0;
  #lastChange = -Infinity;
  #lastLook = -Infinity;
  #watcher: Deno.FsWatcher | undefined;
  /** A write was reported since the last poll. */
  #reported = false;
  /** No poll has found a change that was not reported. */
  #reportsAll = false;

  /** @param dir the log's folder. */
  constructor(dir: string, db: Database, topics: Topics) {
    this.#dir = dir;
    this.#db = db;
    this.#topics = topics;
  }

  /**
   * Calls `listener`, which must not throw, after each change of the partition; returns a function
   * that ends it.
   */
  listen(id: number, listener: ChangeListener): () => void {
    let listeners = this.#listeners.get(id);
    if (listeners === undefined) {
      this.#listeners.set(id, listeners = new Set());
      this.#seen.set(id, -1);
    }
    listeners.add(listener);
    void this.#watch();
    this.#schedule();
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) {
        this.#listeners.delete(id);
        this.#seen.delete(id);
      }
      if (this.#listeners.size === 0) this.stop();
    };
  }

  /** Call after a write by this connection, which `data_version` does not show. */
  written(): void {
    this.#wrote = true;
    if (this.#listeners.size === 0) return;
    try {
      this.#check();
    } catch (error) {
      this.#resetSeen();
      if (storageFault(error) !== "busy") throw error;
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#reported = this.#reportsAll = false;
  }

  async #watch(): Promise<void> {
    // Elsewhere reports come later than polling finds the change.
    if (this.#watcher !== undefined || Deno.build.os !== "linux") return;
    try {
      const watcher = this.#watcher = Deno.watchFs(this.#dir, { recursive: false });
      for await (const _ of watcher) if (watcher === this.#watcher) this.#written();
    } catch {
      // All watches of this user are taken, or the folder is gone: polling continues.
    }
  }

  /** Something was written into the folder. */
  #written(): void {
    this.#reported = this.#reportsAll = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (performance.now() - this.#lastLook < busyPollMs) this.#schedule();
    else this.#poll();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#listeners.size === 0) return;
    const busy = performance.now() - this.#lastChange < busyForMs;
    const delay = busy && (this.#reported || !this.#reportsAll) ? busyPollMs : idlePollMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const reported = this.#reported;
      this.#reported = false;
      if (this.#poll() && !reported) this.#reportsAll = false;
    }, delay);
  }

  /** Returns whether a partition has changed. */
  #poll(): boolean {
    let changed = false;
    try {
      changed = this.#check();
    } catch (error) {
      // Locked, or worse: the readers meet and report it too.
      this.#resetSeen();
      if (error instanceof LogError && error.code === "DELETED") this.#wakeAll();
    }
    this.#schedule();
    return changed;
  }

  #resetSeen(): void {
    this.#version = -1;
    this.#change = 0;
    for (const id of this.#seen.keys()) this.#seen.set(id, -1);
  }

  #wakeAll(): void {
    for (const listeners of [...this.#listeners.values()]) {
      for (const listener of [...listeners]) listener(undefined);
    }
  }

  /** Calls the listeners of changed partitions; returns whether there are any. */
  #check(): boolean {
    this.#lastLook = performance.now();
    const moved = this.#db.tails.file.changed(this.#seen);
    const version = this.#db.dataVersion();
    if (version !== this.#version || this.#wrote) {
      [this.#version, this.#wrote] = [version, false];
      const rows = this.#db.all<[number, number]>(
        "SELECT id, change FROM partitions WHERE change > ?",
        this.#change,
      );
      for (const [id, change] of rows) {
        this.#change = Math.max(this.#change, change);
        moved.push(id);
      }
    }
    for (const id of new Set(moved)) {
      const listeners = this.#listeners.get(id);
      if (listeners === undefined) continue;
      this.#lastChange = performance.now();
      const range = this.#topics.range(id);
      for (const listener of listeners) listener(range);
    }
    return moved.length > 0;
  }
}
