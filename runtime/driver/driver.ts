// The driver: owns group membership, supervision and the view of the streaming queries. Only executors touch
// frames. Queries can be added and removed while it runs.
import { type Clock, systemClock } from "../base/clock.ts";
import type { StopMode } from "../engine/stop.ts";
import type { Measurements } from "../engine/reporter.ts";
import type { ExecutorConfig, QuerySpec } from "../executor/protocol.ts";
import { SESSION_TIMEOUT_MS, type TopicLog } from "../log/log.ts";
import { DriverQuery } from "./driver_query.ts";
import { ExecutorPool } from "./executor_pool.ts";
import { DriverFeed } from "./feed.ts";
import { notifyIdle } from "./idle.ts";
import { LagMeter } from "./lag.ts";
import { LaneSupervisor } from "./lane_supervisor.ts";
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
  /** The queries that `start` runs. */
  readonly queries?: readonly QuerySpec[];
  /** Workers; 0 runs everything in the main thread. Default: see `executorsFor`. */
  readonly executors?: number;
  /** Permissions of workers, at most this thread's. Default: the same. */
  readonly executorPermissions?: ExecutorPermissions;
  readonly sessionTimeoutMs?: number;
  readonly progressIntervalMs?: number;
  readonly clock?: Clock;
  readonly report: (message: string) => void;
  /** Receives every latency sample, in seconds. */
  readonly onMeasurements?: (query: StreamingQuery, measurements: Measurements) => void;
}

/** Time that a take-over may need beyond the session timeout, milliseconds. */
const TAKEOVER_MS = 3000;
/** How often to check whether other members have reached their ends, milliseconds. */
const POLL_MS = 250;

export class Driver {
  readonly streams: StreamingQueryManager;
  readonly feed: DriverFeed;
  readonly metrics: QueryMetrics;
  /** The output topic of each query that has one; kept current as queries come and go. */
  readonly outputTopics: Record<string, string> = {};
  readonly #options: DriverOptions;
  readonly #clock: Clock;
  readonly #pool: ExecutorPool;
  readonly #lanes: LaneSupervisor;
  readonly #stopping = new AbortController();
  readonly #queries = new Map<string, DriverQuery>();
  readonly #assigned = Promise.withResolvers<void>();
  #notifyingIdle: Promise<void> | undefined;

  /** @throws {RangeError} if two queries have the same name: they would share a checkpoint */
  constructor(options: DriverOptions) {
    this.#options = options;
    const { log, logUrl, checkpointDir, report, executors: size } = options;
    const clock = this.#clock = options.clock ?? systemClock;
    this.streams = new StreamingQueryManager(report, {
      stop: async () => {
        await this.stop();
        if (options.ownsLog) await log.close();
      },
      add: async (...given) => this.add(await specOf(...given, options)),
      replace: async (...given) => this.replace(await specOf(...given, options)),
      remove: (name) => this.#require(name, "remove") && this.remove(name),
    });
    const lag = new LagMeter(log, clock);
    this.metrics = new QueryMetrics(this.streams, lag);
    this.feed = new DriverFeed(
      this.streams,
      clock,
      lag,
      (query) => this.#queries.get(query)?.loaded?.places,
      (lanes) => this.#pool.watch(lanes),
    );
    const config: ExecutorConfig = {
      log: logUrl,
      ...(checkpointDir !== undefined ? { checkpointDir } : {}),
      progressIntervalMs: options.progressIntervalMs ?? 1000,
    };
    this.#pool = new ExecutorPool(config, {
      onMessage: (message) => this.#lanes.onMessage(message),
      onPicture: (picture) => this.feed.show(picture),
      onStranded: (lanes, why, by) => this.#lanes.onStranded(lanes, why, by),
      onBlocked: (lane, by) => this.#lanes.onBlocked(lane, by),
      onYields: (lane) => this.#lanes.onYields(lane),
      onEnded: (...ended) => this.#lanes.onEnded(...ended),
      mayMove: (lane) => this.#lanes.mayMove(lane),
      runs: (lane) => this.#lanes.runs(lane),
    }, { size, permissions: options.executorPermissions });
    this.#lanes = new LaneSupervisor({
      pool: this.#pool,
      log,
      streams: this.streams,
      metrics: this.metrics,
      clock,
      signal: this.#stopping.signal,
      loaded: (query) => this.#queries.get(query)?.loaded,
      report,
      ...(options.onMeasurements !== undefined ? { onMeasurements: options.onMeasurements } : {}),
    });
    for (const spec of options.queries ?? []) this.#admit(spec);
  }

  /**
   * Loads the given queries.
   *
   * @throws if one cannot be loaded
   */
  async load(): Promise<void> {
    await Promise.all([...this.#queries.values()].map((query) => this.#load(query)));
  }

  /**
   * Starts the given queries once each is loaded and has its topic.
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
   * Adds a query. Running queries are not affected: executors load it beside them, and it has its own group.
   *
   * @returns its streaming queries, once they have taken over their partitions
   * @throws {RangeError} if a query of this name still runs
   * @throws like `start`, in which case the query is not added
   */
  async add(spec: QuerySpec): Promise<readonly StreamingQuery[]> {
    const before = this.#handlesOf(spec.name);
    const ended = before.length > 0 && before.every(({ isActive }) => !isActive);
    if (ended) await this.remove(spec.name);
    return await this.#run(this.#admit(spec));
  }

  /**
   * Ends the query of this name and starts its new definition on the same checkpoint. A definition that
   * cannot be loaded changes nothing.
   *
   * @throws {RangeError} if there is no query of this name
   */
  async replace(spec: QuerySpec): Promise<readonly StreamingQuery[]> {
    this.#require(spec.name, "replace");
    const next = this.#query(spec);
    try {
      await next.load();
      await this.remove(spec.name);
      this.#admit(spec, next);
    } catch (error) {
      await next.end("abort");
      throw error;
    }
    return await this.#run(next);
  }

  /**
   * Commits the running batches of a query, ends it and leaves its group.
   *
   * @returns the query's streaming queries
   */
  async remove(name: string): Promise<readonly StreamingQuery[]> {
    const query = this.#queries.get(name);
    await query?.end("drain");
    const handles = this.#handlesOf(name);
    if (query === undefined || this.#queries.get(name) !== query) return handles;
    this.#queries.delete(name);
    delete this.outputTopics[name];
    for (const handle of handles) {
      this.streams.forget(handle);
      this.feed.forget(handle);
    }
    return handles;
  }

  /**
   * Waits until every query has ended by itself (`available-now`, `once`) or failed for good.
   *
   * @returns true if none failed
   */
  async awaitTermination(): Promise<boolean> {
    await this.#assigned.promise;
    let deadline: number | undefined;
    for (;;) {
      if (await this.#lanes.allEnded()) deadline = undefined;
      const failed = this.streams.all.some(({ state }) => state === "failed");
      if (failed || this.#stopping.signal.aborted) return !failed;
      const { sessionTimeoutMs = SESSION_TIMEOUT_MS } = this.#options;
      deadline ??= this.#clock.monotonic() + sessionTimeoutMs + TAKEOVER_MS;
      if (this.#clock.monotonic() > deadline || !await this.#othersBehind()) return true;
      await this.#clock.sleep(POLL_MS, this.#stopping.signal).catch(() => {});
    }
  }

  async #othersBehind(): Promise<boolean> {
    const done = (query: string, partition: number) => {
      const lane = this.streams.lane(query, partition);
      return lane?.state === "stopped" && !lane.moved;
    };
    for (const query of this.#queries.values()) if (await query.othersBehind(done)) return true;
    return false;
  }

  /** Ends all queries; `drain` first finishes and commits the running batches. */
  async stop(mode: StopMode = "drain"): Promise<void> {
    this.#stopping.abort(new Error("The driver is stopping"));
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
      `Cannot ${what} query ${JSON.stringify(name)}: expected ${
        names || "none, since no query runs"
      }`,
    );
  }

  #query(spec: QuerySpec): DriverQuery {
    const { log, report, sessionTimeoutMs } = this.#options;
    return new DriverQuery(spec, {
      log,
      pool: this.#pool,
      lanes: this.#lanes,
      metrics: this.metrics,
      clock: this.#clock,
      report,
      sessionTimeoutMs,
    });
  }

  /** Registers a query under its name. */
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
    const inWorkers = [...this.#queries.values()].filter(({ spec }) =>
      typeof spec.module === "string"
    );
    this.#pool.prepare(new Map(inWorkers.map(({ spec, lanes }) => [spec, lanes])));
  }

  async #begin(queries: readonly DriverQuery[]): Promise<void> {
    this.#prepare();
    await Promise.all(queries.map((query) => query.begin()));
    // By then their ids are known, or their failures.
    const handles = queries.flatMap(({ spec }) => this.#handlesOf(spec.name));
    await Promise.all(handles.map((handle) => handle.settled()));
    this.#notifyingIdle ??= notifyIdle(this.streams, this.#clock, this.#stopping.signal);
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
