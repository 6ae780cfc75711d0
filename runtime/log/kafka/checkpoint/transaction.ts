// Kafka's transactions of one transactional id: records and group offsets, all or nothing.
//
// A transaction is four steps: its partitions and groups are announced to the coordinator, records
// and offsets are written, and the coordinator is asked to commit; what belongs to a step goes out
// together. An owner that starts raises the epoch of the id, which ends what the former owner had
// open and refuses whatever it still tries.
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
import { ABORTED, describeTransaction, UNSETTLED } from "./transactional_id.ts";

/** An offset to be committed with a transaction. */
export interface OffsetCommit extends OffsetToCommit {
  readonly group: string;
  /** The group's generation by which the partition is owned. */
  readonly membership?: Membership;
}

/**
 * How long a transaction may be open. A process that dies inside one blocks readers of its output
 * topics until then, or until its successor starts.
 */
const TIMEOUT_MS = 15_000;
/** The coordinator completes the transaction before in a few ms: asked again soon. */
const FIRST_DELAY_MS = 1;
const ALL_REPLICAS = -1;

/** What became of a batch. */
interface Written {
  readonly offset?: number;
  readonly others: readonly OutputRecord[];
}

/** One transactional id, owned. */
export class Transactions {
  readonly #cluster: Cluster;
  readonly #id: string;
  readonly #channel: string;
  #identity: ProducerIdentity = NO_IDENTITY;
  readonly #sequences = new Map<string, number>();
  readonly #timeoutMs: number;
  #settled = true;
  /** When the transaction that runs, or ran last, began. */
  #begun = Infinity;

  /**
   * @param channel the connections that are used.
   * @param timeoutMs how long a transaction may be open.
   */
  constructor(cluster: Cluster, id: string, channel: string, timeoutMs = TIMEOUT_MS) {
    this.#cluster = cluster;
    this.#id = id;
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Takes the id over from its former owner, or, called again, ends what was begun and begins again.
   *
   * @throws {LogError} `FENCED` when it has a newer owner; `UNSUPPORTED` when the broker has no
   * transactions.
   */
  async begin(action: string): Promise<void> {
    if (this.#identity !== NO_IDENTITY) await this.#abort(action);
    await this.#init(action, this.#identity);
  }

  /** Ends what was begun. Taking the id over would too, but brokers before 4.0 refuse the second try of that as fenced. */
  async #abort(action: string): Promise<void> {
    try {
      await this.#ask(action, END_TXN, { ...this.#owner, committed: false });
    } catch (error) {
      // Nothing was begun, or it was committed.
      if (!errorNames(error).includes("INVALID_TXN_STATE")) throw error;
    }
  }

  /** Takes the id over as if for the first time: the coordinator has forgotten it, as it does with idle ones. */
  restart(action: string): Promise<void> {
    return this.#init(action, NO_IDENTITY);
  }

  async #init(action: string, current: ProducerIdentity): Promise<void> {
    const { producerId, epoch } = await this.#ask(action, INIT_TRANSACTIONS, {
      transactionalId: this.#id,
      timeoutMs: this.#timeoutMs,
      ...current,
    });
    this.#identity = { producerId, epoch };
    this.#sequences.clear();
  }

  /**
   * Writes records and offsets, and commits. After an error nothing of it is visible, except that
   * an error of the last step leaves open whether it was done: `begin` settles it.
   *
   * @param offsets are asked for when the records are written, with the first offset of each partition
   * (`topic/partition`).
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
    await this.#announce(action, batches, options.groups);
    if (options.needsPlaces) {
      await this.#commitOffsets(action, offsets(await this.#write(action, batches)));
    } else {
      await Promise.all([
        this.#write(action, batches),
        this.#commitOffsets(action, offsets(new Map())),
      ]);
    }
    await this.#ask(action, END_TXN, { ...this.#owner, committed: true });
    this.#settled = false;
  }

  /**
   * Whether the coordinator itself has ended the transaction, because it was open for too long, and
   * the id has no newer owner: it raises the epoch as a new owner would, by one. False also when
   * that cannot be found out.
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

  /**
   * Waits until readers can see what was committed last: the coordinator answers a commit when it is
   * certain, and marks the partitions after that. The next transaction would wait for the same.
   */
  async settle(): Promise<void> {
    if (this.#settled) return;
    const deadline = systemClock.monotonic() + this.#cluster.timeoutMs;
    try {
      for (let delay = FIRST_DELAY_MS; systemClock.monotonic() < deadline; delay++) {
        await systemClock.sleep(delay, this.#cluster.closing);
        const known = await this.#describe(this.#cluster.closing);
        // A broker that cannot tell refuses to continue until the partitions are marked.
        if (known === undefined) await this.#init("Cannot begin a transaction", this.#identity);
        if (known === undefined || !UNSETTLED.has(known.state)) break;
      }
    } catch (error) {
      // It is committed even so; the next transaction meets what is wrong here.
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

  /** A request to the coordinator of the id. */
  #ask<Request, Response>(
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

  /** What ends a transaction must not wait for the quota of what was written in it: it goes beside. */
  async #unthrottled(connect: (channel: string) => Promise<Connection>): Promise<Connection> {
    const connection = await connect(this.#channel);
    return connection.throttledMs > 0 ? await connect(`${this.#channel}-beside`) : connection;
  }

  /** Undefined when the broker is too old to tell, or does not know the id. */
  async #describe(signal: AbortSignal) {
    const connection = await this.#coordinator(signal);
    return await describeTransaction(connection, this.#id, signal);
  }

  /** A transaction that is open while the broker wants no records would run out of time. */
  async #waitForQuota(action: string, batches: readonly OutputBatch[]): Promise<void> {
    for (const { topic, partition } of batches) {
      await this.#attempt(action, async (signal) => {
        const connection = await this.#cluster.toLeader(topic, partition, this.#channel, signal);
        if (connection.throttledMs > 0) throw new ThrottledError(connection.throttledMs);
      });
    }
  }

  async #announce(
    action: string,
    batches: readonly OutputBatch[],
    groups: readonly string[],
  ): Promise<void> {
    const topics = partitionsByTopic(batches);
    const requests: Promise<unknown>[] = groups.map((group) =>
      this.#ask(action, ADD_OFFSETS_TO_TXN, { ...this.#owner, group })
    );
    if (topics.length > 0) {
      requests.push(this.#ask(action, ADD_PARTITIONS_TO_TXN, { ...this.#owner, topics }));
    }
    await Promise.all(requests);
  }

  /** @returns the first offset of each partition. */
  async #write(
    action: string,
    batches: readonly OutputBatch[],
  ): Promise<Map<string, number>> {
    const first = new Map<string, number>();
    const elsewhere: OutputRecord[] = [];
    const partitions = Map.groupBy(batches, ({ topic, partition }) => `${topic}/${partition}`);
    await Promise.all([...partitions].map(async ([key, of]) => {
      // What went elsewhere leaves no gap in the numbers.
      let gone = 0;
      for (const batch of of) {
        const moved = { ...batch, sequence: batch.sequence - gone };
        const { offset, others } = await this.#writeBatch(action, moved);
        if (offset !== undefined && !first.has(key)) first.set(key, offset);
        elsewhere.push(...others);
        gone += others.length;
      }
      if (gone > 0) this.#sequences.set(key, this.#sequences.get(key)! - gone);
    }));
    if (elsewhere.length > 0) await this.#writeElsewhere(action, elsewhere);
    return first;
  }

  /** Records that took the place of larger ones and are meant for topics that were not announced. */
  async #writeElsewhere(action: string, records: readonly OutputRecord[]): Promise<void> {
    for (const { topic, partition } of records) {
      await ensureTopic(this.#cluster, topic, partition + 1);
    }
    const batches = cutIntoBatches(records, this.#sequences);
    await this.#announce(action, batches, []);
    await this.#write(action, batches);
  }

  /** @returns the offset of the first record that was written, and those that are meant for another topic. */
  async #writeBatch(action: string, batch: OutputBatch): Promise<Written> {
    try {
      return { offset: await this.#produce(action, batch), others: [] };
    } catch (error) {
      // The broker has taken none of it, and the transaction stands.
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
      return { ...(offset === undefined ? {} : { offset }), others };
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
