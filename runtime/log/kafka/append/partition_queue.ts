// What is to be appended to one partition, in order.
import { LogError, type LogRecord, type ProducerOptions } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { errorNames } from "../protocol/errors.ts";
import { INIT_PRODUCER_ID, NO_IDENTITY, type ProducerIdentity } from "../protocol/transactions.ts";
import { encodeBatch, sizeBound } from "../records/encoder.ts";
import { produce } from "./produce.ts";

/** Values of `acks` in the protocol. */
const ACKS = { all: -1, leader: 1, none: 0 } as const;
/** Of transactions, of which there are none. */
const UNUSED_TIMEOUT_MS = 60_000;
/** Calls are put together in one batch up to this size; a larger call goes alone. */
const BATCH_BYTES = 512 * 1024;
/** No broker takes more in one request (`socket.request.max.bytes`): it would close the connection. */
const MAX_BYTES = 64 * 1024 * 1024;

/** One call of `append`. */
interface Call {
  readonly records: readonly LogRecord[];
  readonly size: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: unknown) => void;
  /** Was part of a batch that was refused for what another call, or a broker that forgot this producer, was to blame. */
  alone?: boolean;
}

/** A batch with its place in the producer's sequence. */
interface Batch {
  calls: Call[];
  readonly identity: ProducerIdentity | undefined;
  readonly sequence: number;
  /** Of a batch that is sent again: the calls that failed and were not repeated yet. */
  readonly unclaimed?: ReadonlySet<Call>;
}

/** The queue of one partition. */
export class PartitionQueue {
  readonly #cluster: Cluster;
  readonly #topic: string;
  readonly #partition: number;
  readonly #options: Required<ProducerOptions>;
  readonly #waiting: Call[] = [];
  #running: Promise<void> | undefined;
  #identity: ProducerIdentity | undefined;
  #sequence = 0;
  /**
   * An unconfirmed batch: it may be there or not. A caller that appends the same records again
   * means this batch, and its sequence numbers keep it from being stored twice.
   */
  #doubtful: Batch | undefined;
  /** Calls of such a batch that turned out to be stored and were not repeated yet. */
  #settled: { readonly records: readonly LogRecord[]; readonly offset: number }[] = [];

  constructor(cluster: Cluster, topic: string, partition: number, options: ProducerOptions) {
    this.#cluster = cluster;
    this.#topic = topic;
    this.#partition = partition;
    this.#options = { acks: "all", compression: "none", ...options };
  }

  append(records: readonly LogRecord[]): Promise<number> {
    return new Promise((resolve, reject) => {
      const size = sizeBound(records);
      if (size > MAX_BYTES) {
        reject(
          new LogError(
            "TOO_LARGE",
            `${this.#action}: given ${size} bytes, Kafka takes ${MAX_BYTES} in one request`,
          ),
        );
        return;
      }
      const settled = this.#settled.findIndex((one) => sameRecords(one.records, records));
      if (settled >= 0) {
        resolve(this.#settled.splice(settled, 1)[0]!.offset);
        return;
      }
      this.#waiting.push({ records, size, resolve, reject });
      this.#running ??= this.#run().finally(() => this.#running = undefined);
    });
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  get #action(): string {
    return `Cannot append to ${this.#topic} partition ${this.#partition}`;
  }

  async #run(): Promise<void> {
    // Calls that are made one after the other in the same turn go together.
    await undefined;
    while (this.#waiting.length > 0) {
      let batch: Batch | undefined;
      try {
        batch = this.#repeated();
        if (batch === undefined) {
          const identity = await this.#identified();
          batch = this.#next(identity);
        }
        const sending = batch;
        const base = await this.#cluster.attempt(
          this.#action,
          (signal) => this.#send(sending, signal),
        );
        this.#confirm(batch, base);
      } catch (error) {
        this.#refuse(batch, error);
      }
    }
  }

  /** Gets a producer id if one is needed. */
  async #identified(): Promise<ProducerIdentity | undefined> {
    if (this.#options.acks !== "all" || this.#identity !== undefined) return this.#identity;
    const body = { transactionalId: null, timeoutMs: UNUSED_TIMEOUT_MS, ...NO_IDENTITY };
    const { producerId, epoch } = await this.#cluster.attempt(
      this.#action,
      (signal) =>
        this.#cluster.any(
          signal,
          (connection, signal) =>
            // Without idempotent producers there still are topics: a repeated append may double then.
            connection.versions.has(INIT_PRODUCER_ID)
              ? connection.call(INIT_PRODUCER_ID, body, { signal })
              : Promise.resolve(NO_IDENTITY),
        ),
    );
    this.#sequence = 0;
    return this.#identity = producerId < 0n ? undefined : { producerId, epoch };
  }

  /** Takes the next batch off the queue. */
  #next(identity: ProducerIdentity | undefined): Batch {
    const calls: Call[] = [];
    let size = 0;
    let count = 0;
    while (this.#waiting.length > 0) {
      const call = this.#waiting[0]!;
      if (calls.length > 0 && (size + call.size > BATCH_BYTES || call.alone)) break;
      size += call.size;
      count += call.records.length;
      calls.push(this.#waiting.shift()!);
      if (call.alone) break;
    }
    const batch = { calls, identity, sequence: this.#sequence };
    if (identity !== undefined) this.#sequence = (this.#sequence + count) % 2 ** 31;
    return batch;
  }

  /** The doubtful batch, if the first call that waits is one of it. */
  #repeated(): Batch | undefined {
    const doubtful = this.#doubtful;
    if (doubtful === undefined) return undefined;
    const first = this.#waiting[0]!;
    if (!doubtful.calls.some((call) => sameRecords(call.records, first.records))) {
      // Given up by its caller. What becomes of it is unknown, and so is the next sequence number:
      // continue under another id.
      this.#doubtful = undefined;
      this.#identity = undefined;
      return undefined;
    }
    this.#doubtful = undefined;
    const missing = new Set<Call>();
    const calls = doubtful.calls.map((call) => {
      const at = this.#waiting.findIndex(({ records }) => sameRecords(records, call.records));
      if (at < 0) missing.add(call);
      return at < 0 ? call : this.#waiting.splice(at, 1)[0]!;
    });
    return { ...doubtful, calls, unclaimed: missing };
  }

  async #send({ calls, identity, sequence }: Batch, signal: AbortSignal): Promise<number> {
    const { acks, compression } = this.#options;
    const place = { topic: this.#topic, partition: this.#partition };
    const connection = await this.#cluster.toLeader(
      place.topic,
      place.partition,
      "produce",
      signal,
    );
    const records = calls.length === 1 ? calls[0]!.records : calls.flatMap((call) => call.records);
    const bytes = encodeBatch(records, {
      compression,
      sequence,
      ...(identity === undefined ? {} : { identity }),
    });
    const timeoutMs = this.#cluster.replicationTimeoutMs;
    return await produce(connection, { ...place, bytes, acks: ACKS[acks], timeoutMs }, { signal });
  }

  #confirm(batch: Batch, base: number): void {
    let offset = base;
    this.#settled = [];
    for (const call of batch.calls) {
      if (batch.unclaimed?.has(call)) this.#settled.push({ records: call.records, offset });
      call.resolve(base < 0 ? -1 : offset);
      offset += call.records.length;
    }
  }

  #refuse(batch: Batch | undefined, error: unknown): void {
    // Without a batch nothing could be sent at all: all that wait learn why.
    const calls = batch?.calls ?? this.#waiting.splice(0);
    const names = errorNames(error);
    const unknown = error instanceof LogError && error.retryable;
    if (batch?.identity !== undefined) {
      if (unknown) this.#doubtful = batch;
      // The broker refused it: its sequence numbers were not used up.
      else this.#sequence = batch.sequence;
      if (names.some((name) => LOST_IDENTITY.has(name))) this.#identity = undefined;
    }
    // A batch of several calls may be too much where each alone is not; a broker that forgot the
    // producer takes the records from a new one. Once only.
    const again = (names.includes("MESSAGE_TOO_LARGE") && calls.length > 1) ||
      names.some((name) => LOST_IDENTITY.has(name));
    if (again && calls.every((call) => !call.alone)) {
      for (const call of calls) call.alone = true;
      this.#waiting.unshift(...calls);
      return;
    }
    for (const { reject } of calls) reject(error);
  }
}

/** The broker does not know this producer, or knows another one: a new identity is needed. */
const LOST_IDENTITY = new Set([
  "UNKNOWN_PRODUCER_ID",
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "INVALID_PRODUCER_EPOCH",
  "PRODUCER_FENCED",
  "INVALID_PRODUCER_ID_MAPPING",
]);

function sameRecords(a: readonly LogRecord[], b: readonly LogRecord[]): boolean {
  return a === b || (a.length === b.length && a.every((record, i) => record === b[i]));
}
