/**
 * The embedded log: topics in a folder of this machine, shared by any number of processes, no server.
 *
 * @module
 */
import { join } from "node:path";
import { type Clock, systemClock } from "../../base/clock.ts";
import {
  type BatchCommitter,
  type CheckpointFilter,
  type CheckpointInfo,
  type CommitterOptions,
  type GroupMember,
  type GroupOptions,
  LogError,
  type LogProducer,
  type LogReader,
  type OffsetRange,
  type ProducerOptions,
  type ReaderOptions,
  type TopicLog,
} from "../log.ts";
import { Appender, EmbeddedProducer } from "./appender.ts";
import { ChangeWatcher } from "./changes.ts";
import { listCheckpoints } from "./checkpoint_list.ts";
import { CheckpointStore } from "./checkpoint_store.ts";
import { EmbeddedCommitter } from "./committer.ts";
import { Database, type Waiting } from "./database.ts";
import { EmbeddedGroupMember } from "./group.ts";
import { Producers } from "./producers.ts";
import { EmbeddedReader } from "./reader.ts";
import { Records } from "./records.ts";
import { checkTopic, Topics } from "./topics.ts";
import { type EmbeddedUrl, parseEmbeddedUrl, type Retention } from "./url.ts";

/** How many records one transaction deletes, so that others get their turn. */
const deletedAtOnce = 256;

/** How to open an embedded log. */
export interface EmbeddedLogOptions {
  /** How long a call waits for locks of other processes. Default 10 000. */
  readonly timeoutMs?: number;
  /** Folder of the checkpoints; the log's own when absent. */
  readonly checkpointDir?: string;
  readonly clock?: Clock;
}

interface Parts {
  readonly db: Database;
  readonly topics: Topics;
  readonly records: Records;
  readonly producers: Producers;
  readonly changes: ChangeWatcher;
  readonly appender: Appender;
  readonly clock: Clock;
  readonly retention: Retention;
}

/**
 * A log in a folder. The files are opened by the first call.
 *
 * @example
 * ```ts
 * import { EmbeddedLog } from "./log.ts";
 *
 * const log = new EmbeddedLog(`embedded:${await Deno.makeTempDir()}`);
 * await log.createTopic("VideoStreaming", 3);
 * const producer = await log.producer();
 * const record = { key: "CAMERA-1", value: new Uint8Array(3), timestamp: Date.now(), headers: {} };
 * await producer.append("VideoStreaming", 0, [record]);
 * await log.close();
 * ```
 */
export class EmbeddedLog implements TopicLog {
  readonly url: string;
  readonly #place: EmbeddedUrl;
  readonly #checkpointDir: string;
  readonly #waiting: Waiting;
  #opening: Promise<Parts> | undefined;
  #openingStore: Promise<CheckpointStore> | undefined;
  readonly #readers = new Set<EmbeddedReader>();
  readonly #producers = new Set<EmbeddedProducer>();
  readonly #members = new Set<EmbeddedGroupMember>();
  readonly #committers = new Set<EmbeddedCommitter>();
  #closing: Promise<void> | undefined;

  /** @throws {LogError} `INVALID` when the URL is wrong. */
  constructor(
    url: string,
    { timeoutMs = 10_000, checkpointDir, clock = systemClock }: EmbeddedLogOptions = {},
  ) {
    this.#place = parseEmbeddedUrl(url);
    this.url = url;
    this.#checkpointDir = checkpointDir ?? this.#place.dir;
    this.#waiting = { timeoutMs, clock };
  }

  async topics(): Promise<string[]> {
    const { db, topics } = await this.#open();
    return await db.read("list the topics", () => topics.names());
  }

  async partitionCount(topic: string): Promise<number> {
    const { db, topics } = await this.#open();
    return await db.read(`count the partitions of ${topic}`, () => topics.partitionCount(topic));
  }

  async createTopic(topic: string, partitions: number): Promise<number> {
    checkTopic(topic, partitions);
    const { db, topics } = await this.#open();
    const there = await db.read(`find topic ${topic}`, () => topics.partitionCount(topic));
    if (there >= partitions) return there;
    return await db.write(`create topic ${topic}`, () => topics.ensure(topic, partitions));
  }

  async offsets(topic: string, partition: number): Promise<OffsetRange> {
    const { db, topics } = await this.#open();
    return await db.read(
      `find the offsets of ${topic}/${partition}`,
      () => topics.range(topics.id(topic, partition)),
    );
  }

  async offsetForTime(topic: string, partition: number, timestamp: number): Promise<number> {
    const { db, topics } = await this.#open();
    return await db.read(
      `find an offset of ${topic}/${partition}`,
      () => topics.offsetForTime(topics.id(topic, partition), timestamp),
    );
  }

  async producer(options: ProducerOptions = {}): Promise<LogProducer> {
    const { appender } = await this.#open();
    const producer: EmbeddedProducer = new EmbeddedProducer(
      appender,
      options,
      () => this.#producers.delete(producer),
    );
    this.#producers.add(producer);
    return producer;
  }

  async reader(options: ReaderOptions = {}): Promise<LogReader> {
    const reader: EmbeddedReader = new EmbeddedReader(
      await this.#open(),
      options,
      () => this.#readers.delete(reader),
    );
    this.#readers.add(reader);
    return reader;
  }

  async joinGroup(options: GroupOptions): Promise<GroupMember> {
    const member = await EmbeddedGroupMember.join(
      await this.#open(),
      options,
      (member) => this.#members.delete(member),
    );
    if (this.#closing !== undefined) {
      await member.leave();
      throw this.#closed();
    }
    this.#members.add(member);
    return member;
  }

  async committer(options: CommitterOptions): Promise<BatchCommitter> {
    for (const topic of options.outputTopics ?? []) checkTopic(topic, 1);
    const parts = await this.#open();
    const store = await (this.#openingStore ??= this.#openStore(parts));
    if (this.#closing !== undefined) throw this.#closed();
    const committer = await EmbeddedCommitter.open(
      { ...parts, store },
      options,
      (committer) => this.#committers.delete(committer),
    );
    this.#committers.add(committer);
    return committer;
  }

  async checkpoints(filter: CheckpointFilter = {}): Promise<CheckpointInfo[]> {
    // Looking makes neither a log nor a file of checkpoints where there is none.
    if (!await isFile(join(this.#place.dir, "log.db"))) return [];
    if (!await isFile(join(this.#checkpointDir, "checkpoints.kv"))) return [];
    const { db, producers } = await this.#open();
    const store = await (this.#openingStore ??= this.#openStore(await this.#open()));
    return await listCheckpoints({ db, producers, store }, filter);
  }

  /**
   * Removes the records of a partition below an offset, before retention would.
   *
   * @throws {LogError} `TOPIC_MISSING`, `PARTITION_MISSING`.
   */
  async deleteRecords(topic: string, partition: number, before: number): Promise<void> {
    const { db, topics, records, changes } = await this.#open();
    for (let more = true; more;) {
      await db.turns.ready();
      more = await db.write(`delete records of ${topic}/${partition}`, () => {
        const id = topics.id(topic, partition);
        const end = Math.min(before, topics.range(id).earliest + deletedAtOnce);
        records.removeBefore(id, end, records.nextChange());
        return end < before && end < topics.range(id).latest;
      });
    }
    changes.written();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const parts = await this.#opening?.catch(() => undefined);
    for (const reader of this.#readers) await reader.close();
    const leaving = [...this.#members].map((member) => member.leave());
    const rest = [...this.#producers, ...this.#committers].map((open) => open.close());
    const ends = await Promise.allSettled([...leaving, ...rest]);
    await parts?.appender.idle();
    parts?.changes.stop();
    (await this.#openingStore?.catch(() => undefined))?.close();
    parts?.db.close();
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  #closed(): LogError {
    return new LogError("CLOSED", `Cannot use log ${this.url}: it is closed`);
  }

  async #open(): Promise<Parts> {
    if (this.#closing !== undefined) throw this.#closed();
    const opening = this.#opening ??= this.#openParts();
    try {
      return await opening;
    } catch (error) {
      // What was wrong may be repaired: the next call tries anew.
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
  }

  async #openParts(): Promise<Parts> {
    const { dir, retention } = this.#place;
    const { clock } = this.#waiting;
    const db = await Database.open(dir, this.#waiting);
    const topics = new Topics(db);
    const records = new Records(db);
    const changes = new ChangeWatcher(db);
    const appender = new Appender({ db, topics, records, changes, clock, retention });
    const producers = new Producers(db);
    return { db, topics, records, producers, changes, appender, clock, retention };
  }

  async #openStore({ db, producers }: Parts): Promise<CheckpointStore> {
    try {
      const store = await CheckpointStore.open(
        this.#checkpointDir,
        (path) => producers.storeAt(path),
        this.#waiting,
      );
      if (producers.storeAt(store.path) !== store.id) {
        await db.write("note the checkpoints", () => producers.rememberStore(store.path, store.id));
      }
      return store;
    } catch (error) {
      this.#openingStore = undefined;
      throw error;
    }
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
