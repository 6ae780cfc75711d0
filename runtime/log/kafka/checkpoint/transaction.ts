// Transactions of one transactional id: records and group offsets, all or nothing.
//
// The partitions and groups are added to the transaction, then records and offsets are written, then it is
// committed. A new owner raises the id's epoch, which aborts the former owner's transaction and fences it.
import { systemClock } from "../../../base/clock.ts";
import { LogError, type Membership, type OutputRecord } from "../../log.ts";
import { produce } from "../append/produce.ts";
import type { Cluster } from "../net/cluster.ts";
import type { Connection } from "../net/connection.ts";
import { isRepeatable } from "../net/failures.ts";
import type { Api } from "../protocol/api.ts";
import { brokerErrors, errorNames, ThrottledError } from "../protocol/errors.ts";
import { byTopic, type OffsetToCommit } from "../protocol/groups.ts";
import {
  ADD_OFFSETS_TO_TXN,
  ADD_PARTITIONS_TO_TXN,
  END_TXN,
  INIT_TRANSACTIONS,
  NO_IDENTITY,
  type Owner,
  type ProducerIdentity,
  TXN_OFFSET_COMMIT,
} from "../protocol/transactions.ts";
import { ensureTopic } from "../read/topics.ts";
import { encodeBatch } from "../records/encoder.ts";
import { cutIntoBatches, type OutputBatch, partitionsByTopic } from "./batches.ts";
import { describeTransaction } from "./owner.ts";

export interface OffsetCommit extends OffsetToCommit {
  readonly group: string;
  /** Fails the commit if the member no longer owns the partition. */
  readonly membership?: Membership | undefined;
}

/** An abandoned transaction blocks readers of its output topics until then, or until the next owner starts. */
const TIMEOUT_MS = 15_000;
/** The coordinator completes the previous transaction within a few milliseconds. */
const FIRST_DELAY_MS = 1;
const ALL_REPLICAS = -1;
/** States of an aborted transaction. */
const ABORTED = new Set(["PrepareEpochFence", "PrepareAbort", "CompleteAbort"]);
/** States of a transaction whose markers are being written. */
const UNSETTLED = new Set(["PrepareCommit", "PrepareAbort"]);

interface Written {
  /** Of the first record that was written. */
  readonly offset?: number | undefined;
  /** Records for another topic, such as the dead letter. */
  readonly others: readonly OutputRecord[];
}

export class Transactions {
  readonly #cluster: Cluster;
  readonly #id: string;
  readonly #channel: string;
  #identity: ProducerIdentity = NO_IDENTITY;
  readonly #sequences = new Map<string, number>();
  readonly #timeoutMs: number;
  #settled = true;
  /** Start of the current or last transaction. */
  #begun = Infinity;

  constructor(cluster: Cluster, id: string, channel: string, timeoutMs = TIMEOUT_MS) {
    this.#cluster = cluster;
    this.#id = id;
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Takes over the id, or aborts its current transaction.
   *
   * @throws {LogError} `FENCED`; `UNSUPPORTED` by brokers without transactions
   */
  async begin(action: string): Promise<void> {
    if (this.#identity !== NO_IDENTITY) await this.#abort(action);
    await this.#init(action, this.#identity);
  }

  /** InitProducerId would abort too, but brokers before 4.0 fence its retry. */
  async #abort(action: string): Promise<void> {
    try {
      await this.#call(action, END_TXN, { ...this.#owner, committed: false });
    } catch (error) {
      // There is no transaction, or it was committed.
      if (!errorNames(error).includes("INVALID_TXN_STATE")) throw error;
    }
  }

  /** Takes over an id that the coordinator has forgotten. */
  restart(action: string): Promise<void> {
    return this.#init(action, NO_IDENTITY);
  }

  async #init(action: string, current: ProducerIdentity): Promise<void> {
    const { producerId, epoch } = await this.#call(action, INIT_TRANSACTIONS, {
      transactionalId: this.#id,
      timeoutMs: this.#timeoutMs,
      ...current,
    });
    this.#identity = { producerId, epoch };
    this.#sequences.clear();
  }

  /**
   * Writes records and offsets, and commits. After an error the transaction is not committed; if the commit
   * itself fails, that is unknown until `begin`.
   *
   * @param offsets gets the first offset written to each `topic/partition`, if `needsPlaces`
   */
  async run(
    action: string,
    records: readonly OutputRecord[],
    offsets: (written: ReadonlyMap<string, number>) => readonly OffsetCommit[],
    options: { readonly groups: readonly string[]; readonly needsPlaces: boolean },
  ): Promise<void> {
    const batches = cutIntoBatches(records, this.#sequences);
    await this.#waitForQuota(action, batches);
    this.#begun = systemClock.monotonic();
    await this.#addPartitions(action, batches, options.groups);
    if (options.needsPlaces) {
      await this.#commitOffsets(action, offsets(await this.#write(action, batches)));
    } else {
      await Promise.all([
        this.#write(action, batches),
        this.#commitOffsets(action, offsets(new Map())),
      ]);
    }
    await this.#call(action, END_TXN, { ...this.#owner, committed: true });
    this.#settled = false;
  }

  /**
   * Whether the coordinator has aborted the transaction because of its time-out, which raises the epoch by one
   * as a new owner would. False also if that is unknown.
   */
  async timedOut(action: string): Promise<boolean> {
    if (systemClock.monotonic() - this.#begun < this.#timeoutMs) return false;
    const { producerId, epoch } = this.#identity;
    try {
      const known = await this.#attempt(action, (signal) => this.#describe(signal));
      return known !== undefined && known.producerId === producerId && known.epoch === epoch + 1 &&
        ABORTED.has(known.state);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      return false;
    }
  }

  /** Waits until readers see the last commit: the coordinator writes the markers after its response. */
  async settle(): Promise<void> {
    if (this.#settled) return;
    const deadline = systemClock.monotonic() + this.#cluster.timeoutMs;
    try {
      for (let delay = FIRST_DELAY_MS; systemClock.monotonic() < deadline; delay++) {
        await systemClock.sleep(delay, this.#cluster.closing);
        const known = await this.#describe(this.#cluster.closing);
        // Without DescribeTransactions, InitProducerId fails until the markers are written.
        if (known === undefined) await this.#init("Cannot begin a transaction", this.#identity);
        if (known === undefined || !UNSETTLED.has(known.state)) break;
      }
    } catch (error) {
      // It is committed; the next transaction reports the error.
      const expected = this.#cluster.closing.aborted || isRepeatable(error) ||
        error instanceof ThrottledError || error instanceof LogError ||
        brokerErrors(error).length > 0;
      if (!expected) throw error;
    }
    this.#settled = true;
  }

  get #owner(): Owner {
    return { transactionalId: this.#id, ...this.#identity };
  }

  #attempt<T>(action: string, request: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#cluster.attempt(action, request, FIRST_DELAY_MS);
  }

  /** Sends a request to the id's coordinator. */
  #call<Request, Response>(
    action: string,
    api: Api<Request, Response>,
    body: Request,
  ): Promise<Response> {
    return this.#attempt(
      action,
      async (signal) => (await this.#coordinator(signal)).call(api, body, { signal }),
    );
  }

  async #coordinator(signal: AbortSignal): Promise<Connection> {
    return await this.#unthrottled(
      (channel) => this.#cluster.toCoordinator("transaction", this.#id, channel, signal),
    );
  }

  /** A quota must not delay the end of the transaction: another connection is used then. */
  async #unthrottled(connect: (channel: string) => Promise<Connection>): Promise<Connection> {
    const connection = await connect(this.#channel);
    return connection.throttledMs > 0 ? await connect(`${this.#channel}-beside`) : connection;
  }

  async #describe(signal: AbortSignal) {
    const connection = await this.#coordinator(signal);
    return await describeTransaction(connection, this.#id, signal);
  }

  /** Waits before the transaction starts, since it could time out: as long as a quota asks for. */
  async #waitForQuota(action: string, batches: readonly OutputBatch[]): Promise<void> {
    for (const { topic, partition } of batches) {
      const { throttledMs } = await this.#attempt(
        action,
        (signal) => this.#cluster.toLeader(topic, partition, this.#channel, signal),
      );
      if (throttledMs > 0) await this.#cluster.pause(action, throttledMs);
    }
  }

  async #addPartitions(
    action: string,
    batches: readonly OutputBatch[],
    groups: readonly string[],
  ): Promise<void> {
    const topics = partitionsByTopic(batches);
    const requests: Promise<unknown>[] = groups.map((group) =>
      this.#call(action, ADD_OFFSETS_TO_TXN, { ...this.#owner, group })
    );
    if (topics.length > 0) {
      requests.push(this.#call(action, ADD_PARTITIONS_TO_TXN, { ...this.#owner, topics }));
    }
    await Promise.all(requests);
  }

  /** @returns the first offset of each partition */
  async #write(
    action: string,
    batches: readonly OutputBatch[],
  ): Promise<Map<string, number>> {
    const first = new Map<string, number>();
    const elsewhere: OutputRecord[] = [];
    const partitions = Map.groupBy(batches, ({ topic, partition }) => `${topic}/${partition}`);
    await Promise.all([...partitions].map(async ([key, of]) => {
      // Records that went elsewhere use no sequence number.
      let skipped = 0;
      for (const batch of of) {
        const moved = { ...batch, sequence: batch.sequence - skipped };
        const { offset, others } = await this.#writeBatch(action, moved);
        if (offset !== undefined && !first.has(key)) first.set(key, offset);
        elsewhere.push(...others);
        skipped += others.length;
      }
      if (skipped > 0) this.#sequences.set(key, this.#sequences.get(key)! - skipped);
    }));
    if (elsewhere.length > 0) await this.#writeElsewhere(action, elsewhere);
    return first;
  }

  /** Writes replacements of rejected records to topics that are not in the transaction yet. */
  async #writeElsewhere(action: string, records: readonly OutputRecord[]): Promise<void> {
    for (const { topic, partition } of records) {
      await ensureTopic(this.#cluster, topic, partition + 1);
    }
    const batches = cutIntoBatches(records, this.#sequences);
    await this.#addPartitions(action, batches, []);
    await this.#write(action, batches);
  }

  /** Replaces records that the topic rejects by their smaller form, if they have one. */
  async #writeBatch(action: string, batch: OutputBatch): Promise<Written> {
    try {
      return { offset: await this.#produce(action, batch), others: [] };
    } catch (error) {
      // The whole batch was rejected, and the transaction is still open.
      const refused = error instanceof LogError &&
        (error.code === "TOO_LARGE" || error.code === "REFUSED");
      if (!refused) throw error;
      const { topic, partition, records, sequence } = batch;
      if (records.length === 1) {
        const smaller = records[0]!.smaller?.(error);
        if (smaller === undefined) throw error;
        if (smaller.topic !== topic || smaller.partition !== partition) {
          return { others: [smaller] };
        }
        return await this.#writeBatch(action, { ...batch, records: [smaller] });
      }
      let offset: number | undefined;
      const others: OutputRecord[] = [];
      for (const [index, record] of records.entries()) {
        const one = { ...batch, records: [record], sequence: sequence + index - others.length };
        const written = await this.#writeBatch(action, one);
        offset ??= written.offset;
        others.push(...written.others);
      }
      return { offset, others };
    }
  }

  async #produce(action: string, batch: OutputBatch): Promise<number> {
    const { topic, partition, records, sequence } = batch;
    const bytes = encodeBatch(records, {
      identity: this.#identity,
      sequence,
      transactional: true,
    });
    return await this.#attempt(action, async (signal) => {
      const connection = await this.#cluster.toLeader(topic, partition, this.#channel, signal);
      return await produce(connection, {
        ...{ topic, partition, bytes, acks: ALL_REPLICAS, transactionalId: this.#id },
        timeoutMs: this.#cluster.replicationTimeoutMs,
      }, { signal });
    });
  }

  async #commitOffsets(action: string, commits: readonly OffsetCommit[]): Promise<void> {
    await Promise.all(commits.map((commit) =>
      this.#attempt(action, async (signal) => {
        const { group, membership } = commit;
        const connection = await this.#unthrottled((channel) =>
          this.#cluster.toCoordinator("group", group, channel, signal)
        );
        await connection.call(TXN_OFFSET_COMMIT, {
          ...this.#owner,
          group,
          ...membership ?? { memberId: "", generation: -1 },
          instanceId: null,
          topics: byTopic([commit]),
        }, { signal });
      })
    ));
  }
}

/** Whether the transactional id has another owner. */
export function isFencing(error: unknown): boolean {
  return brokerErrors(error).some(({ kind }) => kind.outcome === "fenced");
}

/** Whether the coordinator has forgotten the idle transactional id. */
export function isForgotten(error: unknown): boolean {
  return errorNames(error).includes("INVALID_PRODUCER_ID_MAPPING");
}
