// Leaders of partitions, coordinators of groups and transactions, and requests to them.
import { systemClock } from "../../../base/clock.ts";
import { settled } from "../../../base/wait.ts";
import { partitionMissing } from "../../checks.ts";
import { LogError } from "../../log.ts";
import { type Api, errorOf } from "../protocol/api.ts";
import { MalformedError, ResponseError } from "../protocol/errors.ts";
import {
  COORDINATED,
  FIND_COORDINATOR,
  METADATA,
  type Metadata,
  NO_ID,
} from "../protocol/topics.ts";
import type { Broker } from "./address.ts";
import { Brokers } from "./brokers.ts";
import { attempt } from "./attempt.ts";
import type { Connection } from "./connection.ts";

interface TopicMetadata {
  /** Changes when a topic is deleted and created again. */
  readonly id: string;
  /** By partition; `leaderId` −1 while there is no leader. */
  readonly leaders: readonly { readonly leaderId: number; readonly leaderEpoch: number }[];
}

/** The leader of a partition. */
export interface Leader {
  readonly broker: Broker;
  readonly brokerId: number;
  readonly epoch: number;
  readonly topicId: string;
}

const LEADER_NOT_AVAILABLE = 5;
const METADATA_MAX_AGE_MS = 60_000;

export class Cluster extends Brokers {
  /** Producers, readers, group members and committers, which end with the log. */
  readonly opened = new Set<{ close(): Promise<void> }>();
  #ending: Promise<void> | undefined;
  #controllerId = -1;
  readonly #topics = new Map<string, { topic: TopicMetadata; at: number }>();
  readonly #requested = new Map<string, Promise<TopicMetadata | undefined>>();
  readonly #coordinators = new Map<string, Broker>();
  readonly #closing = new AbortController();
  readonly #pausing = new AbortController();

  /** Aborts when the log is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** How long a broker may wait for its replicas: less than the request's time-out. */
  get replicationTimeoutMs(): number {
    return Math.ceil(0.8 * this.connections.requestTimeoutMs);
  }

  /** See `attempt`. */
  attempt<T>(
    action: string,
    request: (signal: AbortSignal) => Promise<T>,
    firstDelayMs?: number,
  ): Promise<T> {
    return attempt(this, action, request, firstDelayMs);
  }

  /**
   * Waits as long as a quota asks for, unless the log has been closing for `timeoutMs`.
   *
   * @throws {LogError} `CLOSED`
   */
  async pause(action: string, ms: number): Promise<void> {
    try {
      await systemClock.sleep(ms, this.#pausing.signal);
    } catch {
      throw new LogError("CLOSED", `${action}: the log is closed`);
    }
  }

  /** @throws {LogError} `CLOSED` */
  throwIfClosed(action: string): void {
    if (this.#ending !== undefined) throw new LogError("CLOSED", `${action}: the log is closed`);
  }

  /** Leaders and coordinators are looked up again at the next request. */
  forgetLeaders(): void {
    this.#coordinators.clear();
    for (const entry of this.#topics.values()) entry.at = -Infinity;
  }

  async brokers(signal: AbortSignal): Promise<Broker[]> {
    await this.#metadata([], AbortSignal.any([signal, this.closing]));
    return this.members;
  }

  /** A connection to the controller, which creates topics. */
  async controller(signal: AbortSignal): Promise<Connection> {
    await this.brokers(signal);
    const controller = this.broker(this.#controllerId);
    if (controller === undefined) return await this.any(signal, (one) => Promise.resolve(one));
    return await this.connections.get(controller, "main", signal);
  }

  async topicNames(signal: AbortSignal): Promise<string[]> {
    const response = await this.#metadata(null, signal);
    return response.topics.map(({ name }) => name);
  }

  /**
   * @param fresh requests metadata even if the topic is known
   * @returns undefined if the topic does not exist
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
    let requested = this.#requested.get(name);
    if (requested === undefined) {
      // Shared by several callers, so it has a deadline of its own.
      const end = AbortSignal.any([this.closing, AbortSignal.timeout(this.timeoutMs)]);
      requested = this.#requestTopic(name, end).finally(() => this.#requested.delete(name));
      this.#requested.set(name, requested);
    }
    return await settled(requested, signal);
  }

  async #requestTopic(name: string, signal: AbortSignal): Promise<TopicMetadata | undefined> {
    const topic = (await this.#metadata([name], signal)).topics.find((one) => one.name === name);
    if (topic === undefined || topic.errorCode !== 0) {
      this.#topics.delete(name);
      return undefined;
    }
    const leaders = topic.partitions.toSorted((a, b) => a.partition - b.partition);
    if (leaders.some(({ partition }, index) => partition !== index)) {
      throw new MalformedError(`Metadata lacks or repeats partitions of ${name}`);
    }
    const known = { id: topic.topicId, leaders };
    this.#topics.set(name, { topic: known, at: performance.now() });
    return known;
  }

  async #metadata(topics: string[] | null, signal: AbortSignal): Promise<Metadata> {
    const body = {
      topics: topics?.map((name) => ({ topicId: NO_ID, name })) ?? null,
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    };
    let response: Metadata;
    try {
      response = await this.any(signal, (to, signal) => to.call(METADATA, body, { signal }));
    } catch (error) {
      const known = error instanceof ResponseError &&
        error.errors.every(({ kind }) => TOPIC_STATES.has(kind.name));
      if (!known) throw error;
      response = error.response as Metadata;
    }
    this.update(response.brokers);
    this.#controllerId = response.controllerId;
    return response;
  }

  /** @throws {LogError} `TOPIC_MISSING`, `PARTITION_MISSING` */
  async leader(
    topic: string,
    partition: number,
    signal: AbortSignal,
    fresh = false,
  ): Promise<Leader> {
    const cached = !fresh && this.#topics.has(topic);
    const metadata = await this.topic(topic, signal, fresh);
    if (metadata === undefined || metadata.leaders[partition] === undefined) {
      // It may have been created since.
      if (cached) return await this.leader(topic, partition, signal, true);
      throw partitionMissing(topic, partition, metadata?.leaders.length ?? 0);
    }
    const { leaderId, leaderEpoch } = metadata.leaders[partition];
    const broker = this.broker(leaderId);
    if (broker === undefined) throw leaderNotAvailable(`${topic}/${partition}`);
    return { broker, brokerId: leaderId, epoch: leaderEpoch, topicId: metadata.id };
  }

  async toLeader(
    topic: string,
    partition: number,
    channel: string,
    signal: AbortSignal,
  ): Promise<Connection> {
    const { broker } = await this.leader(topic, partition, signal);
    return await this.connections.get(broker, channel, signal);
  }

  /** A connection to the coordinator of a group or transactional id. */
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
    return await this.connections.get(broker, channel, signal);
  }

  /** Sends a request to the coordinator of a group. */
  async callGroup<Request, Response>(
    group: string,
    api: Api<Request, Response>,
    body: Request,
    signal: AbortSignal,
    channel = "main",
  ): Promise<Response> {
    const connection = await this.toCoordinator("group", group, channel, signal);
    return await connection.call(api, body, { signal });
  }

  /** The coordinator of a group or transactional id, from a fresh request. */
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
    // First members leave their groups, and transactions end. Each request has a time-out of its own, but a
    // broker may throttle each: after `timeoutMs` in all, what would pause fails instead.
    const late = setTimeout(() => this.#pausing.abort(), this.timeoutMs);
    try {
      await Promise.all([...this.opened].map((one) => one.close()));
    } finally {
      clearTimeout(late);
      this.#pausing.abort();
      this.#closing.abort(new LogError("CLOSED", "Cannot use Kafka: the log is closed"));
      await this.connections.close();
    }
  }
}

/** Errors that describe a topic or partition: the request itself succeeded. */
const TOPIC_STATES = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_TOPIC_ID",
  "LEADER_NOT_AVAILABLE",
  "INVALID_TOPIC_EXCEPTION",
  "REPLICA_NOT_AVAILABLE",
  "LISTENER_NOT_FOUND",
]);

export function leaderNotAvailable(place: string): ResponseError {
  return new ResponseError([errorOf(LEADER_NOT_AVAILABLE, place)!]);
}
