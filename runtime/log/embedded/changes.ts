// Notices what other connections and processes append: for all partitions of an open log together, by what the
// operating system tells of its folder, and by polling where it tells nothing.
import { LogError, type OffsetRange } from "../log.ts";
import type { Database } from "./database.ts";
import { storageFault } from "./errors.ts";
import type { Topics } from "./topics.ts";

/** Poll delay while appends come, and how long after the last one. */
const busyPollMs = 2;
const busyForMs = 1_000;
/** Poll delay otherwise. */
const idlePollMs = 10;
/** Poll delay while the operating system tells of all changes. */
const toldPollMs = 50;

/** What a listener learns of its partition; nothing when the log is gone: reading tells. */
export type ChangeListener = (range: OffsetRange | undefined) => void;

/**
 * Looks at SQLite's `data_version` and the partitions' tails, and asks for the partitions that changed only when one
 * moved: at each write into the folder that the operating system tells of, and some milliseconds after it, since a
 * commit counts a moment later. Where a poll finds what nobody has told of, polling is what counts until it tells again.
 */
export class ChangeWatcher {
  readonly #dir: string;
  readonly #db: Database;
  readonly #topics: Topics;
  readonly #listeners = new Map<number, Set<ChangeListener>>();
  /** What the tails of these partitions were when we last looked. */
  readonly #seen = new Map<number, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #version = -1;
  #wrote = false;
  #change = 0;
  #lastChange = -Infinity;
  #lastLook = -Infinity;
  #watcher: Deno.FsWatcher | undefined;
  /** A write was told of since the last poll; all changes were. */
  #told = false;
  #tellsAll = false;

  /** @param dir the log's folder. */
  constructor(dir: string, db: Database, topics: Topics) {
    this.#dir = dir;
    this.#db = db;
    this.#topics = topics;
  }

  /**
   * Calls `listener` after each change of the partition with this id; it must return at once and not throw.
   *
   * @returns a function that ends it.
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

  /** This connection has written: `data_version` does not show that. */
  written(): void {
    this.#wrote = true;
    if (this.#listeners.size === 0) return;
    try {
      this.#look();
    } catch (error) {
      this.#lookAgain();
      if (storageFault(error) !== "busy") throw error;
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#told = this.#tellsAll = false;
  }

  async #watch(): Promise<void> {
    // Elsewhere it tells later than polling does.
    if (this.#watcher !== undefined || Deno.build.os !== "linux") return;
    try {
      const watcher = this.#watcher = Deno.watchFs(this.#dir, { recursive: false });
      for await (const _ of watcher) if (watcher === this.#watcher) this.#hear();
    } catch {
      // All watches of this user are taken, or the folder is gone: polling goes on.
    }
  }

  /** Something was written into the folder. */
  #hear(): void {
    this.#told = this.#tellsAll = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (performance.now() - this.#lastLook < busyPollMs) this.#schedule();
    else this.#poll();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#listeners.size === 0) return;
    const busy = performance.now() - this.#lastChange < busyForMs;
    const delay = this.#tellsAll && !this.#told ? toldPollMs : busy ? busyPollMs : idlePollMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const told = this.#told;
      this.#told = false;
      if (this.#poll() && !told) this.#tellsAll = false;
    }, delay);
  }

  /** Returns whether a partition has changed. */
  #poll(): boolean {
    let changed = false;
    try {
      changed = this.#look();
    } catch (error) {
      // Locked, or worse: the readers meet it too and tell.
      this.#lookAgain();
      if (error instanceof LogError && error.code === "DELETED") this.#wakeAll();
    }
    this.#schedule();
    return changed;
  }

  /** The listeners may not know of what was seen. */
  #lookAgain(): void {
    this.#version = -1;
    this.#change = 0;
    for (const id of this.#seen.keys()) this.#seen.set(id, -1);
  }

  #wakeAll(): void {
    for (const listeners of [...this.#listeners.values()]) {
      for (const listener of [...listeners]) listener(undefined);
    }
  }

  /** Tells the listeners of all partitions that changed since the last look; returns whether one has. */
  #look(): boolean {
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
