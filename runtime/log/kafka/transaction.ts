/**
 * Kafka's transactions of one transactional id: records and group offsets, all or nothing.
 *
 * A transaction is four steps: its partitions and groups are announced to the coordinator, records
 * and offsets are written, and the coordinator is told to commit; what belongs to a step goes out
 * together. An owner that starts raises the epoch of the id, which ends what the former owner had
 * open and refuses whatever it still tries.
 *
 * @module
 */
import { systemClock } from "../../base/clock.ts";
import { type CommitterOptions, LogError, type Membership, type OutputRecord } from "../log.ts";
import type { Cluster } from "./cluster.ts";
import { protocolErrors, remedyOf } from "./failures.ts";
import { encodeBatch } from "./record_encoder.ts";
import type { OffsetToCommit } from "./requests/groups.ts";
import { produce } from "./requests/produce.ts";
import {
  addOffsets,
  addPartitions,
  commitOffset,
  describeTransaction,
  endTransaction,
  initProducerId,
  type Owner,
  type ProducerIdentity,
} from "./requests/transactions.ts";
import { ensureTopic } from "./topics.ts";
import { cutIntoParts, type Part } from "./transaction_parts.ts";

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
/** States of a transaction that was ended without its records being kept. */
const ABORTED = new Set(["PrepareEpochFence", "PrepareAbort", "CompleteAbort"]);
/** The coordinator completes the transaction before in a few ms: asked again soon. */
const FIRST_DELAY_MS = 1;
const ALL_REPLICAS = -1;
/** States of a transaction whose partitions are still being marked. */
const UNSETTLED = new Set(["PrepareCommit", "PrepareAbort"]);

/** What became of a batch. */
interface Written {
  readonly offset?: number;
  readonly others: readonly OutputRecord[];
}

/** One transactional id, owned. */
export class Transactions {
  readonly #cluster: Cluster;
  readonly #id: string;
  readonly #lane: string;
  #identity: ProducerIdentity = { producerId: -1n, epoch: -1 };
  readonly #sequences = new Map<string, number>();
  readonly #timeoutMs: number;
  #settled = true;
  /** When the transaction that runs, or ran last, began. */
  #begun = Infinity;

  /**
   * @param lane the connections that are used.
   * @param timeoutMs how long a transaction may be open.
   */
  constructor(cluster: Cluster, id: string, lane: string, timeoutMs = TIMEOUT_MS) {
    this.#cluster = cluster;
    this.#id = id;
    this.#lane = lane;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Takes the id over from whoever had it, or, called again, ends what was begun and starts anew.
   *
   * @throws {LogError} `FENCED` when somebody else has taken it over since.
   */
  async begin(action: string): Promise<void> {
    const current = this.#identity;
    this.#identity = await this.#attempt(
      action,
      async () => initProducerId(await this.#coordinator(), this.#id, this.#timeoutMs, current),
    );
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
    const parts = cutIntoParts(records, this.#sequences);
    this.#begun = systemClock.monotonic();
    await this.#announce(action, parts, options.groups);
    if (options.needsPlaces) {
      await this.#commitOffsets(action, offsets(await this.#write(action, parts)));
    } else {
      await Promise.all([
        this.#write(action, parts),
        this.#commitOffsets(action, offsets(new Map())),
      ]);
    }
    await this.#attempt(
      action,
      async () => endTransaction(await this.#coordinator(), this.#owner),
    );
    this.#settled = false;
  }

  /**
   * Whether the coordinator itself has ended the transaction, because it was open for too long, and
   * nobody has taken the id over since: it raises the epoch as a new owner would, by one. False also when
   * that cannot be found out.
   */
  async timedOut(action: string): Promise<boolean> {
    if (systemClock.monotonic() - this.#begun < this.#timeoutMs) return false;
    const { producerId, epoch } = this.#identity;
    try {
      const known = await this.#attempt(
        action,
        async () => describeTransaction(await this.#coordinator(), this.#id),
      );
      return known.producerId === producerId && known.epoch === epoch + 1 &&
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
        const { state } = await describeTransaction(await this.#coordinator(), this.#id);
        if (!UNSETTLED.has(state)) break;
      }
    } catch (error) {
      // It is committed all the same; whoever comes next meets what is wrong here.
      const expected = this.#cluster.closing.aborted || remedyOf(error) !== "none" ||
        protocolErrors(error).length > 0;
      if (!expected) throw error;
    }
    this.#settled = true;
  }

  get #owner(): Owner {
    return { transactionalId: this.#id, ...this.#identity };
  }

  #attempt<T>(action: string, request: () => Promise<T>): Promise<T> {
    return this.#cluster.attempt(action, request, { firstDelayMs: FIRST_DELAY_MS });
  }

  async #coordinator() {
    const broker = await this.#cluster.coordinator("transaction", this.#id);
    return await this.#cluster.connections.get(broker, this.#lane);
  }

  async #announce(
    action: string,
    parts: readonly Part[],
    groups: readonly string[],
  ): Promise<void> {
    const topics = new Map<string, Set<number>>();
    for (const { topic, partition } of parts) {
      if (!topics.has(topic)) topics.set(topic, new Set());
      topics.get(topic)!.add(partition);
    }
    const announce = async (request: () => Promise<unknown>) => {
      await this.#attempt(action, request);
    };
    const requests = groups.map((group) =>
      announce(async () => addOffsets(await this.#coordinator(), this.#owner, group))
    );
    if (topics.size > 0) {
      requests.push(
        announce(async () => addPartitions(await this.#coordinator(), this.#owner, [...topics])),
      );
    }
    await Promise.all(requests);
  }

  /** @returns the first offset of each partition. */
  async #write(action: string, parts: readonly Part[]): Promise<Map<string, number>> {
    const first = new Map<string, number>();
    const elsewhere: OutputRecord[] = [];
    const partitions = Map.groupBy(parts, ({ topic, partition }) => `${topic}/${partition}`);
    await Promise.all([...partitions].map(async ([key, of]) => {
      // What went elsewhere leaves no gap in the numbers.
      let gone = 0;
      for (const part of of) {
        const moved = { ...part, sequence: part.sequence - gone };
        const { offset, others } = await this.#writePart(action, moved);
        if (offset !== undefined && !first.has(key)) first.set(key, offset);
        elsewhere.push(...others);
        gone += others.length;
      }
      if (gone > 0) this.#sequences.set(key, this.#sequences.get(key)! - gone);
    }));
    if (elsewhere.length > 0) await this.#writeElsewhere(action, elsewhere);
    return first;
  }

  /** Records that took the place of larger ones and are meant for topics that nobody has announced. */
  async #writeElsewhere(action: string, records: readonly OutputRecord[]): Promise<void> {
    for (const { topic, partition } of records) {
      await ensureTopic(this.#cluster, topic, partition + 1);
    }
    const parts = cutIntoParts(records, this.#sequences);
    await this.#announce(action, parts, []);
    await this.#write(action, parts);
  }

  /** @returns the offset of the first record that was written, and those that are meant for another topic. */
  async #writePart(action: string, part: Part): Promise<Written> {
    try {
      return { offset: await this.#produce(action, part), others: [] };
    } catch (error) {
      // The broker has taken none of it, and the transaction stands.
      if (!(error instanceof LogError) || error.code !== "TOO_LARGE") throw error;
      const { topic, partition, records, sequence } = part;
      if (records.length === 1) {
        const smaller = records[0]!.smaller?.();
        if (smaller === undefined) throw error;
        if (smaller.topic !== topic || smaller.partition !== partition) {
          return { others: [smaller] };
        }
        return await this.#writePart(action, { ...part, records: [smaller] });
      }
      let offset: number | undefined;
      const others: OutputRecord[] = [];
      for (const [index, record] of records.entries()) {
        const one = { ...part, records: [record], sequence: sequence + index - others.length };
        const written = await this.#writePart(action, one);
        offset ??= written.offset;
        others.push(...written.others);
      }
      return { ...(offset === undefined ? {} : { offset }), others };
    }
  }

  async #produce(action: string, part: Part): Promise<number> {
    const { topic, partition, records, sequence } = part;
    const bytes = encodeBatch(records, {
      identity: this.#identity,
      sequence,
      transactional: true,
    });
    const [offset] = await this.#attempt(action, async () => {
      const { broker } = await this.#cluster.leader(topic, partition);
      const connection = await this.#cluster.connections.get(broker, this.#lane);
      return await produce(connection, {
        transactionalId: this.#id,
        acks: ALL_REPLICAS,
        timeoutMs: this.#cluster.timeoutMs,
        parts: [{ topic, partition, bytes }],
      });
    });
    return offset!;
  }

  async #commitOffsets(action: string, commits: readonly OffsetCommit[]): Promise<void> {
    await Promise.all(commits.map((commit) =>
      this.#attempt(action, async () => {
        const { group, membership } = commit;
        const broker = await this.#cluster.coordinator("group", group);
        const connection = await this.#cluster.connections.get(broker, this.#lane);
        const member = { group, ...membership ?? { memberId: "", generation: -1 } };
        await commitOffset(connection, this.#owner, member, commit);
      })
    ));
  }
}

/** The transactional id of a query on a partition. */
export function transactionalId(
  { group, query, topic, partition }: Pick<
    CommitterOptions,
    "group" | "query" | "topic" | "partition"
  >,
): string {
  return `framelane-${group}-${query}-${topic}-${partition}`;
}

/** True when the error says that the transactional id has another owner, or none that we know. */
export function isFencing(error: unknown): boolean {
  return protocolErrors(error).some((name) => FENCING.has(name));
}

const FENCING = new Set([
  "PRODUCER_FENCED",
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
  "TRANSACTION_COORDINATOR_FENCED",
]);
