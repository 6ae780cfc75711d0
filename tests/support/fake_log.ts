/**
 * A log in memory with the reading half of a `TopicLog`: for tests of what looks back in time.
 *
 * @module
 */
import type { Frame } from "../../runtime/frame.ts";
import {
  type BatchCommitter,
  type GroupMember,
  LogError,
  type LogProducer,
  type LogReader,
  type LogRecord,
  type OffsetRange,
  type PartitionReader,
  type TopicLog,
} from "../../runtime/log/log.ts";

interface Partition {
  /** By offset; a hole where a record was taken away. */
  records: (LogRecord | undefined)[];
  earliest: number;
  waiting: Set<() => void>;
}

/** The log. */
export class FakeLog implements TopicLog {
  readonly url = "fake:";
  readonly #topics = new Map<string, Partition[]>();
  /** How often a partition was opened, and how many readers are open now. */
  opened = 0;
  open = 0;
  /** While set, every call fails as if the log were away. */
  away = false;

  topics(): Promise<string[]> {
    return this.#try(() => [...this.#topics.keys()].sort());
  }

  partitionCount(topic: string): Promise<number> {
    return this.#try(() => this.#topics.get(topic)?.length ?? 0);
  }

  createTopic(topic: string, partitions: number): Promise<number> {
    return this.#try(() => {
      const known = this.#topics.get(topic) ?? [];
      this.#topics.set(topic, known);
      while (known.length < partitions) {
        known.push({ records: [], earliest: 0, waiting: new Set() });
      }
      return known.length;
    });
  }

  offsets(topic: string, partition: number): Promise<OffsetRange> {
    return this.#try(() => {
      const { earliest, records } = this.partition(topic, partition);
      return { earliest, latest: records.length };
    });
  }

  offsetForTime(topic: string, partition: number, timestamp: number): Promise<number> {
    return this.#try(() => {
      const { earliest, records } = this.partition(topic, partition);
      for (let offset = earliest; offset < records.length; offset++) {
        const record = records[offset];
        if (record !== undefined && record.timestamp >= timestamp) return offset;
      }
      return records.length;
    });
  }

  /** Appends at once. */
  append(topic: string, partition: number, ...records: LogRecord[]): number {
    const target = this.partition(topic, partition);
    const first = target.records.length;
    target.records.push(...records);
    this.#wake(target);
    return first;
  }

  /** Appends an offset that holds no record, as transaction markers do. */
  appendHole(topic: string, partition: number): void {
    const target = this.partition(topic, partition);
    target.records.push(undefined);
    this.#wake(target);
  }

  /** Retention: nothing below `offset` is kept. */
  expire(topic: string, partition: number, offset: number): void {
    const target = this.partition(topic, partition);
    target.records.fill(undefined, 0, offset);
    target.earliest = offset;
  }

  producer(): Promise<LogProducer> {
    return Promise.resolve({
      append: (topic, partition, records) =>
        Promise.resolve(this.append(topic, partition, ...records)),
      close: () => Promise.resolve(),
    });
  }

  reader(): Promise<LogReader> {
    return Promise.resolve({
      open: (topic: string, partition: number, offset: number) =>
        this.#try(() => this.#openPartition(topic, partition, offset)),
      close: () => Promise.resolve(),
    });
  }

  joinGroup(): Promise<GroupMember> {
    return Promise.reject(new LogError("INVALID", "The fake log has no groups"));
  }

  committer(): Promise<BatchCommitter> {
    return Promise.reject(new LogError("INVALID", "The fake log has no checkpoints"));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  partition(topic: string, partition: number): Partition {
    const found = this.#topics.get(topic)?.[partition];
    if (found === undefined) {
      throw new LogError("PARTITION_MISSING", `Cannot find partition ${partition} of ${topic}`);
    }
    return found;
  }

  #openPartition(topic: string, partition: number, offset: number): PartitionReader {
    const source = this.partition(topic, partition);
    this.opened++;
    this.open++;
    let position = offset;
    let closed = false;
    const next = (max: number): Frame[] => {
      const frames: Frame[] = [];
      while (position < source.records.length && frames.length < max) {
        const record = source.records[position];
        if (record !== undefined) frames.push({ topic, partition, offset: position, ...record });
        position++;
      }
      return frames;
    };
    const read = async (max: number, signal?: AbortSignal): Promise<Frame[]> => {
      while (true) {
        signal?.throwIfAborted();
        if (position < source.earliest || position > source.records.length) {
          throw new LogError("OFFSET_OUT_OF_RANGE", `Cannot read from offset ${position}`, {
            range: { earliest: source.earliest, latest: source.records.length },
          });
        }
        const frames = next(max);
        if (frames.length > 0) return frames;
        await new Promise<void>((resolve) => {
          const done = () => {
            source.waiting.delete(done);
            signal?.removeEventListener("abort", done);
            resolve();
          };
          source.waiting.add(done);
          signal?.addEventListener("abort", done);
        });
      }
    };
    return {
      read,
      get buffered() {
        return source.records.slice(position).filter((record) => record !== undefined).length;
      },
      get position() {
        return position;
      },
      get latest() {
        return source.records.length;
      },
      status: "reading",
      seek: (to: number) => void (position = to),
      close: () => {
        if (!closed) this.open--;
        closed = true;
        return Promise.resolve();
      },
    };
  }

  #wake(partition: Partition): void {
    for (const wake of [...partition.waiting]) wake();
  }

  #try<T>(body: () => T): Promise<T> {
    try {
      if (this.away) throw new LogError("UNREACHABLE", "The log is away");
      return Promise.resolve(body());
    } catch (error) {
      return Promise.reject(error);
    }
  }
}
