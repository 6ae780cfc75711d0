// Appends records. Each partition has one request in flight; calls made meanwhile wait in order and go together.
import { checkRecord } from "../../checks.ts";
import { LogError, type LogProducer, type LogRecord, type ProducerOptions } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { brokerErrors } from "../protocol/errors.ts";
import { INIT_PRODUCER_ID, NO_IDENTITY, type ProducerIdentity } from "../protocol/transactions.ts";
import { encodeBatch, sizeBound } from "../records/encoder.ts";
import { produce } from "./produce.ts";

const ACKS = { all: -1, leader: 1, none: 0 } as const;
/** For transactions, which are not used here. */
const UNUSED_TIMEOUT_MS = 60_000;
/** Brokers close the connection at larger requests (`socket.request.max.bytes`). */
const MAX_BYTES = 64 * 1024 * 1024;
/** Calls go together up to this size, below Kafka's default limit of a batch. */
const TOGETHER_BYTES = 896 * 1024;

export class KafkaProducer implements LogProducer {
  readonly #cluster: Cluster;
  readonly #options: Required<ProducerOptions>;
  readonly #partitions = new Map<string, PartitionAppender>();
  #closed = false;

  constructor(cluster: Cluster, options: ProducerOptions) {
    this.#cluster = cluster;
    this.#options = { acks: "all", compression: "none", ...options };
    cluster.opened.add(this);
  }

  async append(topic: string, partition: number, records: readonly LogRecord[]): Promise<number> {
    const action = `Cannot append to ${topic} partition ${partition}`;
    if (this.#closed) throw new LogError("CLOSED", `${action}: the producer is closed`);
    this.#cluster.throwIfClosed(action);
    if (records.length === 0) {
      throw new LogError("INVALID", `${action}: expected at least one record, given none`);
    }
    for (const record of records) checkRecord(record);
    const size = sizeBound(records);
    if (size > MAX_BYTES) {
      const given = `given ${size} bytes, expected at most ${MAX_BYTES}`;
      throw new LogError("TOO_LARGE", `${action}: ${given}`);
    }
    const key = `${topic}/${partition}`;
    let appender = this.#partitions.get(key);
    if (appender === undefined) {
      appender = new PartitionAppender(this.#cluster, { topic, partition }, this.#options);
      this.#partitions.set(key, appender);
    }
    return await appender.append(action, records, size);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#partitions.values()].map((one) => one.drained()));
    this.#cluster.opened.delete(this);
  }
}

/** Records of one call, or of several that go together. */
interface Batch {
  readonly records: readonly LogRecord[];
  identity?: ProducerIdentity | undefined;
  /** −1 until it is sent. */
  sequence: number;
  /** Of the first record; undefined until it is stored. */
  offset?: number;
}

interface Call {
  readonly records: readonly LogRecord[];
  readonly size: number;
  /** It was refused together with others, of which one may be the cause. */
  readonly alone?: boolean;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: unknown) => void;
}

class PartitionAppender {
  readonly #cluster: Cluster;
  readonly #place: { readonly topic: string; readonly partition: number };
  readonly #options: Required<ProducerOptions>;
  readonly #waiting: Call[] = [];
  #running: Promise<void> | undefined;
  /** Undefined while the next sequence number is unknown. */
  #identity: ProducerIdentity | undefined;
  #sequence = 0;
  /**
   * Failed calls that may have been stored, by their first record, with their place in a batch. If the caller
   * appends the same records again, the batch is sent with the same sequence numbers, so that nothing is stored
   * twice.
   */
  readonly #uncertain = new WeakMap<LogRecord, readonly [Call["records"], Batch, start: number]>();

  constructor(
    cluster: Cluster,
    place: { readonly topic: string; readonly partition: number },
    options: Required<ProducerOptions>,
  ) {
    this.#cluster = cluster;
    this.#place = place;
    this.#options = options;
  }

  append(action: string, records: readonly LogRecord[], size: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, size, resolve, reject });
      this.#running ??= this.#run(action);
    });
  }

  /** Resolves when no call is pending. */
  async drained(): Promise<void> {
    await this.#running;
  }

  async #run(action: string): Promise<void> {
    while (this.#waiting.length > 0) {
      let left = TOGETHER_BYTES;
      const last = this.#waiting.findIndex(({ records, size, alone }) =>
        (left -= size) < 0 || alone || this.#uncertain.has(records[0]!)
      );
      const count = last < 0 ? this.#waiting.length : Math.max(1, last);
      await this.#appendAll(action, this.#waiting.splice(0, count));
    }
    this.#running = undefined;
  }

  async #appendAll(action: string, calls: readonly Call[]): Promise<void> {
    const all = calls.flatMap(({ records }) => records);
    const known = this.#uncertain.get(all[0]!);
    let batch: Batch = { records: all, sequence: -1 };
    let start = 0;
    if (known !== undefined && sameRecords(known[0], all)) [, batch, start] = known;
    this.#uncertain.delete(all[0]!);
    try {
      batch.offset ??= await this.#append(action, batch);
      for (const { records, resolve } of calls) {
        resolve(batch.offset < 0 ? batch.offset : batch.offset + start);
        start += records.length;
      }
    } catch (error) {
      if (error instanceof LogError && error.retryable) {
        for (const { records, reject } of calls) {
          this.#uncertain.set(records[0]!, [records, batch, start]);
          start += records.length;
          reject(error);
        }
        // Those that wait have had their time too, and must not overtake these.
        for (const { reject } of this.#waiting.splice(0)) reject(error);
      } else if (calls.length > 1) {
        this.#waiting.unshift(...calls.map((call) => ({ ...call, alone: true })));
      } else calls[0]!.reject(error);
    }
  }

  async #append(action: string, batch: Batch): Promise<number> {
    try {
      return await this.#send(action, batch);
    } catch (error) {
      const lostId = brokerErrors(error)
        .some(({ kind }) => ["new-producer-id", "fenced"].includes(kind.outcome));
      if (!lostId) throw error;
      batch.sequence = -1;
      return await this.#send(action, batch);
    }
  }

  /** Undefined if the batch cannot be idempotent. */
  async #producerId(action: string): Promise<ProducerIdentity | undefined> {
    if (this.#options.acks !== "all" || this.#identity !== undefined) return this.#identity;
    const body = { transactionalId: null, timeoutMs: UNUSED_TIMEOUT_MS, ...NO_IDENTITY };
    const { producerId, epoch } = await this.#cluster.attempt(
      action,
      (signal) =>
        this.#cluster.any(
          signal,
          (connection, signal) =>
            // Without idempotent producers a retry may store records twice.
            connection.versions.has(INIT_PRODUCER_ID)
              ? connection.call(INIT_PRODUCER_ID, body, { signal })
              : Promise.resolve(NO_IDENTITY),
        ),
    );
    this.#sequence = 0;
    return this.#identity = producerId < 0n ? undefined : { producerId, epoch };
  }

  async #send(action: string, batch: Batch): Promise<number> {
    const isNew = batch.sequence < 0;
    if (isNew) {
      batch.identity = await this.#producerId(action);
      batch.sequence = this.#sequence;
    }
    const { records, identity, sequence } = batch;
    const { acks, compression } = this.#options;
    const cluster = this.#cluster;
    const bytes = encodeBatch(records, { compression, sequence, identity });
    const timeoutMs = cluster.replicationTimeoutMs;
    const request = { ...this.#place, bytes, acks: ACKS[acks], timeoutMs };
    const { topic, partition } = this.#place;
    this.#identity = undefined;
    let tries = 0;
    try {
      const offset = await cluster.attempt(action, async (signal) => {
        const leader = await cluster.toLeader(topic, partition, "produce", signal);
        tries++;
        return await produce(leader, request, { signal });
      });
      this.#identity = identity;
      this.#sequence = (sequence + records.length) % 2 ** 31;
      return offset;
    } catch (error) {
      // Certainly not stored. A producer id for each refused record would fill the broker's memory.
      const refused = brokerErrors(error).some(({ kind }) => kind.outcome === "reject-record");
      if (refused && isNew && tries === 1) this.#identity = identity;
      throw error;
    }
  }
}

function sameRecords(a: readonly LogRecord[], b: readonly LogRecord[]): boolean {
  return a === b || (a.length === b.length && a.every((record, i) => record === b[i]));
}
