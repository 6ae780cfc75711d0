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
import { byPartition, cutIntoBatches, keyOf, type OutputBatch } from "./batches.ts";
import { describeTransaction } from "./owner.ts";
import { UnthrottledRequests } from "./unthrottled.ts";

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
  /** The first offset written to each `topic/partition`. */
  readonly first: Map<string, number>;
  /** Records for another topic, such as the dead letter. */
  readonly elsewhere: OutputRecord[];
}

export class Transactions {
  readonly #cluster: Cluster;
  readonly #id: string;
  readonly #channel: string;
  readonly #requests: UnthrottledRequests;
  #identity: ProducerIdentity = NO_IDENTITY;
  /** Next sequence number by `topic/partition`. */
  readonly #sequences = new Map<string, number>();
  readonly #timeoutMs: number;
  #settled = true;
  /** Start of the current or last transaction. */
  #begun = Infinity;

  constructor(cluster: Cluster, id: string, channel: string, timeoutMs = TIMEOUT_MS) {
    this.#cluster = cluster;
    this.#id = id;
    this.#channel = channel;
    this.#requests = new UnthrottledRequests(channel);
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Takes over the id, or aborts its current transaction.
   *
   * @throws {LogError} `FENCED`; `UNSUPPORTED` by brokers without transactions
   */
  async begin(action: string): Promise<void> {
    try {
      // InitProducerId would abort too, but brokers before 4.0 fence its retry.
      if (this.#identity !== NO_IDENTITY) await this.#end(action, false);
    } catch (error) {
      // There is no transaction, or it was committed.
      if (!errorNames(error).includes("INVALID_TXN_STATE")) throw error;
    }
    await this.#init(action, this.#identity);
  }

  async #end(action: string, committed: boolean): Promise<void> {
    await this.#call(action, END_TXN, { ...this.#owner, committed });
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
    await this.#waitForQuota(action, records);
    this.#begun = systemClock.monotonic();
    await this.#addPartitions(action, records, options.groups);
    if (options.needsPlaces) {
      await this.#commitOffsets(action, offsets(await this.#write(action, records)));
    } else {
      await together([
        this.#write(action, records),
        this.#commitOffsets(action, offsets(new Map())),
      ]);
    }
    await this.#end(action, true);
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
      const known = await this.#attempt(
        action,
        (signal) => this.#toCoordinator(signal, (to) => describeTransaction(to, this.#id, signal)),
      );
      return typeof known === "object" && known.producerId === producerId &&
        known.epoch === epoch + 1 && ABORTED.has(known.state);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      return false;
    }
  }

  /**
   * Waits until readers see the last commit: the coordinator writes the markers after its response. Ends early if
   * a quota holds up its requests.
   */
  async settle(): Promise<void> {
    if (this.#settled) return;
    const { closing, timeoutMs } = this.#cluster;
    const deadline = systemClock.monotonic() + timeoutMs;
    try {
      await this.#toCoordinator(closing, async (to) => {
        for (let delay = FIRST_DELAY_MS; systemClock.monotonic() < deadline; delay++) {
          await systemClock.sleep(delay, closing);
          const known = await describeTransaction(to, this.#id, closing);
          if (typeof known === "object" && UNSETTLED.has(known.state)) continue;
          // Without DescribeTransactions, InitProducerId fails until the markers are written.
          if (known === "unsupported") await this.#init("Cannot settle", this.#identity);
          break;
        }
      });
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
      (signal) => this.#toCoordinator(signal, (to) => to.call(api, body, { signal })),
    );
  }

  #toCoordinator<T>(signal: AbortSignal, send: (to: Connection) => Promise<T>): Promise<T> {
    return this.#requests.send(
      (channel) => this.#cluster.toCoordinator("transaction", this.#id, channel, signal),
      send,
    );
  }

  /** Waits before the transaction starts as long as quotas ask for, those of other committers too. */
  async #waitForQuota(action: string, records: readonly OutputRecord[]): Promise<void> {
    const { owedMs } = this.#requests;
    if (owedMs > 0) await this.#cluster.pause(action, owedMs);
    for (const [{ topic, partition }] of byPartition(records)) {
      const { throttledMs } = await this.#attempt(
        action,
        (signal) => this.#cluster.toLeader(topic, partition, this.#channel, signal),
      );
      if (throttledMs > 0) await this.#cluster.pause(action, throttledMs);
    }
  }

  async #addPartitions(
    action: string,
    records: readonly OutputRecord[],
    groups: readonly string[],
  ): Promise<void> {
    const topics = byTopic(records).map(({ name, partitions }) => ({
      name,
      partitions: [...new Set(partitions.map(({ partition }) => partition))],
    }));
    const requests: Promise<unknown>[] = groups.map((group) =>
      this.#call(action, ADD_OFFSETS_TO_TXN, { ...this.#owner, group })
    );
    if (topics.length > 0) {
      requests.push(this.#call(action, ADD_PARTITIONS_TO_TXN, { ...this.#owner, topics }));
    }
    await together(requests);
  }

  /** @returns the first offset of each partition */
  async #write(action: string, records: readonly OutputRecord[]): Promise<Map<string, number>> {
    const written: Written = { first: new Map(), elsewhere: [] };
    await together(
      byPartition(records).map(async (all) => {
        for (const batch of cutIntoBatches(all)) await this.#writeBatch(action, batch, written);
      }),
    );
    const { first, elsewhere } = written;
    if (elsewhere.length > 0) {
      for (const { topic, partition } of elsewhere) {
        await ensureTopic(this.#cluster, topic, partition + 1);
      }
      // Their topics are not in the transaction yet.
      await this.#addPartitions(action, elsewhere, []);
      await this.#write(action, elsewhere);
    }
    return first;
  }

  /**
   * Writes records of one partition. Those that the topic rejects are replaced by their smaller form, if they have
   * one.
   */
  async #writeBatch(
    action: string,
    records: OutputBatch,
    written: Written,
  ): Promise<void> {
    const [one] = records;
    const key = keyOf(one);
    try {
      const offset = await this.#produce(action, records);
      if (!written.first.has(key)) written.first.set(key, offset);
    } catch (error) {
      // The whole batch was rejected, and the transaction is still open.
      const refused = error instanceof LogError &&
        (error.code === "TOO_LARGE" || error.code === "REFUSED");
      if (!refused) throw error;
      if (records.length > 1) {
        for (const record of records) await this.#writeBatch(action, [record], written);
        return;
      }
      const smaller = one.smaller?.(error);
      if (smaller === undefined) throw error;
      if (keyOf(smaller) === key) await this.#writeBatch(action, [smaller], written);
      else written.elsewhere.push(smaller);
    }
  }

  async #produce(action: string, records: OutputBatch): Promise<number> {
    const { topic, partition } = records[0];
    const key = keyOf(records[0]);
    const sequence = this.#sequences.get(key) ?? 0;
    const bytes = encodeBatch(records, {
      identity: this.#identity,
      sequence,
      transactional: true,
    });
    const timeoutMs = this.#cluster.replicationTimeoutMs;
    const place = { topic, partition, transactionalId: this.#id };
    const offset = await this.#attempt(action, (signal) =>
      this.#requests.send(
        (channel) => this.#cluster.toLeader(topic, partition, channel, signal),
        (to) => produce(to, { ...place, bytes, acks: ALL_REPLICAS, timeoutMs }, { signal }),
      ));
    this.#sequences.set(key, (sequence + records.length) % 2 ** 31);
    return offset;
  }

  async #commitOffsets(action: string, commits: readonly OffsetCommit[]): Promise<void> {
    await together(commits.map((commit) =>
      this.#attempt(action, (signal) => {
        const { group, membership } = commit;
        const body = {
          ...this.#owner,
          group,
          ...membership ?? { memberId: "", generation: -1 },
          instanceId: null,
          topics: byTopic([commit]),
        };
        return this.#requests.send(
          (channel) => this.#cluster.toCoordinator("group", group, channel, signal),
          (to) => to.call(TXN_OFFSET_COMMIT, body, { signal }),
        );
      })
    ));
  }
}

/** Waits for all, even if one fails: what is sent after the transaction was aborted could stay. */
async function together(requests: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(requests);
  await Promise.all(requests);
}

/** Whether the transactional id has another owner. */
export function isFencing(error: unknown): boolean {
  return brokerErrors(error).some(({ kind }) => kind.outcome === "fenced");
}

/** Whether the coordinator has forgotten the idle transactional id. */
export function isForgotten(error: unknown): boolean {
  return errorNames(error).includes("INVALID_PRODUCER_ID_MAPPING");
}
