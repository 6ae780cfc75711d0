// What an open log does by itself: syncing, retention, sealing, looking after dead writers, warning.
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { LogError, type LogStorage } from "../log.ts";
import { freeBytes, sizeOf } from "./disk.ts";
import { storageFault } from "./errors.ts";
import { modes } from "./private_files.ts";
import { recover } from "./recovery.ts";
import { expire, expireNow, type RetentionParts } from "./retention.ts";
import type { SegmentWriter } from "./segment_writer.ts";

/** How often the log is looked after. */
const tickMs = 1_000;
/** How often others' segments and the disk are looked at, in ticks. */
const rareTicks = 10;
/** Kept on the disk so that there is room to remove things when it is full. */
const reserveBytes = 2 << 20;
/** A write-ahead log this long is worth a warning: one transaction reads for very long. */
const longWalBytes = 64 << 20;

/** The parts of an open log that it looks after. */
export interface KeeperParts extends RetentionParts {
  readonly segments: SegmentWriter;
  readonly clock: Clock;
  readonly tell: (message: string) => void;
}

/** Looks after an open log until it is stopped. */
export class Keeper {
  readonly #parts: KeeperParts;
  readonly #stop = new AbortController();
  readonly #reserve: string;
  #running: Promise<void> = Promise.resolve();
  #ticks = 0;
  #toldOfWal = false;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    this.#reserve = join(parts.dir, "reserve");
    parts.db.onFull = (what) => this.#makeRoom(what);
  }

  /** Does once what is due after an opening, then continues by itself. */
  async start(): Promise<void> {
    const { dir, db, segments } = this.#parts;
    this.#keepReserve();
    await recover(dir, db, segments.ids);
    await expire(this.#parts);
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** What the log's files take. */
  storage(): LogStorage {
    const walBytes = this.#parts.db.walBytes();
    const diskFreeBytes = freeBytes(this.#parts.dir);
    return { walBytes, ...diskFreeBytes === undefined ? {} : { diskFreeBytes } };
  }

  async #run(): Promise<void> {
    const { clock, tell } = this.#parts;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await clock.sleep(tickMs, signal);
        await this.#tick();
      } catch (error) {
        if (signal.aborted) return;
        // Locked or full: the next tick tries again. Those who use the log meet it too.
        if (error instanceof LogError && error.retryable) continue;
        tell(error instanceof Error ? error.message : String(error));
        if (error instanceof LogError && error.code === "DELETED") return;
      }
    }
  }

  async #tick(): Promise<void> {
    const { dir, db, topics, segments } = this.#parts;
    db.checkPresent();
    segments.pad();
    if (await segments.sync()) await db.sync();
    topics.refresh();
    await segments.seal();
    await expire(this.#parts);
    if (++this.#ticks % rareTicks !== 0) return;
    await recover(dir, db, segments.ids);
    this.#keepReserve();
    this.#lookAtWal();
  }

  #lookAtWal(): void {
    const { db, tell } = this.#parts;
    const bytes = db.walBytes();
    if (bytes > longWalBytes) db.checkpoint();
    const long = db.walBytes() > longWalBytes;
    if (long && !this.#toldOfWal) {
      tell(
        `${db.path}-wal has grown to ${
          bytes >> 20
        } MiB: another program has been reading ${db.path} for long ` +
          "(a shell with an open transaction?) and keeps it from starting over; end it",
      );
    }
    this.#toldOfWal = long;
  }

  /** On a full disk retention goes first. What frames may not use, rows may: the room that was kept for them. */
  #makeRoom(what: "frames" | "rows"): boolean {
    let released = what === "rows" && this.#release();
    const expire = () => {
      this.#parts.segments.sealNow();
      return expireNow(this.#parts);
    };
    let removed: number;
    try {
      removed = expire();
    } catch (error) {
      if (storageFault(error) !== "full" || !this.#release()) throw error;
      released = true;
      removed = expire();
    }
    // What was released is not for frames.
    if (removed > 0 || what === "frames" && released) this.#keepReserve();
    return removed > 0 || released && what === "rows";
  }

  /** Gives the reserve back; returns whether there was any. */
  #release(): boolean {
    if (sizeOf(this.#reserve) === 0) return false;
    Deno.truncateSync(this.#reserve, 0);
    return true;
  }

  /** Written, as far as there is room: a file with holes keeps none. */
  #keepReserve(): void {
    try {
      using file = Deno.openSync(this.#reserve, { create: true, write: true, mode: modes.file });
      if (file.statSync().size >= reserveBytes) return;
      const zeros = new Uint8Array(reserveBytes);
      for (let at = 0; at < zeros.length;) at += file.writeSync(zeros.subarray(at));
    } catch (error) {
      if (storageFault(error) !== "full") throw error;
    }
  }
}
