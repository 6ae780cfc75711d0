/**
 * Notices what other connections and processes append: one poll for all partitions of an open log.
 *
 * @module
 */
import { LogError, type OffsetRange } from "../log.ts";
import type { Database } from "./database.ts";
import { storageFault } from "./errors.ts";

/** Poll delay while appends come, and how long after the last one. */
const busyPollMs = 2;
const busyForMs = 1_000;
/** Poll delay otherwise. */
const idlePollMs = 10;

/** What a listener learns of its partition; nothing when the log is gone: reading tells. */
export type ChangeListener = (range: OffsetRange | undefined) => void;

/**
 * Polls SQLite's `data_version`, which costs microseconds, and asks for the partitions that changed only when
 * it moved. Polls as long as there are listeners.
 */
export class ChangeWatcher {
  readonly #db: Database;
  readonly #listeners = new Map<number, Set<ChangeListener>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #version = -1;
  #change = 0;
  #lastChange = -Infinity;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Calls `listener` after each change of the partition with this id; it must return at once and not throw.
   *
   * @returns a function that ends it.
   */
  listen(id: number, listener: ChangeListener): () => void {
    let listeners = this.#listeners.get(id);
    if (listeners === undefined) this.#listeners.set(id, listeners = new Set());
    listeners.add(listener);
    this.#schedule();
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
      if (this.#listeners.size === 0) this.stop();
    };
  }

  /** This connection has written: `data_version` does not show that. */
  written(): void {
    if (this.#listeners.size > 0) this.#look();
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
        const version = this.#db.dataVersion();
        if (version !== this.#version) {
          this.#version = version;
          this.#look();
        }
      } catch (error) {
        // Locked, or worse: the readers meet it too and tell; the next poll asks again.
        this.#version = -1;
        if (error instanceof LogError && error.code === "DELETED") this.#wakeAll();
      }
      this.#schedule();
    }, busy ? busyPollMs : idlePollMs);
  }

  #wakeAll(): void {
    for (const listeners of [...this.#listeners.values()]) {
      for (const listener of [...listeners]) listener(undefined);
    }
  }

  /** Tells the listeners of all partitions that changed since the last look. */
  #look(): void {
    try {
      const rows = this.#db.all<[number, number, number, number]>(
        "SELECT id, floor, latest, change FROM partitions WHERE change > ?",
        this.#change,
      );
      if (rows.length === 0) return;
      this.#lastChange = performance.now();
      for (const [id, earliest, latest, change] of rows) {
        this.#change = Math.max(this.#change, change);
        for (const listener of this.#listeners.get(id) ?? []) listener({ earliest, latest });
      }
    } catch (error) {
      // Asked again by the next poll.
      this.#version = -1;
      if (storageFault(error) !== "busy") throw error;
    }
  }
}
