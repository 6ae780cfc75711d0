// The cluster as a client sees it: which broker leads a partition, which one coordinates a group or
// a transaction, and requests that follow when that changes.
import { settled } from "../../../base/wait.ts";
import { LogError } from "../../log.ts";
import { errorOf } from "../protocol/api.ts";
import { NetworkError, ResponseError } from "../protocol/errors.ts";
import {
  COORDINATED,
  FIND_COORDINATOR,
  METADATA,
  type Metadata,
  NO_ID,
} from "../protocol/topics.ts";
import { type Broker, brokerName, type KafkaAddress } from "./address.ts";
import { Brokers } from "./brokers.ts";
import { attempt } from "./attempt.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";

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

const LEADER_NOT_AVAILABLE = 5;
/** How long knowledge about topics is used before it is asked for again. */
const METADATA_MAX_AGE_MS = 60_000;

/** One cluster, one set of connections. */
export class Cluster {
  readonly timeoutMs: number;
  /** What ends with the log: producers, readers, members of groups, committers. */
  readonly opened = new Set<{ close(): Promise<void> }>();
  #ending: Promise<void> | undefined;
  readonly #address: KafkaAddress;
  readonly #brokers: Brokers;
  #controllerId = -1;
  readonly #topics = new Map<string, { topic: TopicMetadata; at: number }>();
  readonly #asking = new Map<string, Promise<TopicMetadata | undefined>>();
  readonly #coordinators = new Map<string, Broker>();
  readonly #closing = new AbortController();

  constructor(address: KafkaAddress, timeoutMs: number) {
    this.#address = address;
    this.timeoutMs = timeoutMs;
    this.#brokers = new Brokers(
      address,
      timeoutMs,
      (signal) => this.#metadata([], AbortSignal.any([signal, this.closing])),
    );
  }

  get connections(): Connections {
    return this.#brokers.connections;
  }

  /** Aborts when the log is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** The brokers of the log's URL, for people. */
  get where(): string {
    return this.#address.brokers.map(brokerName).join(", ");
  }

  /** Where this client is. */
  get rack(): string | undefined {
    return this.#address.rack;
  }

  /** How long a broker waits for its replicas: it answers before it counts as silent. */
  get replicationTimeoutMs(): number {
    return Math.ceil(0.8 * this.connections.patienceMs);
  }

  /** Runs requests until they succeed: see `attempt`. */
  attempt<T>(
    action: string,
    request: (signal: AbortSignal) => Promise<T>,
    firstDelayMs?: number,
  ): Promise<T> {
    return attempt(this, action, request, firstDelayMs);
  }

  /** There is no other broker to turn to. */
  get isAlone(): boolean {
    return this.#brokers.members.size < 2;
  }

  /** @throws {LogError} `CLOSED` */
  throwIfClosed(action: string): void {
    if (this.#ending !== undefined) throw new LogError("CLOSED", `${action}: the log is closed`);
  }

  /** Asks again for leaders and coordinators when they are needed next. */
  forgetPlaces(): void {
    this.#coordinators.clear();
    for (const entry of this.#topics.values()) entry.at = -Infinity;
  }

  /** Makes a request of any broker that answers: see `Brokers.any`. */
  any<T>(
    signal: AbortSignal,
    request: (connection: Connection, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return this.#brokers.any(signal, request);
  }

  /** All brokers, asked of the cluster now. */
  async brokers(signal: AbortSignal): Promise<Broker[]> {
    await this.#metadata([], signal);
    return [...this.#brokers.members.values()];
  }

  /** The broker of an id; undefined when it is not known. */
  broker(id: number): Broker | undefined {
    return this.#brokers.members.get(id);
  }

  /** A connection to the broker that makes topics. */
  async controller(signal: AbortSignal): Promise<Connection> {
    await this.#metadata([], signal);
    const controller = this.#brokers.members.get(this.#controllerId);
    if (controller === undefined) return await this.any(signal, (one) => Promise.resolve(one));
    return await settled(this.connections.get(controller, "main"), signal);
  }

  /** The names of all topics. */
  async topicNames(signal: AbortSignal): Promise<string[]> {
    const response = await this.#metadata(null, signal);
    return response.topics.map(({ name }) => name);
  }

  /**
   * A topic; undefined when there is none.
   *
   * @param fresh asks the cluster even if the topic is known.
   */
  async topic(
    name: string,
    signal: AbortSignal,
    fresh = false,
  ): Promise<TopicMetadata | undefined> {
    const known = this.#topics.get(name);
    if (!fresh && known !== undefined && performance.now() - known.at < METADATA_MAX_AGE_MS) {
      return known.topic;
    }
    let asking = this.#asking.get(name);
    if (asking === undefined) {
      // Several may wait for it: it ends with the log and by its own deadline, not with one of them.
      const end = AbortSignal.any([this.closing, AbortSignal.timeout(this.timeoutMs)]);
      asking = this.#askTopic(name, end).finally(() => this.#asking.delete(name));
      this.#asking.set(name, asking);
    }
    return await settled(asking, signal);
  }

  async #askTopic(name: string, signal: AbortSignal): Promise<TopicMetadata | undefined> {
    const topic = (await this.#metadata([name], signal)).topics.find((one) => one.name === name);
    if (topic === undefined || topic.errorCode !== 0) {
      this.#topics.delete(name);
      return undefined;
    }
    const partitions = topic.partitions.toSorted((a, b) => a.partition - b.partition);
    if (partitions.some(({ partition }, index) => partition !== index)) {
      throw new NetworkError(`its answer to Metadata leaves out partitions of ${name}`);
    }
    const leaders = partitions.map(({ leaderId, leaderEpoch }) => ({
      broker: leaderId,
      epoch: leaderEpoch,
    }));
    const known = { name, id: topic.topicId, leaders };
    this.#topics.set(name, { topic: known, at: performance.now() });
    return known;
  }

  async #metadata(topics: string[] | null, signal: AbortSignal): Promise<Metadata> {
    const ask = (connection: Connection, signal: AbortSignal) =>
      connection.call(METADATA, {
        topics: topics?.map((name) => ({ topicId: NO_ID, name })) ?? null,
        allowAutoTopicCreation: false,
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: false,
      }, { signal });
    let response: Metadata;
    try {
      response = await this.any(signal, ask);
    } catch (error) {
      // A topic that is missing, or without leader, is a fact and no failure.
      const known = error instanceof ResponseError &&
        error.errors.every(({ kind }) => FACTS.has(kind.name));
      if (!known) throw error;
      response = error.response as Metadata;
    }
    this.#brokers.update(response.brokers);
    this.#controllerId = response.controllerId;
    return response;
  }

  /**
   * The leader of a partition.
   *
   * @throws {LogError} `TOPIC_MISSING`, `PARTITION_MISSING`
   */
  async leader(
    topic: string,
    partition: number,
    signal: AbortSignal,
    fresh = false,
  ): Promise<Leader> {
    const cached = !fresh && this.#topics.has(topic);
    const metadata = await this.topic(topic, signal, fresh);
    if (metadata === undefined || metadata.leaders[partition] === undefined) {
      // It may have been made a moment ago.
      if (cached) return await this.leader(topic, partition, signal, true);
      throw missing(topic, partition, metadata);
    }
    const { broker: brokerId, epoch } = metadata.leaders[partition];
    const broker = this.#brokers.members.get(brokerId);
    if (broker === undefined) throw leaderless(topic, partition);
    return { broker, brokerId, epoch, topicId: metadata.id };
  }

  /** A connection to the leader of a partition. */
  async toLeader(
    topic: string,
    partition: number,
    channel: string,
    signal: AbortSignal,
  ): Promise<Connection> {
    const { broker } = await this.leader(topic, partition, signal);
    return await settled(this.connections.get(broker, channel), signal);
  }

  /** A connection to the coordinator of a group or of a transactional id. */
  async toCoordinator(
    kind: keyof typeof COORDINATED,
    key: string,
    channel: string,
    signal: AbortSignal,
  ): Promise<Connection> {
    const name = `${kind} ${key}`;
    let broker = this.#coordinators.get(name);
    if (broker === undefined) {
      broker = await this.findCoordinator(kind, key, signal);
      this.#coordinators.set(name, broker);
    }
    return await settled(this.connections.get(broker, channel), signal);
  }

  /** The coordinator of a group or of a transactional id, asked of the cluster now. */
  async findCoordinator(
    kind: keyof typeof COORDINATED,
    key: string,
    signal: AbortSignal,
  ): Promise<Broker> {
    const body = { key, keyType: COORDINATED[kind] };
    const { host, port } = await this.any(
      signal,
      (connection, signal) => connection.call(FIND_COORDINATOR, body, { signal }),
    );
    return { host, port };
  }

  close(): Promise<void> {
    return this.#ending ??= this.#close();
  }

  async #close(): Promise<void> {
    // Members leave their groups and transactions end while there still are connections.
    await Promise.all([...this.opened].map((one) => one.close()));
    this.#closing.abort(new LogError("CLOSED", "Cannot use Kafka: the log is closed"));
    await this.connections.close();
  }
}

/** Errors of single topics and partitions, to be looked at one by one. */
const FACTS = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_TOPIC_ID",
  "LEADER_NOT_AVAILABLE",
  "INVALID_TOPIC_EXCEPTION",
  "REPLICA_NOT_AVAILABLE",
  "LISTENER_NOT_FOUND",
]);

/** No broker leads a partition right now: to be asked again. */
function leaderless(topic: string, partition: number): ResponseError {
  const error = errorOf(METADATA, LEADER_NOT_AVAILABLE, `${topic}/${partition}`)!;
  return new ResponseError(METADATA.name, [error], undefined);
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
