// The checkpoint of one query on one partition.
//
// A batch is committed by one transaction with the outputs and the group's offset; a repeatable batch
// without outputs by a plain offset commit. Opening a committer takes over the transactional id of query
// and partition, which fences the former owner.
import { Semaphore } from "../../../base/wait.ts";
import {
  type BatchCommitter,
  type BatchRange,
  type Checkpoint,
  type CommitOptions,
  type CommitterOptions,
  LogError,
  type Membership,
  type OutputRecord,
  saysFirst,
} from "../../log.ts";
import { checkCommit, checkPlan } from "../../checkpoint_plan.ts";
import { partitionMissing } from "../../checks.ts";
import type { OffsetCommits } from "../group/offset_commits.ts";
import type { Cluster } from "../net/cluster.ts";
import { NO_ID } from "../protocol/topics.ts";
import type { Epochs } from "../read/epochs.ts";
import { countPartitions, ensureTopic } from "../read/topics.ts";
import { checkpointGroup, checkpointOf, encodeMetadata, placeOf, type Stored } from "./metadata.ts";
import { checkUnowned, transactionalId } from "./owner.ts";
import { readStored } from "./reader.ts";
import { placeOfState, STATE_PARTITIONS, STATE_TOPIC, stateRecord } from "./state_topic.ts";
import { isFencing, isForgotten, type OffsetCommit, Transactions } from "./transaction.ts";

/** Offsets are committed again at this interval: Kafka deletes those of groups without members after a week. */
const REFRESH_MS = 12 * 60 * 60 * 1000;
/** Connections shared by the committers of a log. */
const CHANNELS = 4;

interface CommitterContext {
  readonly cluster: Cluster;
  readonly epochs: Epochs;
  readonly offsetCommits: OffsetCommits;
}

export class KafkaCommitter implements BatchCommitter {
  readonly #context: CommitterContext;
  readonly #options: CommitterOptions;
  readonly #transactions: Transactions;
  readonly #group: string;
  readonly #place: string;
  #stored: Stored;
  /** Whether `#stored` has been written. */
  #known: boolean;
  planned: BatchRange | undefined;
  #membership: Membership | undefined;
  readonly #turns = new Semaphore(1);
  #broken: LogError | undefined;
  #closed = false;
  #stateTopicReady = false;
  readonly #refresh: ReturnType<typeof setInterval>;

  private constructor(
    context: CommitterContext,
    options: CommitterOptions,
    transactions: Transactions,
    stored: Stored | undefined,
  ) {
    this.#context = context;
    this.#options = options;
    this.#transactions = transactions;
    this.#group = checkpointGroup(options.group, options.query);
    this.#place = placeOf(options);
    this.#known = stored !== undefined;
    this.#stored = stored ?? {
      queryId: crypto.randomUUID(),
      query: options.query,
      offset: 0,
      batchId: -1,
      restart: 0,
    };
    this.planned = stored?.planned;
    this.#membership = options.membership;
    this.#refresh = setInterval(() => this.#keepAlive(), REFRESH_MS);
    context.cluster.opened.add(this);
  }

  /** @throws {LogError} `OWNED` if the options ask for a checkpoint without an owner */
  static async open(context: CommitterContext, options: CommitterOptions): Promise<KafkaCommitter> {
    const { cluster, epochs } = context;
    const action = `Cannot open the checkpoint of ${placeOf(options)}`;
    if (options.unowned === true) await checkUnowned(cluster, action, options);
    const channel = `commit-${options.partition % CHANNELS}`;
    const transactions = new Transactions(cluster, transactionalId(options), channel);
    // Fence the former owner before reading its last commit.
    await Promise.all([createOutputs(cluster, options), transactions.begin(action)]);
    const stored = await readStored(cluster, epochs, action, options);
    return new KafkaCommitter(context, options, transactions, stored);
  }

  get queryId(): string {
    return this.#stored.queryId;
  }

  get committed(): Checkpoint | undefined {
    return this.#known ? checkpointOf(this.#stored) : undefined;
  }

  recreated(): Promise<boolean> {
    return this.#turns.run(async () => {
      const { topic } = this.#options;
      const found = await this.#context.cluster.attempt(
        `Cannot look up topic ${topic}`,
        (signal) => this.#context.cluster.topic(topic, signal, true),
      );
      const { topicId } = this.#stored;
      // Brokers that know Metadata only below version 10 have no ids.
      if (found === undefined || found.id === NO_ID) return false;
      const recreated = topicId !== undefined && topicId !== found.id;
      // A planned batch is of the topic that was: if its commit said otherwise, a crash after it would hide the change.
      if (!recreated || this.planned === undefined || saysFirst(this.planned)) {
        this.#stored = { ...this.#stored, topicId: found.id };
      }
      return recreated;
    });
  }

  renew(membership: Membership): void {
    this.#membership = membership;
  }

  plan(batch: BatchRange, required = true): Promise<void> {
    return this.#turns.run(async () => {
      const action = `Cannot plan batch ${batch.batchId} of ${this.#place}`;
      this.#throwIfUnusable(action);
      checkPlan(action, batch, this.#stored.batchId, this.planned);
      if (this.planned !== undefined && !saysFirst(this.planned)) return;
      if (required) {
        // Before the first commit the group's offset is the start of the first batch.
        const first = this.#known ? {} : { offset: batch.start, restart: batch.start };
        await this.#write(action, [], { ...this.#stored, ...first, planned: batch }, false);
      }
      this.planned = batch;
    });
  }

  commit(
    batch: BatchRange,
    checkpoint: Omit<Checkpoint, "batchId">,
    records: readonly OutputRecord[],
    options: CommitOptions = {},
  ): Promise<void> {
    return this.#turns.run(async () => {
      const action = `Cannot commit batch ${batch.batchId} of ${this.#place}`;
      this.#throwIfUnusable(action);
      const { end, restart, state } = checkpoint;
      checkCommit(action, batch, this.planned, checkpoint);
      const { queryId, query, topicId } = this.#stored;
      const stored = {
        queryId,
        query,
        topicId,
        offset: end,
        batchId: batch.batchId,
        restart,
        state,
      };
      const light = options.repeatable === true && records.length === 0;
      if (!light || !await this.#writeLightly(stored)) {
        await this.#write(action, records, stored, true);
      }
      this.planned = undefined;
    });
  }

  /**
   * Commits the offset without a transaction.
   *
   * @returns false without membership, or if the state is too large
   */
  async #writeLightly(stored: Stored): Promise<boolean> {
    const { group, topic, partition } = this.#options;
    const metadata = encodeMetadata(stored);
    const membership = this.#membership;
    if (metadata === undefined || membership === undefined || this.#group !== group) return false;
    const leaderEpoch = this.#context.epochs.before(topic, partition, stored.offset);
    try {
      await this.#context.offsetCommits.commit(
        { group, ...membership },
        { topic, partition, offset: stored.offset, leaderEpoch, metadata },
      );
    } catch (error) {
      if ((error as LogError).code !== "STALE_MEMBERSHIP") this.#broken = error as LogError;
      throw error;
    }
    this.#written(stored);
    return true;
  }

  #written(stored: Stored): void {
    this.#stored = stored;
    this.#known = true;
  }

  /** Commits in a transaction. */
  async #write(
    action: string,
    records: readonly OutputRecord[],
    stored: Stored,
    advances: boolean,
  ): Promise<void> {
    const { group, topic, partition } = this.#options;
    const metadata = encodeMetadata(stored);
    const outside = metadata === undefined;
    const all = outside ? [...records, await this.#stateRecord(stored.state!)] : records;
    // A group that several queries share gets a copy of the offset, for lag tools and to check the
    // membership.
    const mirrors = advances && this.#group !== group;
    const groups = mirrors ? [this.#group, group] : [this.#group];
    const leaderEpoch = this.#context.epochs.before(topic, partition, stored.offset);
    const commit = { topic, partition, offset: stored.offset, leaderEpoch };
    const membership = this.#membership;
    const offsets = (written: ReadonlyMap<string, number>): OffsetCommit[] => {
      const { state: _state, ...rest } = stored;
      const text = metadata ??
        encodeMetadata({ ...rest, stateAt: placeOfState(action, partition, written) })!;
      const own = { ...commit, group: this.#group, metadata: text };
      if (!mirrors) return [advances ? { ...own, membership } : own];
      return [own, { ...commit, group, metadata: encodeMetadata(rest)!, membership }];
    };
    const run = () =>
      this.#transactions.run(action, all, offsets, { groups, needsPlaces: outside });
    try {
      try {
        await run();
      } catch (error) {
        if (!isForgotten(error)) throw error;
        await this.#takeOverAgain(action);
        await run();
      }
    } catch (error) {
      throw await this.#undo(action, error as LogError);
    }
    this.#written(stored);
    if (records.length > 0) await this.#transactions.settle();
  }

  async #stateRecord(state: Uint8Array): Promise<OutputRecord> {
    if (!this.#stateTopicReady) {
      await ensureTopic(this.#context.cluster, STATE_TOPIC, STATE_PARTITIONS, {
        "cleanup.policy": "compact",
      });
      this.#stateTopicReady = true;
    }
    return stateRecord(this.#options, this.#group, state);
  }

  /**
   * Takes over a transactional id that the coordinator has forgotten, as it does with idle ones. Another
   * owner has taken over if the checkpoint has changed.
   */
  async #takeOverAgain(action: string): Promise<void> {
    await this.#transactions.restart(action);
    const { cluster, epochs } = this.#context;
    const found = await readStored(cluster, epochs, action, this.#options);
    const last = this.#known ? this.#stored : undefined;
    const same = found?.queryId === last?.queryId && found?.batchId === last?.batchId &&
      found?.offset === last?.offset;
    if (!same) throw new LogError("FENCED", `${action}: another owner took over`);
  }

  /** Aborts the transaction, so that it does not block readers; returns the error for the caller. */
  async #undo(action: string, error: LogError): Promise<LogError> {
    let reported = error;
    if (!isFencing(error)) {
      try {
        await this.#transactions.begin(action);
      } catch (later) {
        // Otherwise the next owner or the time-out ends it.
        if (!(later instanceof LogError)) throw later;
        if (isFencing(later)) reported = later;
        this.#broken = reported;
      }
    }
    if (isFencing(reported) && await this.#transactions.timedOut(action)) {
      reported = new LogError(
        "UNREACHABLE",
        `${action}: it took so long that Kafka ended the transaction; no other owner has taken over`,
        { cause: reported },
      );
    } else if (isFencing(reported)) {
      reported = new LogError("FENCED", `${action}: another owner took over`, { cause: reported });
    }
    if (reported.code !== "STALE_MEMBERSHIP") this.#broken = reported;
    return reported;
  }

  async #keepAlive(): Promise<void> {
    await this.#turns.run(async () => {
      if (!this.#known || this.#closed || this.#broken !== undefined) return;
      try {
        await this.#write(
          `Cannot refresh the checkpoint of ${this.#place}`,
          [],
          this.#stored,
          false,
        );
      } catch (error) {
        // The next batch reports it.
        if (!(error instanceof LogError)) throw error;
      }
    });
  }

  #throwIfUnusable(action: string): void {
    if (this.#broken?.code === "FENCED") throw this.#broken;
    if (this.#closed) throw new LogError("CLOSED", `${action}: the committer is closed`);
    this.#context.cluster.throwIfClosed(action);
    if (this.#broken !== undefined) throw this.#broken;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#refresh);
    await this.#turns.run(() => {});
    if (this.#broken === undefined) await this.#transactions.settle();
    this.#context.cluster.opened.delete(this);
  }
}

async function createOutputs(
  cluster: Cluster,
  { topic, partition, outputTopics = [] }: CommitterOptions,
): Promise<void> {
  if (outputTopics.length === 0) return;
  const count = await countPartitions(cluster, topic);
  if (count <= partition) throw partitionMissing(topic, partition, count);
  await Promise.all(outputTopics.map((output) => ensureTopic(cluster, output, count)));
}
