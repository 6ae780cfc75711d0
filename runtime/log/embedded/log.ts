// The embedded log: topics in a local folder, shared by any number of processes, without a server.
import { type Clock, systemClock } from "../../base/clock.ts";
import { hasIdentity } from "../folder_identity.ts";
import { checkTopic, partitionMissing } from "../checks.ts";
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
  type LogStorage,
  type OffsetRange,
  type OpenLogOptions,
  type ProducerOptions,
  type ReaderOptions,
  type TopicLimits,
  type TopicLog,
} from "../log.ts";
import { EmbeddedProducer } from "./appender.ts";
import { backup, type BackupReport } from "./backup.ts";
import { type CheckpointStore, storeOf } from "./checkpoint_store.ts";
import { EmbeddedCommitter } from "./committer.ts";
import { isAbsent } from "./database_file.ts";
import { EmbeddedGroupMember } from "./group.ts";
import type { Warnings } from "./keeper.ts";
import { closeParts, type OpenLog, openParts } from "./open_log.ts";
import { EmbeddedReader } from "./reader.ts";
import { expire } from "./retention.ts";
import { offsetForTime } from "./time_search.ts";
import { type EmbeddedUrl, parseEmbeddedUrl, type Retention } from "./url.ts";
import type { Waiting } from "./waiting.ts";

export interface EmbeddedLogOptions extends OpenLogOptions {
  readonly clock?: Clock;
}

/**
 * A log in a folder. The first call opens the files.
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
  readonly #checkpointDir: string | undefined;
  readonly #warnings: Warnings;
  readonly #waiting: Waiting;
  #opening: Promise<OpenLog> | undefined;
  /** Those that were deleted while they were open. What was opened through them says so. */
  readonly #deleted: OpenLog[] = [];
  /** The checkpoints of folders, by folder. */
  readonly #stores = new Map<string, Promise<CheckpointStore>>();
  #closing: Promise<void> | undefined;

  /** @throws {LogError} `INVALID` if the URL is invalid */
  constructor(
    url: string,
    { timeoutMs = 10_000, checkpointDir, clock = systemClock, onWarning = warn, secondary = false }:
      EmbeddedLogOptions = {},
  ) {
    this.#place = parseEmbeddedUrl(url);
    this.url = url;
    this.#checkpointDir = checkpointDir;
    this.#warnings = { tell: onWarning, upkeep: secondary ? () => {} : onWarning };
    this.#waiting = { timeoutMs, clock };
  }

  async topics(): Promise<string[]> {
    const found = await this.#find();
    return await found?.db.read("list the topics", () => found.topics.names()) ?? [];
  }

  async partitionCount(topic: string): Promise<number> {
    const found = await this.#find();
    const count = () => found!.topics.partitionCount(topic);
    return await found?.db.read(`count the partitions of ${topic}`, count) ?? 0;
  }

  async createTopic(
    topic: string,
    partitions: number,
    limits: TopicLimits = {},
  ): Promise<number> {
    checkTopic(topic, partitions, limits);
    const { retentionBytes: bytes } = limits;
    const { db, topics, appender } = await this.#open();
    const { retention } = this.#place;
    if (bytes !== undefined) appender.limited(topic);
    const existing = await db.read(`find topic ${topic}`, () => topics.partitionCount(topic));
    const own = bytes === undefined ? retention : {};
    if (existing >= partitions && Object.keys(own).length === 0) return existing;
    return await db.write(`create topic ${topic}`, () => {
      const isNew = topics.partitionCount(topic) === 0;
      const limited = {
        ...retention,
        bytes: Math.min(bytes ?? Infinity, retention.bytes ?? Infinity),
      };
      return topics.ensure(topic, partitions, isNew && bytes !== undefined ? limited : own);
    });
  }

  async offsets(topic: string, partition: number): Promise<OffsetRange> {
    const { db, topics } = await this.#holding(topic, partition);
    return await db.read(
      `find the offsets of ${topic}/${partition}`,
      () => topics.range(topics.id(topic, partition)),
    );
  }

  async offsetForTime(topic: string, partition: number, timestamp: number): Promise<number> {
    const parts = await this.#holding(topic, partition);
    const { db, topics } = parts;
    return await db.read(
      `find an offset of ${topic}/${partition}`,
      () => offsetForTime(parts, topics.id(topic, partition), timestamp),
    );
  }

  async producer(options: ProducerOptions = {}): Promise<LogProducer> {
    const { appender, opened } = await this.#open();
    return new EmbeddedProducer(appender, options, opened);
  }

  async reader(options: ReaderOptions = {}): Promise<LogReader> {
    await this.#find();
    return new EmbeddedReader(
      (topic, partition) => this.#holding(topic, partition),
      () => this.#checkOpen(),
      options,
    );
  }

  async joinGroup(options: GroupOptions): Promise<GroupMember> {
    return await this.#kept(await EmbeddedGroupMember.join(await this.#open(), options));
  }

  async committer(options: CommitterOptions): Promise<BatchCommitter> {
    const parts = await this.#open();
    const store = await this.#store(parts, this.#checkpointDir ?? options.checkpointLocation);
    this.#checkOpen();
    return await this.#kept(await EmbeddedCommitter.open({ ...parts, store }, options));
  }

  /** What was opened while the log was being closed is closed too. */
  async #kept<T extends { close(): Promise<void> }>(opened: T): Promise<T> {
    if (this.#closing === undefined) return opened;
    await opened.close();
    throw this.#closed();
  }

  async checkpoints(filter: CheckpointFilter = {}): Promise<CheckpointInfo[]> {
    const parts = await this.#find();
    if (parts === undefined) return [];
    const dir = this.#checkpointDir ?? filter.checkpointLocation;
    // Listing creates no folder of checkpoints either.
    if (dir !== undefined && !await hasIdentity(dir)) return [];
    const store = await this.#store(parts, dir);
    return await parts.db.read(
      "list the checkpoints",
      () => parts.checkpoints.list(store, filter),
    );
  }

  async storage(): Promise<LogStorage> {
    return (await this.#find())?.keeper.storage() ?? { walBytes: 0 };
  }

  /**
   * Returns the retention of a topic, after storing the given change.
   *
   * @throws {LogError} `TOPIC_MISSING`
   */
  async retention(topic: string, change: Partial<Retention> = {}): Promise<Retention> {
    const parts = await this.#open();
    const { db, topics } = parts;
    const kept = await db.write(`set the retention of ${topic}`, () => {
      const id = topics.id(topic, 0);
      topics.setRetention(topic, change);
      topics.refresh();
      return topics.row(id).retention;
    });
    if (Object.keys(change).length > 0) await expire(parts);
    return kept;
  }

  /** Copies the log at this moment into a new folder, while others use it. */
  async backup(to: string, signal?: AbortSignal): Promise<BackupReport> {
    return await backup(this.#place.dir, (await this.#open()).db, to, signal);
  }

  /** Damage that SQLite finds in its file; undefined when it is intact. */
  async damage(): Promise<string | undefined> {
    const { db } = await this.#open();
    const verdict = await db.read(
      "check the database",
      () => db.all<[string]>("PRAGMA integrity_check(5)").flat().join("; "),
    );
    return verdict === "ok" ? undefined : verdict;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const last = await this.#opening?.catch(() => undefined);
    for (const parts of last === undefined ? this.#deleted : [...this.#deleted, last]) {
      await Promise.all([...parts.opened].map((one) => one.close()));
      await closeParts(parts);
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw this.#closed();
  }

  #closed(): LogError {
    return new LogError("CLOSED", `Cannot use log ${this.url}: it is closed`);
  }

  /** The open log, or one made after it was deleted; undefined if there is none: reading creates nothing. */
  async #find(): Promise<OpenLog | undefined> {
    const opening = this.#opening;
    const open = await opening?.catch(() => undefined);
    if (open?.db.deleted === true && this.#opening === opening) {
      this.#deleted.push(open);
      this.#opening = undefined;
      this.#stores.clear();
    }
    if (this.#opening === undefined && await isAbsent(this.#place.dir)) {
      this.#checkOpen();
      return undefined;
    }
    return await this.#open();
  }

  /** @throws {LogError} `TOPIC_MISSING` if there is no log */
  async #holding(topic: string, partition: number): Promise<OpenLog> {
    const found = await this.#find();
    if (found === undefined) throw partitionMissing(topic, partition, 0);
    return found;
  }

  async #open(): Promise<OpenLog> {
    this.#checkOpen();
    const opening = this.#opening ??= openParts(this.#place, this.#waiting, this.#warnings);
    try {
      return await opening;
    } catch (error) {
      // The next call tries again.
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
  }

  #store({ db, checkpoints }: OpenLog, dir: string | undefined): Promise<CheckpointStore> {
    if (dir === undefined) return Promise.resolve({ id: "", name: db.path });
    const holds = (id: string) => db.read("find the checkpoints", () => checkpoints.holds(id));
    const opening = this.#stores.get(dir) ?? storeOf(dir, db.logId, holds);
    this.#stores.set(dir, opening);
    // The next call tries again.
    opening.catch(() => this.#stores.delete(dir));
    return opening;
  }
}

function warn(message: string): void {
  // deno-lint-ignore no-console
  console.warn(message);
}
