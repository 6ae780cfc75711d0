// Notices appends by other connections and processes: one poll for all partitions of an open log.
import { LogError, type OffsetRange } from "../log.ts";
import type { Database } from "./database.ts";
import { storageFault } from "./errors.ts";
import type { Topics } from "./topics.ts";

/** Poll delay while appends come, and how long it stays after the last one. */
const busyPollMs = 2;
const busyForMs = 1_000;
const idlePollMs = 10;

/** Gets the range of its partition; undefined when the log is gone, which reading reports. */
export type ChangeListener = (range: OffsetRange | undefined) => void;

/**
 * Polls SQLite's `data_version` and the partitions' tails, which costs microseconds, and looks for
 * changed partitions only when one moved. Polls while there are listeners.
 */
export class ChangeWatcher {
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

  constructor(db: Database, topics: Topics) {
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
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#listeners.size === 0) return;
    const busy = performance.now() - this.#lastChange < busyForMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#look();
      } catch (error) {
        // Locked, or worse: the readers meet and report it too.
        this.#lookAgain();
        if (error instanceof LogError && error.code === "DELETED") this.#wakeAll();
      }
      this.#schedule();
    }, busy ? busyPollMs : idlePollMs);
  }

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

  #look(): void {
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
  }
}
