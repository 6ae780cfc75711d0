// Reads any number of partitions, each from its leader, and follows leaders that move.
import { systemClock } from "../../../base/clock.ts";
import { pause } from "../../../base/wait.ts";
import { checkBuffers, checkWhole, outOfRange, partitionMissing } from "../../checks.ts";
import {
  LogError,
  type LogReader,
  type PartitionReader,
  type ReaderOptions,
  type ReadProblem,
} from "../../log.ts";
import { type Broker, brokerName } from "../net/address.ts";
import type { Cluster } from "../net/cluster.ts";
import { toLogError } from "../net/failures.ts";
import { errorOf } from "../protocol/api.ts";
import {
  type BrokerFailure,
  errorNames,
  MalformedError,
  ResponseError,
} from "../protocol/errors.ts";
import { NO_ID } from "../protocol/topics.ts";
import type { FrameLimit } from "../records/decoder.ts";
import type { Epochs } from "./epochs.ts";
import type { FetchedPartition } from "./fetch.ts";
import { Fetcher } from "./fetcher.ts";
import { BufferedPartition } from "./partition_reader.ts";
import { offsetRange } from "./topics.ts";

const MISSING: ReadonlySet<string> = new Set(["TOPIC_MISSING", "PARTITION_MISSING"]);
const FIRST_DELAY_MS = 20;
const MAX_DELAY_MS = 1_000;
/** A topic is deleted if it is missing for this long: brokers learn about new topics with a delay. */
const GONE_AFTER_MS = 1_000;
/** How long only leaders are read after a nearer replica failed. */
const LEADERS_MS = 60_000;
/** Consecutive errors after which a partition is waiting for the log. */
const WAITING_AFTER = 3;
let readers = 0;

export class KafkaReader implements LogReader {
  readonly #cluster: Cluster;
  readonly #epochs: Epochs;
  readonly #bounds: FrameLimit;
  /** Prefix of this reader's channels. */
  readonly #name = `fetch-${++readers}-`;
  readonly #fetchers = new Map<string, Fetcher>();
  readonly #partitions = new Map<BufferedPartition, Fetcher | undefined>();
  readonly #ended = new AbortController();
  #leadersUntil = -Infinity;

  constructor(
    cluster: Cluster,
    epochs: Epochs,
    options: ReaderOptions,
  ) {
    const { maxBufferedFrames = 256, maxBufferedBytes = 16 * 1024 * 1024 } = options;
    checkBuffers({ maxBufferedFrames, maxBufferedBytes });
    this.#cluster = cluster;
    this.#epochs = epochs;
    this.#bounds = { frames: maxBufferedFrames, bytes: maxBufferedBytes };
    cluster.opened.add(this);
  }

  async open(
    topic: string,
    partition: number,
    offset: number,
    onProblem?: (problem?: ReadProblem) => void,
  ): Promise<PartitionReader> {
    const action = `Cannot read ${topic} partition ${partition}`;
    this.#throwIfClosed(action);
    checkWhole(`${action} from offset ${offset}`, offset, 0);
    const leader = await this.#cluster.attempt(
      action,
      (signal) => this.#cluster.leader(topic, partition, signal),
    );
    this.#throwIfClosed(action);
    const opened = new BufferedPartition(this, this.#bounds, {
      topic,
      partition,
      offset,
      leader,
      epochs: this.#epochs,
      onProblem,
    });
    this.#attach(opened);
    return opened;
  }

  #throwIfClosed(action: string): void {
    if (this.#ended.signal.aborted) {
      throw new LogError("CLOSED", `${action}: the reader is closed`);
    }
  }

  changed(one: BufferedPartition): void {
    const fetcher = this.#partitions.get(one);
    if (fetcher !== undefined) fetcher.wake();
    else if (this.#partitions.has(one) && !one.searching) this.#lookUp(one);
  }

  closed(one: BufferedPartition): void {
    this.#partitions.get(one)?.delete(one);
    this.#partitions.delete(one);
  }

  async close(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    await Promise.all([...this.#partitions.keys()].map((one) => one.close()));
    await this.#cluster.connections.drop(this.#name);
    this.#cluster.opened.delete(this);
  }

  #attach(one: BufferedPartition): void {
    const { broker, brokerId } = this.#source(one);
    const key = `${brokerId} ${brokerName(broker)}`;
    let fetcher = this.#fetchers.get(key);
    if (fetcher === undefined) {
      fetcher = new Fetcher({
        connect: (channel) => this.#cluster.connections.get(broker, `${this.#name}${channel}`),
        closing: this.#cluster.closing,
        rack: () => systemClock.monotonic() < this.#leadersUntil ? undefined : this.#cluster.rack,
        fetched: (readers, fetched) => this.#fetched(readers, fetched, broker),
        failed: (readers, error) => this.#failed(readers, error),
      });
      this.#fetchers.set(key, fetcher);
    }
    this.#partitions.set(one, fetcher);
    fetcher.add(one);
  }

  /** The nearer replica, or the leader. */
  #source({ leader, replica }: BufferedPartition): { brokerId: number; broker: Broker } {
    const broker = replica === undefined ? undefined : this.#cluster.broker(replica);
    return broker === undefined ? leader : { brokerId: replica!, broker };
  }

  #detach(one: BufferedPartition): void {
    this.#partitions.get(one)?.delete(one);
    this.#partitions.set(one, undefined);
  }

  #fetched(
    partitions: readonly BufferedPartition[],
    fetched: FetchedPartition | undefined,
    broker: Broker,
  ): void {
    const fail = (error: BrokerFailure, failed = partitions) => {
      error.broker = brokerName(broker);
      this.#failed(failed, error);
    };
    const [first] = partitions as [BufferedPartition];
    const { key, replica } = first;
    if (fetched === undefined) return fail(new MalformedError(`Fetch says nothing about ${key}`));
    const error = errorOf(fetched.errorCode, key);
    const range = fetched.diverged || error?.kind.outcome === "look-up-offsets";
    if (range && replica === undefined) {
      for (const one of partitions) this.#lookUp(one, fetched.diverged ? "diverged" : "range");
    } else if (range || error !== undefined) {
      fail(new ResponseError(error === undefined ? [] : [error]));
    } else if (fetched.preferredReplica >= 0 && fetched.preferredReplica !== replica) {
      const near = fetched.preferredReplica;
      if (replica === undefined && this.#cluster.broker(near) !== undefined) {
        for (const one of partitions) this.#move(one, near);
      } else {
        fail(new MalformedError(`Fetch redirects to broker ${near}`));
      }
    } else {
      for (const one of partitions) {
        // Queries share no memory, since an operator may change its frames.
        const own = one === first ? fetched : { ...fetched, batches: fetched.batches.slice() };
        const problem = one.fill(own);
        if (problem === undefined) one.status = "reading";
        else fail(new MalformedError(`Fetch has ${problem}`), [one]);
      }
    }
  }

  #move(one: BufferedPartition, replica: number): void {
    this.#detach(one);
    one.replica = replica;
    this.#attach(one);
  }

  /** Ends the partition after a fatal error, otherwise looks up its leader. */
  #failed(partitions: readonly BufferedPartition[], error: unknown): void {
    for (const one of partitions) {
      const action = `Cannot read ${one.topic} partition ${one.partition}`;
      const reported = toLogError(error, action, this.#cluster.where);
      if (one.replica !== undefined) {
        one.replica = undefined;
        this.#leadersUntil = systemClock.monotonic() + LEADERS_MS;
      } else if (!reported.retryable && reported.code !== "TOPIC_MISSING") {
        one.fail(reported);
        continue;
      }
      if (++one.failures >= WAITING_AFTER) {
        one.status = "waiting-for-log";
        one.reportProblem(problemOf(reported));
      }
      if (this.#partitions.get(one) !== undefined) this.#lookUp(one);
    }
  }

  /**
   * Reads on from the partition's leader, once there is one. Fails if the topic is gone, or another one has its
   * name.
   *
   * @param doubt why the next offset may not exist: then fails with those that do
   */
  async #lookUp(one: BufferedPartition, doubt?: "range" | "diverged"): Promise<void> {
    const { version, topic, partition } = one;
    this.#detach(one);
    if (doubt !== undefined) one.failures++;
    let missingSince: number | undefined;
    await this.#persist(one, async (signal) => {
      const metadata = await this.#cluster.topic(topic, signal, true);
      if (metadata?.leaders[partition] === undefined) {
        missingSince ??= systemClock.monotonic();
        const gone = partitionMissing(topic, partition, metadata?.leaders.length ?? 0);
        if (systemClock.monotonic() - missingSince < GONE_AFTER_MS) throw gone;
        one.fail(gone);
        return;
      }
      missingSince = undefined;
      const leader = await this.#cluster.leader(topic, partition, signal);
      // Brokers that are upgraded name no id before, and perhaps not all of them at once.
      const recreated = leader.topicId !== one.topicId &&
        ![leader.topicId, one.topicId].includes(NO_ID);
      const why = recreated
        ? "the topic was deleted and created again"
        : doubt === "diverged"
        ? "its log was truncated and written again"
        : undefined;
      if (why !== undefined) this.#epochs.forget(topic, partition);
      if (why !== undefined || doubt !== undefined) {
        const range = await offsetRange(this.#cluster, topic, partition);
        const { offset } = one;
        // The offset may exist by now, or the reader may have been moved: within the same topic, that is.
        const exists = why === undefined && offset >= range.earliest && offset <= range.latest;
        if (!exists && (recreated || one.version === version)) {
          one.latest = range.latest;
          one.fail(outOfRange(one.key, offset, range, why));
        }
      }
      one.leader = leader;
      this.#attach(one);
    });
  }

  /** Retries until it succeeds, fails permanently, or the partition is closed. */
  async #persist(
    one: BufferedPartition,
    step: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    one.searching = true;
    // After a first failure the leader has probably moved, so it is looked up at once.
    let delay = one.failures > 1 ? backoff(one.failures) : 0;
    while (one.searching && await pause(delay, this.#ended.signal) && !one.isClosed) {
      try {
        await step(this.#cluster.closing);
        one.searching = false;
      } catch (error) {
        if (this.#cluster.closing.aborted) return;
        const action = `Cannot read ${one.topic} partition ${one.partition}`;
        const reported = toLogError(error, action, this.#cluster.where);
        one.status = "waiting-for-log";
        one.reportProblem(problemOf(reported));
        delay = backoff(++one.failures);
        if (!reported.retryable && !MISSING.has(reported.code)) {
          one.searching = false;
          one.fail(reported);
        }
      }
    }
  }
}

function problemOf(error: LogError): ReadProblem {
  return { reason: errorNames(error)[0] ?? error.code, message: error.message };
}

function backoff(failures: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures, 10), MAX_DELAY_MS);
}
