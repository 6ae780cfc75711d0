// Detects appends by other connections and processes: one poll for all partitions of an open log.
import { LogError, type OffsetRange } from "../log.ts";
import type { Database } from "./database.ts";
import { storageFault } from "./errors.ts";
import type { Topics } from "./topics.ts";

/** Poll delay while appends arrive, and for how long after the last one. */
const busyPollMs = 2;
const busyForMs = 1_000;
/** Poll delay when idle. */
const idlePollMs = 10;

/** Receives the new range of the partition, or undefined if the log is gone (reading reports it). */
export type ChangeListener = (range: OffsetRange | undefined) => void;

/**
 * Polls SQLite's `data_version` and the partitions' tails, which costs microseconds, and queries changed
 * partitions only if one of them moved. Runs as long as there are listeners.
 */
export class ChangeWatcher {
  readonly #db: Database;
  readonly #topics: Topics;
  readonly #listeners = new Map<number, Set<ChangeListener>>();
  /** Last seen tail of each partition. */
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
   * Calls `listener` after each change of the partition; it must return quickly and not throw.
   *
   * @returns a function that removes the listener
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
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#listeners.size === 0) return;
    const busy = performance.now() - this.#lastChange < busyForMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      try {
        this.#check();
      } catch (error) {
        // Locked, or worse: readers encounter and report it too.
        this.#resetSeen();
        if (error instanceof LogError && error.code === "DELETED") this.#wakeAll();
      }
      this.#schedule();
    }, busy ? busyPollMs : idlePollMs);
  }

  /** Forgets what was seen, so that listeners are notified again. */
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

  /** Notifies the listeners of all partitions that changed since the last check. */
  #check(): void {
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
