// Notices what other connections and processes append: one poll for all partitions of an open log.
import { LogError, type OffsetRange } from "../log.ts";
import type { Database } from "./database.ts";
import { storageFault } from "./errors.ts";
import type { Topics } from "./topics.ts";

/** Poll delay while appends come, and how long after the last one. */
const busyPollMs = 2;
const busyForMs = 1_000;
/** Poll delay otherwise. */
const idlePollMs = 10;

/** What a listener learns of its partition; nothing when the log is gone: reading tells. */
export type ChangeListener = (range: OffsetRange | undefined) => void;

/**
 * Polls SQLite's `data_version` and the partitions' tails, which costs microseconds, and asks for the partitions that
 * changed only when one moved. Polls as long as there are listeners.
 */
export class ChangeWatcher {
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

  constructor(db: Database, topics: Topics) {
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
        // Locked, or worse: the readers meet it too and tell.
        this.#lookAgain();
        if (error instanceof LogError && error.code === "DELETED") this.#wakeAll();
      }
      this.#schedule();
    }, busy ? busyPollMs : idlePollMs);
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

  /** Tells the listeners of all partitions that changed since the last look. */
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
