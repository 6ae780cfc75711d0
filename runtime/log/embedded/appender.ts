/**
 * Appending: calls that wait at the same time share a transaction.
 *
 * @module
 */
import type { Clock } from "../../base/clock.ts";
import { LogError, type LogProducer, type LogRecord, type ProducerOptions } from "../log.ts";
import type { ChangeWatcher } from "./changes.ts";
import type { Database } from "./database.ts";
import { type EncodedRecord, encodeRecord, type Records } from "./records.ts";
import type { Topics } from "./topics.ts";
import type { Retention } from "./url.ts";

/** What one transaction takes, so that the event loop is never blocked for long. */
const groupBytes = 4 << 20;
const groupCalls = 256;
/** How many records an append may remove at least, for each that it adds two. */
const expireAtLeast = 16;
/** How often partitions that nobody appends to are looked at for expired records. */
const sweepMs = 10_000;

interface Call {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly EncodedRecord[];
  readonly bytes: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: unknown) => void;
}

/** The parts of an open log that appending needs. */
export interface AppenderParts {
  readonly db: Database;
  readonly topics: Topics;
  readonly records: Records;
  readonly changes: ChangeWatcher;
  readonly clock: Clock;
  readonly retention: Retention;
}

/** Appends for all producers of an open log. */
export class Appender {
  readonly #parts: AppenderParts;
  readonly #queue: Call[] = [];
  #running: Promise<void> | undefined;
  #lastSweep: number;

  constructor(parts: AppenderParts) {
    this.#parts = parts;
    this.#lastSweep = parts.clock.monotonic();
  }

  /** Appends; calls take effect in call order. */
  append(topic: string, partition: number, records: readonly LogRecord[]): Promise<number> {
    const encoded = records.map(encodeRecord);
    const bytes = encoded.reduce((sum, { size }) => sum + size, 0);
    return new Promise((resolve, reject) => {
      this.#queue.push({ topic, partition, records: encoded, bytes, resolve, reject });
      // From the next microtask on, so that calls of the same turn go together.
      this.#running ??= Promise.resolve().then(() => this.#run());
    });
  }

  /** Resolves when nothing waits to be appended. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#parts.db.turns.ready();
      await this.#appendGroup(this.#takeGroup());
    }
    this.#running = undefined;
  }

  #takeGroup(): Call[] {
    let count = 0;
    let bytes = 0;
    for (const call of this.#queue) {
      bytes += call.bytes;
      if (count > 0 && (bytes > groupBytes || count === groupCalls)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #appendGroup(calls: readonly Call[]): Promise<void> {
    const { db, changes } = this.#parts;
    const { topic, partition } = calls[0]!;
    const bytes = calls.reduce((sum, call) => sum + call.bytes, 0);
    try {
      const settle = await db.write(
        `append to ${topic}/${partition}`,
        () => this.#write(calls),
        { bytes },
      );
      for (const done of settle) done();
      changes.written();
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }

  /** Within a transaction. Returns what to tell the callers once it is committed. */
  #write(calls: readonly Call[]): (() => void)[] {
    const { topics, records, clock } = this.#parts;
    const now = clock.now();
    const change = records.nextChange();
    const added = new Map<number, number>();
    const settle = calls.map((call) => {
      try {
        const id = topics.id(call.topic, call.partition);
        const offset = records.append(id, call.records, change, now);
        added.set(id, (added.get(id) ?? 0) + call.records.length);
        return () => call.resolve(offset);
      } catch (error) {
        // A topic that is missing concerns this call alone; anything else ends the transaction.
        if (!(error instanceof LogError)) throw error;
        return () => call.reject(error);
      }
    });
    this.expire(added, change, now);
    return settle;
  }

  /** Within a transaction: retention for the partitions that grew by so many records, now and then for all. */
  expire(added: ReadonlyMap<number, number>, change: number, now: number): void {
    const { records, clock, retention } = this.#parts;
    for (const [id, count] of added) {
      records.expire(id, retention, change, now, Math.max(expireAtLeast, 2 * count));
    }
    if (clock.monotonic() - this.#lastSweep < sweepMs) return;
    this.#lastSweep = clock.monotonic();
    records.expireAll(retention, change, now, expireAtLeast);
  }
}

/** A producer: a view on the log's appender. */
export class EmbeddedProducer implements LogProducer {
  readonly #appender: Appender;
  readonly #acknowledged: boolean;
  readonly #pending = new Set<Promise<number>>();
  readonly #onClose: () => void;
  #closed = false;

  constructor(appender: Appender, { acks = "all" }: ProducerOptions, onClose: () => void) {
    this.#appender = appender;
    this.#onClose = onClose;
    this.#acknowledged = acks !== "none";
  }

  async append(topic: string, partition: number, records: readonly LogRecord[]): Promise<number> {
    if (this.#closed) throw new LogError("CLOSED", "Cannot append: the producer is closed");
    if (records.length === 0) {
      throw new LogError("INVALID", `Cannot append no records to ${topic}: expected at least one`);
    }
    const appended = this.#appender.append(topic, partition, records);
    this.#pending.add(appended);
    const forget = () => this.#pending.delete(appended);
    // With acks none nobody asks how it went: that is what the caller chose.
    appended.then(forget, forget);
    return this.#acknowledged ? await appended : -1;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#pending);
    this.#onClose();
  }
}
