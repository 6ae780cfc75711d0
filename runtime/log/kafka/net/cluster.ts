// Leaders of partitions, coordinators of groups and transactions, and requests to them, which are tried again.
import { systemClock } from "../../../base/clock.ts";
import { DeadlineError, settled, withDeadline } from "../../../base/wait.ts";
import { partitionMissing } from "../../checks.ts";
import { LogError } from "../../log.ts";
import { type Api, errorOf } from "../protocol/api.ts";
import { MalformedError, NetworkError, ResponseError, ThrottledError } from "../protocol/errors.ts";
import {
  COORDINATED,
  FIND_COORDINATOR,
  METADATA,
  type Metadata,
  NO_ID,
} from "../protocol/topics.ts";
import type { Broker } from "./address.ts";
import { Brokers } from "./brokers.ts";
import type { Connection, RequestOptions } from "./connection.ts";
import { isRepeatable, outcomeOf, toLogError } from "./failures.ts";

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

/** Delays before requests are tried again. */
const [FIRST_DELAY_MS, MAX_DELAY_MS] = [5, 250];
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

  /**
   * Runs requests until they succeed or fail permanently, for `timeoutMs` at most, and
   * as long again for pauses that a broker asks for by its quotas.
   *
   * @param action the beginning of an error message
   * @param request must have no effect but at the broker, since it may be aborted half-way and run again
   * @param firstDelayMs delay before the second try; doubles up to 250 ms
   * @throws {LogError}
   */
  async attempt<T>(
    action: string,
    request: (signal: AbortSignal) => Promise<T>,
    firstDelayMs = FIRST_DELAY_MS,
  ): Promise<T> {
    const { closing, timeoutMs, where } = this;
    const throwIfOver = () => {
      if (closing.aborted) throw new LogError("CLOSED", `${action}: the log is closed`);
    };
    let deadline = systemClock.monotonic() + timeoutMs;
    let delay = firstDelayMs;
    let dials = 0;
    let pausesMs = 0;
    // The last error says more than that the time is over.
    let problem: unknown;
    for (;;) {
      throwIfOver();
      try {
        const leftMs = deadline - systemClock.monotonic();
        return await withDeadline(action, leftMs, request, { signal: closing });
      } catch (error) {
        throwIfOver();
        if (error instanceof ThrottledError) {
          // Throttling does not count as the broker's time. It may throttle each response, without end.
          if ((pausesMs += error.ms) > timeoutMs) throw toLogError(error, action, where);
          await this.pause(action, error.ms);
          deadline += error.ms;
          continue;
        }
        const late = systemClock.monotonic() + delay >= deadline;
        const reported = error instanceof DeadlineError
          ? problem ?? new NetworkError(`no response within ${timeoutMs} ms`)
          : error;
        if (!isRepeatable(reported) || late) throw toLogError(reported, action, where);
        problem = error;
        const outcome = outcomeOf(error);
        // A lost connection is dialled again at once. If that fails and there is no other broker, the
        // caller waits for it.
        if (outcome === "reconnect" && ++dials > 1 && this.isAlone) {
          throw toLogError(error, action, where);
        }
        if (outcome !== "retry") this.forgetLeaders();
      }
      await systemClock.sleep(delay, closing).catch(throwIfOver);
      delay = Math.min(delay * 2, MAX_DELAY_MS);
    }
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
      // Errors of a topic or partition: the request itself succeeded.
      const known = error instanceof ResponseError &&
        error.errors.every(({ kind }) =>
          kind.outcome === "look-up" || kind.name === "INVALID_TOPIC_EXCEPTION"
        );
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
      const body = { key, keyType: COORDINATED[kind] };
      const { host, port } = await this.any(
        signal,
        (connection, signal) => connection.call(FIND_COORDINATOR, body, { signal }),
      );
      this.#coordinators.set(name, broker = { host, port });
    }
    return await this.connections.get(broker, channel, signal);
  }

  /** Sends a request to the coordinator of a group. */
  async callGroup<Request, Response>(
    group: string,
    api: Api<Request, Response>,
    body: Request,
    options: RequestOptions & { readonly signal: AbortSignal },
    channel = "main",
  ): Promise<Response> {
    const connection = await this.toCoordinator("group", group, channel, options.signal);
    return await connection.call(api, body, options);
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

export function leaderNotAvailable(place: string): ResponseError {
  return new ResponseError([errorOf(LEADER_NOT_AVAILABLE, place)!]);
}
