// Appends records to one partition, in order.
import { LogError, type LogRecord, type ProducerOptions } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { brokerErrors } from "../protocol/errors.ts";
import { INIT_PRODUCER_ID, NO_IDENTITY, type ProducerIdentity } from "../protocol/transactions.ts";
import { encodeBatch, sizeBound } from "../records/encoder.ts";
import { produce } from "./produce.ts";

const ACKS = { all: -1, leader: 1, none: 0 } as const;
/** For transactions, which are not used here. */
const UNUSED_TIMEOUT_MS = 60_000;
/** Calls are merged into batches up to this size. */
const BATCH_BYTES = 512 * 1024;
/** Brokers close the connection at larger requests (`socket.request.max.bytes`). */
const MAX_BYTES = 64 * 1024 * 1024;

interface Call {
  readonly records: readonly LogRecord[];
  readonly size: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: unknown) => void;
  /** Its batch was refused, perhaps because of another call: sent in a batch of its own. */
  alone?: boolean;
}

interface Batch {
  calls: Call[];
  readonly identity: ProducerIdentity | undefined;
  readonly sequence: number;
  /** In a retried batch: failed calls that the caller has not repeated yet. */
  readonly unclaimed?: ReadonlySet<Call>;
}

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
   * A failed batch that may have been stored. If the caller appends the same records again, it is sent with
   * the same sequence numbers, so that it is not stored twice.
   */
  #uncertain: Batch | undefined;
  /** Calls of such a batch that were stored and that the caller has not repeated yet. */
  #stored: { readonly records: readonly LogRecord[]; readonly offset: number }[] = [];

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
            `${this.#action}: given ${size} bytes, expected at most ${MAX_BYTES}`,
          ),
        );
        return;
      }
      const stored = this.#stored.findIndex((one) => sameRecords(one.records, records));
      if (stored >= 0) {
        resolve(this.#stored.splice(stored, 1)[0]!.offset);
        return;
      }
      this.#waiting.push({ records, size, resolve, reject });
      this.#running ??= this.#run().finally(() => this.#running = undefined);
    });
  }

  /** Resolves when no call is pending. */
  async drained(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  get #action(): string {
    return `Cannot append to ${this.#topic} partition ${this.#partition}`;
  }

  async #run(): Promise<void> {
    // Calls of the same turn form one batch.
    await undefined;
    while (this.#waiting.length > 0) {
      let batch: Batch | undefined;
      try {
        batch = this.#retried() ?? this.#next(await this.#producerId());
        const sent = batch;
        const base = await this.#cluster.attempt(
          this.#action,
          (signal) => this.#send(sent, signal),
        );
        this.#confirm(batch, base);
      } catch (error) {
        this.#fail(batch, error);
      }
    }
  }

  /** Undefined if the batch cannot be idempotent. */
  async #producerId(): Promise<ProducerIdentity | undefined> {
    if (this.#options.acks !== "all" || this.#identity !== undefined) return this.#identity;
    const body = { transactionalId: null, timeoutMs: UNUSED_TIMEOUT_MS, ...NO_IDENTITY };
    const { producerId, epoch } = await this.#cluster.attempt(
      this.#action,
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

  /** The uncertain batch, if the next call repeats one of its calls. */
  #retried(): Batch | undefined {
    const uncertain = this.#uncertain;
    if (uncertain === undefined) return undefined;
    this.#uncertain = undefined;
    const first = this.#waiting[0]!;
    if (!uncertain.calls.some((call) => sameRecords(call.records, first.records))) {
      // The next sequence number is unknown: continue with another producer id.
      this.#identity = undefined;
      return undefined;
    }
    const unclaimed = new Set<Call>();
    const calls = uncertain.calls.map((call) => {
      const at = this.#waiting.findIndex(({ records }) => sameRecords(records, call.records));
      if (at < 0) unclaimed.add(call);
      return at < 0 ? call : this.#waiting.splice(at, 1)[0]!;
    });
    return { ...uncertain, calls, unclaimed };
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
    const bytes = encodeBatch(records, { compression, sequence, identity });
    const timeoutMs = this.#cluster.replicationTimeoutMs;
    return await produce(connection, { ...place, bytes, acks: ACKS[acks], timeoutMs }, { signal });
  }

  #confirm(batch: Batch, base: number): void {
    let offset = base;
    this.#stored = [];
    for (const call of batch.calls) {
      if (batch.unclaimed?.has(call)) this.#stored.push({ records: call.records, offset });
      call.resolve(base < 0 ? -1 : offset);
      offset += call.records.length;
    }
  }

  #fail(batch: Batch | undefined, error: unknown): void {
    // Without a producer id no call could be sent.
    const calls = batch?.calls ?? this.#waiting.splice(0);
    const kinds = brokerErrors(error).map(({ kind }) => kind);
    const lostId = kinds.some(({ outcome }) => ["new-producer-id", "fenced"].includes(outcome));
    const uncertain = error instanceof LogError && error.retryable;
    if (batch?.identity !== undefined) {
      if (uncertain) this.#uncertain = batch;
      // Its sequence numbers were not used.
      else this.#sequence = batch.sequence;
      if (lostId) this.#identity = undefined;
    }
    // Retried once, one by one, if the batch was too large or the producer id is lost.
    const tooLarge = calls.length > 1 && kinds.some(({ name }) => name === "MESSAGE_TOO_LARGE");
    if ((tooLarge || lostId) && calls.every((call) => !call.alone)) {
      for (const call of calls) call.alone = true;
      this.#waiting.unshift(...calls);
      return;
    }
    for (const { reject } of calls) reject(error);
  }
}

function sameRecords(a: readonly LogRecord[], b: readonly LogRecord[]): boolean {
  return a === b || (a.length === b.length && a.every((record, i) => record === b[i]));
}
