// Appends: first the bytes into segment files, then the rows that make them visible, in one
// transaction for all calls that wait at the same time.
import { LogError, type LogProducer, type LogRecord, type ProducerOptions } from "../log.ts";
import type { ChangeWatcher } from "./changes.ts";
import type { Database } from "./database.ts";
import { SegmentLost, storageError } from "./errors.ts";
import { type EncodedRecord, encodeRecord } from "./record.ts";
import type { Closers, Records } from "./records.ts";
import type { OpenSegment, Placed, SegmentWriter } from "./segment_writer.ts";
import type { Topics } from "./topics.ts";
import type { EmbeddedUrl } from "./url.ts";

/** Limits of one transaction, so that the event loop is never blocked for long. */
const groupBytes = 4 << 20;
const groupCalls = 256;
/** How often others may seal our segments before it is an error. */
const attempts = 5;

export interface Append {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly EncodedRecord[];
}

interface Call extends Append {
  readonly bytes: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: unknown) => void;
}

/** Goes with records into their transaction. */
export interface With {
  /** Checks and changes; if it throws, the records are not appended. */
  readonly changes?: () => void;
  /** The commit, and the records with it, are on the disk when it is done. */
  readonly durable?: boolean;
}

export interface AppenderParts {
  readonly db: Database;
  readonly topics: Topics;
  readonly records: Records;
  readonly segments: SegmentWriter;
  readonly changes: ChangeWatcher;
  readonly now: () => number;
  readonly place: EmbeddedUrl;
}

export class Appender {
  readonly #parts: AppenderParts;
  readonly #queue: Call[] = [];
  /** Topics whose retention this log has set from its URL, and those with one of their own. */
  readonly #claimed = new Set<string>();
  #running: Promise<void> | undefined;

  constructor(parts: AppenderParts) {
    this.#parts = parts;
  }

  /** Appends; calls take effect in call order. */
  append(topic: string, partition: number, records: readonly LogRecord[]): Promise<number> {
    const encoded = records.map(encodeRecord);
    const bytes = encoded.reduce((sum, { size }) => sum + size, 0);
    return new Promise((resolve, reject) => {
      this.#queue.push({ topic, partition, records: encoded, bytes, resolve, reject });
      // In the next microtask, so that calls of the same turn go together.
      this.#running ??= Promise.resolve().then(() => this.#run());
    });
  }

  /** The topic has its own retention, which overrides the URL. */
  limited(topic: string): void {
    this.#claimed.add(topic);
  }

  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /**
   * Appends to several partitions at once, with other changes: all or nothing. Returns the first
   * offset of each.
   */
  async commit(
    action: string,
    appends: readonly Append[],
    { changes, durable = this.#parts.place.sync === "always" }: With = {},
  ): Promise<number[]> {
    const { db, topics, segments } = this.#parts;
    const ids = await db.read(
      action,
      () => appends.map(({ topic, partition }) => topics.id(topic, partition)),
    );
    // Records of the same partition lie together.
    const grouped = new Map<number, EncodedRecord[]>();
    const starts = appends.map(({ records }, i) => {
      let group = grouped.get(ids[i]!);
      if (group === undefined) grouped.set(ids[i]!, group = []);
      const start = group.length;
      for (const record of records) group.push(record);
      return start;
    });
    for (let tries = 1;; tries++) {
      const placed = new Map<number, Placed>();
      try {
        await this.#place(action, grouped, placed);
        if (durable) await segments.sync([...placed.values()].map(({ segment }) => segment));
        const firsts = await db.write(action, () => {
          changes?.();
          this.#claim(appends);
          return this.#insertRows(grouped, placed);
        }, { durable });
        for (const { segment } of placed.values()) segment.known = true;
        for (const { topic } of appends) this.#claimed.add(topic);
        this.#parts.changes.written();
        return starts.map((start, i) => firsts.get(ids[i]!)! + start);
      } catch (error) {
        if (!(error instanceof SegmentLost) || tries === attempts) throw error;
        segments.forget(error.segment as OpenSegment);
      } finally {
        for (const { segment } of placed.values()) segments.done(segment);
      }
    }
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#parts.db.turns.ready();
      await this.#appendGroup(this.#nextGroup());
    }
    this.#running = undefined;
  }

  #nextGroup(): Call[] {
    let count = 0;
    let bytes = 0;
    for (const call of this.#queue) {
      bytes += call.bytes;
      if (count > 0 && (bytes > groupBytes || count === groupCalls)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #appendGroup(group: readonly Call[]): Promise<void> {
    const { topic, partition } = group[0]!;
    let calls = group;
    try {
      const action = `append to ${topic}/${partition}`;
      calls = await this.#withTopics(action, calls);
      if (calls.length === 0) return;
      const offsets = await this.commit(action, calls);
      calls.forEach((call, i) => call.resolve(offsets[i]!));
    } catch (error) {
      for (const call of calls) call.reject(error);
    }
  }

  /** The calls whose topic exists; the others fail alone. */
  async #withTopics(action: string, calls: readonly Call[]): Promise<Call[]> {
    const { db, topics } = this.#parts;
    return await db.read(action, () =>
      calls.filter(({ topic, partition, reject }) => {
        try {
          topics.id(topic, partition);
          return true;
        } catch (error) {
          if (!(error instanceof LogError)) throw error;
          reject(error);
          return false;
        }
      }));
  }

  /**
   * Within a transaction: the retention of the URL holds for the topics that this log appends to.
   */
  #claim(appends: readonly Append[]): void {
    const { topics, place: { retention } } = this.#parts;
    if (Object.keys(retention).length === 0) return;
    for (const { topic } of appends) {
      if (!this.#claimed.has(topic)) topics.setRetention(topic, retention);
    }
  }

  async #place(
    action: string,
    grouped: ReadonlyMap<number, EncodedRecord[]>,
    placed: Map<number, Placed>,
  ): Promise<void> {
    const { db, topics, segments } = this.#parts;
    for (const [id, records] of grouped) {
      const write = () => segments.place(topics.row(id), records);
      try {
        placed.set(id, db.turns.spend(() => db.withRoom("frames", write)));
      } catch (error) {
        throw storageError(error, action, db.path);
      }
      await db.turns.ready();
    }
  }

  /** Within a transaction. */
  #insertRows(
    grouped: ReadonlyMap<number, EncodedRecord[]>,
    placed: ReadonlyMap<number, Placed>,
  ): Map<number, number> {
    const { records, topics } = this.#parts;
    const firsts = new Map<number, number>();
    const now = this.#parts.now();
    for (const [id, place] of placed) {
      const kept = topics.row(id).retention;
      firsts.set(id, records.append(id, grouped.get(id)!, place, { kept, now }));
    }
    return firsts;
  }
}

/** A view on the log's appender. */
export class EmbeddedProducer implements LogProducer {
  readonly #appender: Appender;
  readonly #acknowledged: boolean;
  readonly #opened: Closers;
  /** When all calls are done. */
  #done: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(appender: Appender, { acks = "all" }: ProducerOptions, opened: Closers) {
    this.#appender = appender;
    this.#opened = opened;
    opened.add(this);
    this.#acknowledged = acks !== "none";
  }

  async append(topic: string, partition: number, records: readonly LogRecord[]): Promise<number> {
    if (this.#closed) throw new LogError("CLOSED", "Cannot append: the producer is closed");
    if (records.length === 0) {
      throw new LogError("INVALID", `Cannot append no records to ${topic}: expected at least one`);
    }
    const appended = this.#appender.append(topic, partition, records);
    const before = this.#done;
    // With acks none the caller does not hear how it went.
    this.#done = appended.then(() => before, () => before);
    return this.#acknowledged ? await appended : -1;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#done;
    this.#opened.delete(this);
  }
}
