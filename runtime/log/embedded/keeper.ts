// Maintains an open log: syncs, retention, sealing, dead writers, warnings.
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { given } from "../../base/options.ts";
import type { LogStorage } from "../log.ts";
import type { ArrivalClock } from "./arrivals.ts";
import { freeBytes, keepReserve, releaseReserve } from "./disk.ts";
import { storageError, storageFault } from "./errors.ts";
import { recover, repairTails } from "./recovery.ts";
import type { Store } from "./records.ts";
import { expire, expireNow } from "./retention.ts";
import type { SegmentWriter } from "./segment_writer.ts";

const tickMs = 1_000;
/** Segments of others and the disk are checked every this many ticks. */
const rareTicks = 10;
/** A write-ahead log of this length is reported: a transaction reads for very long. */
const longWalBytes = 64 << 20;

export interface Warnings {
  /** Of what happens to this instance alone, or to the one that opens the log first. */
  readonly tell: (message: string) => void;
  /** Of what every instance meets while the log is open. */
  readonly upkeep: (message: string) => void;
}

export interface KeeperParts extends Store {
  readonly segments: SegmentWriter;
  readonly arrivals: ArrivalClock;
  readonly clock: Clock;
  readonly warnings: Warnings;
}

export class Keeper {
  readonly #parts: KeeperParts;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #ticks = 0;
  #warnedOfWal = false;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    parts.db.onFull = (what) => this.#makeRoom(what);
  }

  /** Does all due work after opening, then continues in the background. */
  async start(): Promise<void> {
    const { dir, db, topics, segments, warnings } = this.#parts;
    keepReserve(dir);
    for (const id of await repairTails(db)) {
      const { topic, partition } = topics.row(id);
      warnings.tell(
        `${db.tails.file.path} was damaged: the newest frames of ${topic}/${partition} are lost, 64 at most`,
      );
    }
    await recover(dir, db, segments.ids);
    await expire(this.#parts);
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  storage(): LogStorage {
    const { db, dir } = this.#parts;
    return { walBytes: db.walBytes(), ...given({ diskFreeBytes: freeBytes(dir) }) };
  }

  async #run(): Promise<void> {
    const { clock, db, warnings: { tell } } = this.#parts;
    const { signal } = this.#stop;
    let told = "";
    while (!signal.aborted) {
      try {
        await clock.sleep(tickMs, signal);
        await this.#tick();
        told = "";
      } catch (error) {
        if (signal.aborted) return;
        const { code, message, retryable } = storageError(error, "keep the log", db.path);
        // Locked or full: the next tick tries again. Users of the log meet it too.
        if (retryable) continue;
        if (message !== told) tell(message);
        told = message;
        if (code === "DELETED") return;
      }
    }
  }

  async #tick(): Promise<void> {
    const { dir, db, topics, records, segments, arrivals, warnings } = this.#parts;
    db.checkPresent();
    await arrivals.follow({
      newest: () => db.read("look at the newest record", () => records.newest()),
      redate: (...step) => db.write("date records", () => records.redate(...step)),
    });
    for (const file of segments.forgetRemoved()) {
      warnings.tell(`${join(dir, file)} was removed while in use: the frames in it are lost`);
    }
    segments.pad();
    if (await segments.sync()) await db.sync();
    topics.refresh();
    await segments.seal();
    await expire(this.#parts);
    if (++this.#ticks % rareTicks !== 0) return;
    await recover(dir, db, segments.ids);
    keepReserve(dir);
    this.#checkWal();
  }

  #checkWal(): void {
    const { db, warnings } = this.#parts;
    const bytes = db.walBytes();
    if (bytes > longWalBytes) db.checkpoint();
    const long = db.walBytes() > longWalBytes;
    if (long && !this.#warnedOfWal) {
      warnings.upkeep(
        `${db.path}-wal has grown to ${
          bytes >> 20
        } MiB: another program has been reading ${db.path} for a long time ` +
          "(a shell with an open transaction?) and prevents it from being restarted; end it",
      );
    }
    this.#warnedOfWal = long;
  }

  /** On a full disk retention runs first. Rows may use the reserve, frames may not. */
  #makeRoom(what: "frames" | "rows"): boolean {
    const { dir, segments } = this.#parts;
    const released = what === "rows" && releaseReserve(dir);
    const removes = () => {
      segments.sealNow();
      return expireNow(this.#parts) > 0;
    };
    try {
      return removes() || released;
    } catch (error) {
      if (storageFault(error) !== "full" || !releaseReserve(dir)) throw error;
      return removes();
    }
  }
}
