// An in-memory log: as strict as the real ones about order, checkpoints and fencing, with
// injectable failures.
import { given } from "../base/options.ts";
import { Notifier } from "../base/wait.ts";
import { byPlace, listed, saysFirst } from "../log/checkpoint.ts";
import { checkCommit, checkPlan } from "../log/checkpoint_plan.ts";
import type { Frame } from "../definition/frame.ts";
import {
  type BatchCommitter,
  type BatchRange,
  type Checkpoint,
  type CheckpointFilter,
  type CheckpointInfo,
  type CommitterOptions,
  type GroupMember,
  type GroupOptions,
  LogError,
  type LogProducer,
  type LogReader,
  type LogRecord,
  type OffsetRange,
  type OutputRecord,
  type PartitionReader,
  type TopicLog,
} from "../log/log.ts";

interface Partition {
  readonly records: LogRecord[];
  earliest: number;
  /** How often it was created again. */
  made: number;
}

interface StoredCheckpoint {
  readonly queryId: string;
  epoch: number;
  made: number;
  committed: Checkpoint | undefined;
  planned: BatchRange | undefined;
}

/** Where failures can be injected into a `MemoryLog`. */
export type FailurePoint = "read" | "plan" | "before-commit" | "after-commit";

/** An in-memory log. */
export class MemoryLog implements TopicLog {
  readonly url = "memory:";
  /** Called at each failure point; throw to inject a failure. */
  fail: (point: FailurePoint, query?: string) => void = () => {};
  readonly #topics = new Map<string, Partition[]>();
  readonly #checkpoints = new Map<string, StoredCheckpoint>();
  readonly #changed = new Notifier();

  topics(): Promise<string[]> {
    return Promise.resolve([...this.#topics.keys()].sort());
  }

  partitionCount(topic: string): Promise<number> {
    return Promise.resolve(this.#topics.get(topic)?.length ?? 0);
  }

  createTopic(topic: string, partitions: number): Promise<number> {
    const have = this.#topics.get(topic) ?? [];
    while (have.length < partitions) have.push({ records: [], earliest: 0, made: 0 });
    this.#topics.set(topic, have);
    return Promise.resolve(have.length);
  }

  // deno-lint-ignore require-await
  async offsets(topic: string, partition: number): Promise<OffsetRange> {
    const { records, earliest } = this.#partition(topic, partition);
    return { earliest, latest: records.length };
  }

  // deno-lint-ignore require-await
  async offsetForTime(topic: string, partition: number, timestamp: number): Promise<number> {
    const { records, earliest } = this.#partition(topic, partition);
    const found = records.findIndex((record, offset) =>
      offset >= earliest && record.timestamp >= timestamp
    );
    return found < 0 ? records.length : found;
  }

  /** Appends immediately; returns the first offset. */
  append(topic: string, partition: number, records: readonly LogRecord[]): number {
    const { records: stored } = this.#partition(topic, partition);
    const first = stored.length;
    stored.push(...records);
    this.#changed.notify();
    return first;
  }

  /** All records of a partition, as frames. */
  frames(topic: string, partition: number): Frame[] {
    return (this.#topics.get(topic)?.[partition]?.records ?? [])
      .map((record, offset) => ({ topic, partition, offset, ...record }));
  }

  /** Deletes the records below `offset`, as retention does. */
  expire(topic: string, partition: number, offset: number): void {
    this.#partition(topic, partition).earliest = offset;
  }

  /** Recreates a topic, empty, like a broker that returns without its disk. */
  makeAnew(topic: string): void {
    for (const partition of this.#topics.get(topic) ?? []) {
      partition.records.length = partition.earliest = 0;
      partition.made++;
    }
    this.#changed.notify();
  }

  producer(): Promise<LogProducer> {
    return Promise.resolve({
      append: (topic, partition, records) =>
        Promise.resolve().then(() => this.append(topic, partition, records)),
      close: () => Promise.resolve(),
    });
  }

  reader(): Promise<LogReader> {
    return Promise.resolve({
      open: (topic, partition, offset) =>
        Promise.resolve().then(() => this.#reader(topic, partition, offset)),
      close: () => Promise.resolve(),
    });
  }

  /** Each member has all partitions: nothing else can read this log. */
  async joinGroup({ topic, onAssignment }: GroupOptions): Promise<GroupMember> {
    const memberId = crypto.randomUUID();
    const partitions = [...this.#topics.get(topic)?.keys() ?? []];
    await onAssignment({ partitions, membership: { memberId, generation: 1 } });
    return { memberId, checkOthers: () => Promise.resolve(), leave: () => Promise.resolve() };
  }

  committer(options: CommitterOptions): Promise<BatchCommitter> {
    const { group, query, topic, partition } = options;
    const key = JSON.stringify([group, query, topic, partition]);
    const stored: StoredCheckpoint = this.#checkpoints.get(key) ??
      { queryId: crypto.randomUUID(), epoch: 0, made: 0, committed: undefined, planned: undefined };
    this.#checkpoints.set(key, stored);
    const epoch = ++stored.epoch;
    let { made } = stored;
    const action = `Cannot commit ${query} partition ${partition}`;
    const throwIfFenced = () => {
      if (stored.epoch === epoch) return;
      throw new LogError("FENCED", `${action}: another runtime took it over`);
    };
    return Promise.resolve({
      queryId: stored.queryId,
      get committed() {
        return stored.committed;
      },
      get planned() {
        return stored.planned;
      },
      recreated: async () => {
        const now = this.#partition(topic, partition).made;
        const recreated = stored.committed !== undefined && stored.made !== now;
        if (!recreated || stored.planned === undefined || saysFirst(stored.planned)) made = now;
        return await Promise.resolve(recreated);
      },
      plan: async (batch) => {
        await Promise.resolve();
        this.fail("plan", query);
        throwIfFenced();
        checkPlan(action, batch, stored.committed?.batchId ?? -1, stored.planned);
        stored.planned = batch;
        stored.made = made;
      },
      commit: async (batch, checkpoint, records: readonly OutputRecord[]) => {
        await Promise.resolve();
        this.fail("before-commit", query);
        throwIfFenced();
        checkCommit(action, batch, stored.planned, checkpoint);
        for (const record of records) {
          await this.createTopic(record.topic, record.partition + 1);
          const { topic, partition, ...rest } = record;
          this.append(topic, partition, [rest]);
        }
        stored.committed = { batchId: batch.batchId, ...checkpoint };
        stored.planned = undefined;
        stored.made = made;
        this.fail("after-commit", query);
      },
      renew: () => {},
      close: () => Promise.resolve(),
    });
  }

  checkpoints({ group, query, topic }: CheckpointFilter = {}): Promise<CheckpointInfo[]> {
    const found = [...this.#checkpoints].map(([key, stored]): CheckpointInfo => {
      const [group, query, topic, partition] = JSON.parse(key) as [string, string, string, number];
      const { queryId, epoch, committed, planned } = stored;
      const place = { group, query, topic, partition };
      const both = given({ committed, planned });
      return { ...place, queryId, ...listed(both), owner: { epoch } };
    }).filter((info) =>
      (group ?? info.group) === info.group && (query ?? info.query) === info.query &&
      (topic ?? info.topic) === info.topic
    );
    return Promise.resolve(found.sort(byPlace));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #partition(topic: string, partition: number): Partition {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) {
      throw new LogError("TOPIC_MISSING", `Cannot find topic ${topic} in ${this.url}`);
    }
    const found = partitions[partition];
    if (found === undefined) {
      throw new LogError(
        "PARTITION_MISSING",
        `Cannot find partition ${partition} of ${topic}: it has ${partitions.length}`,
      );
    }
    return found;
  }

  #reader(topic: string, partition: number, offset: number): PartitionReader {
    const source = this.#partition(topic, partition);
    const changed = this.#changed;
    const failHere = () => this.fail("read");
    let position = offset;
    const closed = new AbortController();
    return {
      async read(max, signal = closed.signal, until = undefined) {
        for (;;) {
          signal.throwIfAborted();
          failHere();
          if (position < source.earliest || position > source.records.length) {
            throw new LogError("OFFSET_OUT_OF_RANGE", `Cannot read offset ${position}`, {
              range: { earliest: source.earliest, latest: source.records.length },
            });
          }
          const records = source.records.slice(position, position + max);
          if (records.length > 0 && (until === undefined || position < until)) {
            const first = position;
            position += records.length;
            return records.map((record, index) => ({
              topic,
              partition,
              offset: first + index,
              ...record,
            }));
          }
          if (until !== undefined && position >= until) return [];
          await changed.wait(signal);
        }
      },
      get buffered() {
        return Math.max(0, source.records.length - position);
      },
      get position() {
        return position;
      },
      get latest() {
        return source.records.length;
      },
      status: "reading",
      seek(to) {
        position = to;
      },
      close: () =>
        Promise.resolve(closed.abort(new LogError("CLOSED", "Cannot read: the reader is closed"))),
    };
  }
}
