/**
 * The cluster as a client sees it: which broker leads a partition, which one coordinates a group or
 * a transaction, and requests that follow when that changes.
 *
 * @module
 */
import { systemClock } from "../../base/clock.ts";
import { LogError } from "../log.ts";
import { type Broker, brokerName, type KafkaAddress } from "./address.ts";
import type { Connection } from "./connection.ts";
import { Connections } from "./connections.ts";
import { Epochs } from "./epochs.ts";
import { protocolErrors, remedyOf, toLogError } from "./failures.ts";
import { GroupCommits } from "./group_commits.ts";
import { findCoordinator, type Metadata, metadata } from "./requests/cluster.ts";

/** A topic as the cluster's metadata has it. */
export interface TopicMetadata {
  readonly name: string;
  /** A topic that is deleted and made again has another one. */
  readonly id: string;
  /** Leaders by partition number; −1 while there is none. */
  readonly leaders: readonly { readonly broker: number; readonly epoch: number }[];
}

/** The broker that leads a partition. */
export interface Leader {
  readonly broker: Broker;
  readonly brokerId: number;
  readonly epoch: number;
  readonly topicId: string;
}

/** How long knowledge about topics is used before it is asked for again. */
const METADATA_MAX_AGE_MS = 60_000;
const FIRST_DELAY_MS = 5;
const MAX_DELAY_MS = 250;

/** One cluster, one set of connections. */
export class Cluster {
  readonly connections: Connections;
  readonly epochs = new Epochs();
  readonly groupCommits = new GroupCommits(this);
  readonly timeoutMs: number;
  readonly #address: KafkaAddress;
  #brokers = new Map<number, Broker>();
  readonly #topics = new Map<string, { topic: TopicMetadata; at: number }>();
  readonly #asking = new Map<string, Promise<TopicMetadata | undefined>>();
  readonly #coordinators = new Map<string, Broker>();
  readonly #closing = new AbortController();

  constructor(address: KafkaAddress, timeoutMs: number) {
    this.#address = address;
    this.timeoutMs = timeoutMs;
    this.connections = new Connections(address, timeoutMs);
  }

  /** Aborts when the log is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** The brokers that are asked first, for people. */
  get where(): string {
    return this.#address.brokers.map(brokerName).join(", ");
  }

  /**
   * Runs requests until they succeed, asking again where that helps, for `timeoutMs` at most.
   *
   * @param action what is being tried, as the beginning of a sentence of an error.
   * @throws {LogError}
   */
  async attempt<T>(
    action: string,
    request: () => Promise<T>,
    options: { signal?: AbortSignal; timeoutMs?: number; firstDelayMs?: number } = {},
  ): Promise<T> {
    const { timeoutMs = this.timeoutMs, firstDelayMs = FIRST_DELAY_MS } = options;
    const signal = options.signal === undefined
      ? this.closing
      : AbortSignal.any([this.closing, options.signal]);
    const deadline = systemClock.monotonic() + timeoutMs;
    let delay = firstDelayMs;
    let dials = 0;
    for (;;) {
      this.throwIfClosed(action);
      try {
        return await this.#before(deadline, action, request());
      } catch (error) {
        this.throwIfClosed(action);
        const remedy = remedyOf(error);
        const late = systemClock.monotonic() + delay >= deadline;
        if (remedy === "none" || late) throw toLogError(error, action, this.where);
        // A lost connection is dialled once more at once. After that a lone broker is away, which is
        // for the caller to wait for; of several another one takes over.
        if (remedy === "dial" && ++dials > 1 && this.#brokers.size < 2) {
          throw toLogError(error, action, this.where);
        }
        if (remedy !== "wait") this.forgetPlaces();
      }
      await systemClock.sleep(delay, signal);
      delay = Math.min(delay * 2, MAX_DELAY_MS);
    }
  }

  /** @throws {LogError} `CLOSED` */
  throwIfClosed(action: string, closed = this.closing.aborted): void {
    if (closed) throw new LogError("CLOSED", `${action}: the log is closed`);
  }

  async #before<T>(deadline: number, action: string, promise: Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new LogError(
              "UNREACHABLE",
              `${action}: Kafka at ${this.where} did not answer within ${this.timeoutMs} ms`,
            ),
          ),
        deadline - systemClock.monotonic(),
      );
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks again for leaders and coordinators when they are needed next. */
  forgetPlaces(): void {
    this.#coordinators.clear();
    for (const entry of this.#topics.values()) entry.at = -Infinity;
  }

  /** A connection to some broker that can be reached. */
  async any(lane = "main"): Promise<Connection> {
    const brokers = [...this.#brokers.values(), ...this.#address.brokers];
    const tried = new Set<string>();
    let problem: unknown;
    for (const broker of brokers) {
      const name = brokerName(broker);
      if (tried.has(name)) continue;
      tried.add(name);
      try {
        return await this.connections.get(broker, lane);
      } catch (error) {
        problem ??= error;
        if (remedyOf(error) !== "dial") break;
      }
    }
    throw problem;
  }

  /** All brokers, asked of the cluster now. */
  async brokers(): Promise<Broker[]> {
    await this.#metadata([]);
    return [...this.#brokers.values()];
  }

  /** The names of all topics. */
  async topicNames(): Promise<string[]> {
    const response = await this.#metadata(null);
    return response.topics.map(({ name }) => name);
  }

  /**
   * A topic; undefined when there is none.
   *
   * @param fresh asks the cluster even if the answer is known.
   */
  async topic(name: string, fresh = false): Promise<TopicMetadata | undefined> {
    const known = this.#topics.get(name);
    if (!fresh && known !== undefined && Date.now() - known.at < METADATA_MAX_AGE_MS) {
      return known.topic;
    }
    let asking = this.#asking.get(name);
    if (asking === undefined) {
      asking = this.#askTopic(name).finally(() => this.#asking.delete(name));
      this.#asking.set(name, asking);
    }
    return await asking;
  }

  async #askTopic(name: string): Promise<TopicMetadata | undefined> {
    const { topics: [topic] } = await this.#metadata([name]);
    if (topic === undefined || topic.errorCode !== 0) {
      this.#topics.delete(name);
      return undefined;
    }
    const leaders: { broker: number; epoch: number }[] = [];
    for (const { partition, leader, leaderEpoch } of topic.partitions) {
      leaders[partition] = { broker: leader, epoch: leaderEpoch };
    }
    const known = { name, id: topic.id, leaders };
    this.#topics.set(name, { topic: known, at: Date.now() });
    return known;
  }

  async #metadata(topics: string[] | null): Promise<Metadata> {
    const connection = await this.any();
    let response: Metadata;
    try {
      response = await metadata(connection, topics);
    } catch (error) {
      // A topic without leader or that is missing is an answer, not a failure.
      const answer = (error as { response?: Metadata }).response;
      const names = protocolErrors(error);
      if (answer === undefined || !names.every((name) => ANSWERS.has(name))) throw error;
      response = answer;
    }
    this.#brokers = new Map(
      response.brokers.map(({ id, host, port }) => [id, { host, port }]),
    );
    return response;
  }

  /**
   * The leader of a partition.
   *
   * @throws {LogError} `TOPIC_MISSING`, `PARTITION_MISSING`
   */
  async leader(topic: string, partition: number, fresh = false): Promise<Leader> {
    const cached = !fresh && this.#topics.has(topic);
    const metadata = await this.topic(topic, fresh);
    if (metadata === undefined || metadata.leaders[partition] === undefined) {
      // It may have been made a moment ago.
      if (cached) return await this.leader(topic, partition, true);
      throw missing(topic, partition, metadata);
    }
    const { broker: brokerId, epoch } = metadata.leaders[partition];
    const broker = this.#brokers.get(brokerId);
    if (broker === undefined) throw new Leaderless(topic, partition);
    return { broker, brokerId, epoch, topicId: metadata.id };
  }

  /** The coordinator of a group or of a transactional id. */
  async coordinator(kind: "group" | "transaction", key: string): Promise<Broker> {
    const name = `${kind} ${key}`;
    const known = this.#coordinators.get(name);
    if (known !== undefined) return known;
    const broker = await findCoordinator(await this.any(), kind, key);
    this.#coordinators.set(name, broker);
    return broker;
  }

  async close(): Promise<void> {
    this.#closing.abort(new LogError("CLOSED", "Cannot use Kafka: the log is closed"));
    await this.connections.close();
  }
}

/** Errors of single topics and partitions, to be looked at one by one. */
const ANSWERS = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_TOPIC_ID",
  "LEADER_NOT_AVAILABLE",
  "INVALID_TOPIC_EXCEPTION",
  "REPLICA_NOT_AVAILABLE",
  "LISTENER_NOT_FOUND",
]);

/** No broker leads a partition right now: to be asked again. */
class Leaderless extends Error {
  /** As the client's own errors name it. */
  readonly apiId = "LEADER_NOT_AVAILABLE";

  constructor(topic: string, partition: number) {
    super(`No broker leads ${topic} partition ${partition}`);
  }
}

/** The error for a topic or partition that is not there. */
export function missing(
  topic: string,
  partition: number,
  metadata: TopicMetadata | undefined,
): LogError {
  return metadata === undefined
    ? new LogError("TOPIC_MISSING", `Cannot find topic ${JSON.stringify(topic)} on Kafka`)
    : new LogError(
      "PARTITION_MISSING",
      `Cannot find partition ${partition} of topic ${
        JSON.stringify(topic)
      }: it has ${metadata.leaders.length}`,
    );
}
