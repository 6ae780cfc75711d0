// The driver: owns membership, supervision and what is shown of the streaming queries. Frames are
// for executors alone. Queries come and go while it runs.
import { messageOf } from "../base/errors.ts";
import { given, shown } from "../base/options.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { isRetryable, pause, settled } from "../base/wait.ts";
import type { StopMode } from "../engine/options.ts";
import type { Measurements } from "../engine/reporter.ts";
import type { ExecutorConfig, QuerySpec } from "../executor/protocol.ts";
import { SESSION_TIMEOUT_MS, type TopicLog } from "../log/log.ts";
import { DriverQuery } from "./driver_query.ts";
import { ExecutorPool } from "./executor_pool.ts";
import { DriverFeed } from "./feed.ts";
import { reportIdle } from "./idle.ts";
import { LagMeter } from "./lag.ts";
import { Lane, type LaneParts } from "./lane.ts";
import { StreamingQueryManager } from "./manager.ts";
import { QueryMetrics } from "./metrics.ts";
import type { ExecutorPermissions } from "./permissions.ts";
import { specOf } from "./query_spec.ts";
import type { StreamingQuery } from "./streaming_query.ts";

export interface DriverOptions {
  readonly log: TopicLog;
  /** Whether the manager's `stop` also closes the log. */
  readonly ownsLog?: boolean;
  /** The log's URL including its secrets, for the executors. */
  readonly logUrl: string;
  readonly checkpointDir?: string;
  /** Default topic of queries added through the manager. */
  readonly topic?: string;
  readonly queries?: readonly QuerySpec[];
  /** Workers; 0 runs everything in the main thread. Default: see `executorsFor`. */
  readonly executors?: number;
  /** Permissions of workers, within those of this thread. Default: the same. */
  readonly executorPermissions?: ExecutorPermissions;
  readonly sessionTimeoutMs?: number;
  readonly progressIntervalMs?: number;
  readonly clock?: Clock;
  /** Stops all queries. */
  readonly signal?: AbortSignal;
  readonly report: (message: string) => void;
  /** Every latency sample, seconds. */
  readonly onMeasurements?: (query: StreamingQuery, measurements: Measurements) => void;
}

/** Time that a take-over may need beyond the session timeout, milliseconds. */
const TAKEOVER_MS = 3000;
/** How often the ends of other runtimes are checked, milliseconds. */
const POLL_MS = 250;

export class Driver {
  readonly streams: StreamingQueryManager;
  readonly metrics: QueryMetrics;
  /** The output topic of each query that has one. */
  readonly outputTopics: Record<string, string> = {};
  readonly #options: DriverOptions;
  readonly #clock: Clock;
  readonly #lag: LagMeter;
  #feed: DriverFeed | undefined;
  readonly #pool: ExecutorPool;
  readonly #lanes: LaneParts;
  readonly #stopping = new AbortController();
  readonly #queries = new Map<string, DriverQuery>();
  /** Those that `remove` ended: a replacement that was under way must not start. */
  readonly #removed = new WeakSet<DriverQuery>();
  readonly #assigned = Promise.withResolvers<void>();
  #reportingIdle: Promise<void> | undefined;

  /** @throws {RangeError} if two queries have the same name: they would share a checkpoint */
  constructor(options: DriverOptions) {
    this.#options = options;
    const { log, logUrl, checkpointDir, report, executors: size } = options;
    const clock = this.#clock = options.clock ?? systemClock;
    const place = { ...options, signal: this.#stopping.signal };
    this.streams = new StreamingQueryManager(report, {
      stop: async () => {
        await this.stop();
        if (options.ownsLog) await log.close();
      },
      add: async (...given) => this.add(await specOf(...given, place)),
      replace: async (...given) => this.replace(await specOf(...given, place)),
      remove: (name) => this.#require(name, "remove") && this.remove(name),
    });
    this.#lag = new LagMeter(log, clock);
    this.metrics = new QueryMetrics(this.streams, this.#lag);
    const config: ExecutorConfig = {
      log: logUrl,
      ...(checkpointDir !== undefined ? { checkpointDir } : {}),
      progressIntervalMs: options.progressIntervalMs ?? 1000,
    };
    this.#pool = new ExecutorPool(config, {
      onPicture: (picture) => this.#feed?.show(picture),
      report,
    }, { size, permissions: options.executorPermissions });
    this.#lanes = {
      pool: this.#pool,
      log,
      streams: this.streams,
      metrics: this.metrics,
      clock,
      signal: this.#stopping.signal,
      report,
      ...given({ onMeasurements: options.onMeasurements }),
      lingering: new Map(),
    };
    for (const spec of options.queries ?? []) this.#admit(spec);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** What viewers see of its queries. Executors make pictures from its first use on. */
  get feed(): DriverFeed {
    if (this.#feed !== undefined) return this.#feed;
    this.#pool.executors.watch(new Map());
    return this.#feed = new DriverFeed(
      this.streams,
      this.#clock,
      this.#lag,
      (query) => this.#queries.get(query)?.loaded?.places,
      (lanes) => this.#pool.executors.watch(lanes),
    );
  }

  readonly #onAbort = () =>
    void this.streams.stop().catch((error) => this.#options.report(messageOf(error)));

  /** @throws when a query cannot be loaded. */
  async load(): Promise<void> {
    await Promise.all([...this.#queries.values()].map((query) => this.#load(query)));
  }

  /**
   * Begins its queries, once each is loaded and has its topic.
   *
   * @throws if a query cannot be loaded, or its topic has no partitions and it does not wait for any
   */
  async start(): Promise<void> {
    const queries = [...this.#queries.values()];
    await Promise.all([this.load(), ...queries.map((query) => this.#findPartitions(query))]);
    await this.#begin(queries);
    this.#assigned.resolve();
  }

  /**
   * Starts one more query with its own group, next to the running ones.
   *
   * @returns its streaming queries, once they have taken their partitions over.
   * @throws {RangeError} when a query of its name has not ended.
   * @throws as `start`; the query is not there then.
   */
  async add(spec: QuerySpec): Promise<readonly StreamingQuery[]> {
    const { name } = spec;
    const { begun = false, loaded } = this.#queries.get(name) ?? {};
    // One without an end may get partitions back that have moved to other members.
    const isOver = ({ isActive, moved }: StreamingQuery) =>
      !isActive && (!moved || loaded?.finite === true);
    const ended = begun && this.#handlesOf(name).every(isOver);
    if (ended) await this.remove(name);
    return await this.#run(this.#admit(spec));
  }

  /**
   * Ends the query of this name and begins it by its new definition, on the same checkpoint. One
   * that cannot be loaded changes nothing.
   *
   * @throws {RangeError} if there is no query of this name, or it is removed or replaced meanwhile
   */
  async replace(spec: QuerySpec): Promise<readonly StreamingQuery[]> {
    const { name } = spec;
    const before = this.#require(name, "replace");
    const next = this.#query(spec);
    try {
      await settled(next.load(), this.#stopping.signal);
      if (this.#queries.get(name) === before) await this.#end(name, before);
      if (this.#removed.has(before) || this.#queries.has(name)) {
        throw new RangeError(
          `Cannot replace query ${shown(name)}: it was removed or replaced meanwhile`,
        );
      }
      this.#admit(spec, next);
    } catch (error) {
      await next.end("abort");
      throw error;
    }
    return await this.#run(next);
  }

  /**
   * Finishes and commits the batches of a query, ends it and leaves its group; returns the
   * streaming queries that it had.
   */
  async remove(name: string): Promise<readonly StreamingQuery[]> {
    const query = this.#queries.get(name);
    if (query === undefined) return this.#handlesOf(name);
    this.#removed.add(query);
    return await this.#end(name, query);
  }

  async #end(name: string, query: DriverQuery): Promise<readonly StreamingQuery[]> {
    await query.end("drain");
    const handles = this.#handlesOf(name);
    if (this.#queries.get(name) !== query) return handles;
    this.#queries.delete(name);
    delete this.outputTopics[name];
    for (const handle of handles) {
      this.streams.forget(handle);
      this.#feed?.forget(handle);
    }
    return handles;
  }

  /**
   * Waits until every query has ended by itself or failed permanently; returns whether none failed.
   */
  async awaitTermination(): Promise<boolean> {
    await this.#assigned.promise;
    let deadline: number | undefined;
    for (;;) {
      if (await this.#lanesEnded()) deadline = undefined;
      const failed = this.streams.all.some(({ state }) => state === "failed");
      if (failed || this.#stopping.signal.aborted) return !failed;
      const { sessionTimeoutMs = SESSION_TIMEOUT_MS } = this.#options;
      deadline ??= this.#clock.monotonic() + sessionTimeoutMs + TAKEOVER_MS;
      const isOver = deadline <= this.#clock.monotonic();
      if (isOver || !await this.#othersBehind(deadline)) return true;
      await pause(POLL_MS, this.#stopping.signal, this.#clock);
    }
  }

  /** Waits until no lane is left; returns whether there was one. */
  async #lanesEnded(): Promise<boolean> {
    const left = () => [...this.#queries.values()].flatMap(({ lanes }) => lanes);
    if (left().length === 0) return false;
    while (left().length > 0) await Promise.all(left().map(({ ended }) => ended));
    return true;
  }

  /** @param deadline until when to wait for the other members */
  async #othersBehind(deadline: number): Promise<boolean> {
    const done = (query: string, partition: number) => {
      const lane = this.streams.lane(query, partition);
      return lane?.state === "stopped" && !lane.moved;
    };
    try {
      for (const query of this.#queries.values()) {
        const leftMs = Math.max(0, deadline - this.#clock.monotonic());
        if (await query.othersBehind(done, leftMs)) return true;
      }
      return false;
    } catch (error) {
      // All is committed here: a log that is away for a moment makes it no failure.
      if (!isRetryable(error)) throw error;
      return true;
    }
  }

  /** Ends all queries; `drain` first finishes and commits the running batches. */
  async stop(mode: StopMode = "drain"): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#stopping.abort(new Error("Cannot run a query: the driver is stopping"));
    await Promise.all([...this.#queries.values()].map((query) => query.end(mode)));
    await this.#pool.close();
    this.#assigned.resolve();
  }

  /** Whether all queries end by themselves (`available-now`, `once`). Known after the start. */
  get finite(): boolean {
    return [...this.#queries.values()].every(({ loaded }) => loaded?.finite === true);
  }

  #handlesOf(name: string): readonly StreamingQuery[] {
    return this.streams.all.filter(({ query }) => query === name);
  }

  #require(name: string, what: string): DriverQuery {
    const query = this.#queries.get(name);
    if (query !== undefined) return query;
    const names = [...this.#queries.keys()].join(", ");
    throw new RangeError(
      `Cannot ${what} query ${shown(name)}: expected ${names || "none, since no query runs"}`,
    );
  }

  #query(spec: QuerySpec): DriverQuery {
    const { log, report, sessionTimeoutMs } = this.#options;
    return new DriverQuery(spec, {
      log,
      executors: this.#pool.executors,
      newLane: (lane) => new Lane(lane, this.#lanes),
      metrics: this.metrics,
      clock: this.#clock,
      report,
      sessionTimeoutMs,
    });
  }

  #admit(spec: QuerySpec, query = this.#query(spec)): DriverQuery {
    const name = JSON.stringify(spec.name);
    if (this.#stopping.signal.aborted) {
      throw new Error(`Cannot run query ${name}: the driver is stopping`);
    }
    if (this.#queries.has(spec.name)) {
      throw new RangeError(
        `Cannot run two queries named ${name}: expected different names`,
      );
    }
    this.#queries.set(spec.name, query);
    return query;
  }

  async #load(query: DriverQuery): Promise<void> {
    const { topics: [first] } = await query.load();
    if (first !== undefined) this.outputTopics[query.spec.name] = first;
  }

  async #findPartitions(query: DriverQuery): Promise<void> {
    await query.find();
    this.#prepare();
  }

  #prepare(): void {
    const queries = [...this.#queries.values()];
    const inWorkers = queries.filter(({ spec }) => typeof spec.module === "string");
    this.#pool.executors.prepare(
      new Map(inWorkers.map(({ spec, mostLanes }) => [spec, mostLanes])),
    );
  }

  async #begin(queries: readonly DriverQuery[]): Promise<void> {
    this.#prepare();
    await Promise.all(queries.map((query) => query.begin()));
    // Then their ids are known, or why they have none.
    const handles = queries.flatMap(({ spec }) => this.#handlesOf(spec.name));
    await Promise.all(handles.map((handle) => handle.settled()));
    this.#reportingIdle ??= reportIdle(this.streams, this.#clock, this.#stopping.signal);
  }

  async #run(query: DriverQuery): Promise<readonly StreamingQuery[]> {
    const { name } = query.spec;
    try {
      await Promise.all([this.#load(query), this.#findPartitions(query)]);
      await this.#begin([query]);
      return this.#handlesOf(name);
    } catch (error) {
      if (this.#queries.get(name) === query) await this.remove(name);
      throw error;
    }
  }
}
