/**
 * The driver: owns membership, supervision and what is seen of the streaming queries. It never
 * touches a frame; executors do.
 *
 * @module
 */
import { type Clock, systemClock } from "../base/clock.ts";
import type { StopMode } from "../engine/execution.ts";
import type { Measurements } from "../engine/reporter.ts";
import type { ExecutorPermissions } from "../executor/narrow.ts";
import type { ExecutorConfig, LoadedQueries, QuerySpec } from "../executor/protocol.ts";
import type { TopicLog } from "../log/log.ts";
import { linkStarter } from "./executor_link.ts";
import { ExecutorPool } from "./executor_pool.ts";
import { DriverFeed } from "./feed.ts";
import { tellIdle } from "./idle.ts";
import { LagMeter } from "./lag.ts";
import { LaneSupervisor } from "./lane_supervisor.ts";
import { StreamingQueryManager } from "./manager.ts";
import { QueryMetrics } from "./metrics.ts";
import { PartitionOwner } from "./partition_owner.ts";
import { PartitionsFound } from "./partitions_found.ts";
import { SharedEnds } from "./shared_ends.ts";
import type { StreamingQuery } from "./streaming_query.ts";
import { waitForPartitions } from "./topic_wait.ts";

/** What to run, and where. */
export interface DriverOptions {
  readonly log: TopicLog;
  /** Whether the manager's `stop` closes the log too. */
  readonly ownsLog?: boolean;
  /** The log's URL with its secrets, for the executors. */
  readonly logUrl: string;
  readonly checkpointDir?: string;
  readonly topic: string;
  readonly queries: readonly QuerySpec[];
  /** Share the topic's partitions with the group, or take these alone. Default `all`. */
  readonly partitions?: "all" | readonly number[];
  /** Workers; 0 runs everything in the main thread. Default: see `executorsFor`. */
  readonly executors?: number;
  /** What workers may do, which cannot be more than this thread may. Default: the same. */
  readonly executorPermissions?: ExecutorPermissions;
  readonly sessionTimeoutMs?: number;
  readonly progressIntervalMs?: number;
  readonly clock?: Clock;
  /** Where it is measured; drivers of one process may share it. Its own unless given. */
  readonly metrics?: QueryMetrics;
  /** A line for people. */
  readonly report: (message: string) => void;
  /** Every latency sample, seconds, for who needs more than percentiles. */
  readonly onMeasurements?: (query: StreamingQuery, measurements: Measurements) => void;
}

/** What a take-over may need beyond the session timeout, milliseconds. */
const TAKEOVER_MS = 3000;
/** How often it is asked whether others are at their ends, milliseconds. */
const POLL_MS = 250;

/** Runs queries on the partitions of a topic. */
export class Driver {
  readonly streams: StreamingQueryManager;
  readonly feed: DriverFeed;
  readonly metrics: QueryMetrics;
  readonly #options: DriverOptions;
  readonly #clock: Clock;
  readonly #pool: ExecutorPool;
  readonly #lanes: LaneSupervisor;
  readonly #owners: PartitionOwner[] = [];
  readonly #stopping = new AbortController();
  readonly #ends: SharedEnds;
  readonly #unfollow: () => void;
  #queries: LoadedQueries = {};
  #loading: Promise<LoadedQueries> | undefined;
  #assigned = Promise.withResolvers<void>();

  /** @throws {RangeError} when two queries have the same name: their checkpoints would be one. */
  constructor(options: DriverOptions) {
    checkNames(options.queries);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#ends = new SharedEnds(options.log, options.topic);
    this.streams = new StreamingQueryManager(options.report, async () => {
      await this.stop();
      if (options.ownsLog) await options.log.close();
    });
    this.metrics = options.metrics ?? new QueryMetrics();
    const lag = new LagMeter(options.log, this.#clock);
    this.#unfollow = this.metrics.follow({ streams: this.streams, lag });
    this.feed = new DriverFeed(
      this.streams,
      this.#clock,
      lag,
      (query) => this.explain(query),
      (watched) => this.#pool.watch(watched),
    );
    const config: ExecutorConfig = {
      log: options.logUrl,
      ...(options.checkpointDir !== undefined ? { checkpointDir: options.checkpointDir } : {}),
      topic: options.topic,
      queries: options.queries,
      progressIntervalMs: options.progressIntervalMs ?? 1000,
    };
    this.#pool = new ExecutorPool(config, options.executors, {
      onMessage: (message) => this.#lanes.onMessage(message),
      onPicture: (picture) => this.feed.show(picture),
      onStranded: (lanes, why, by) => this.#lanes.onStranded(lanes, why, by),
      onBlocked: (lane, by) => this.#lanes.onBlocked(lane, by),
      onYields: (lane) => this.#lanes.onYields(lane),
      onEnded: (lane, why, turn) => this.#lanes.onEnded(lane, why, turn),
      mayMove: (lane) => this.#lanes.mayMove(lane),
    }, linkStarter(options.executors, options.executorPermissions));
    this.#lanes = new LaneSupervisor({
      pool: this.#pool,
      log: options.log,
      topic: options.topic,
      streams: this.streams,
      metrics: this.metrics,
      clock: this.#clock,
      signal: this.#stopping.signal,
      loaded: (query) => this.#queries[query],
      report: options.report,
      ...(options.onMeasurements !== undefined ? { onMeasurements: options.onMeasurements } : {}),
    });
  }

  /**
   * Loads the queries.
   *
   * @returns the topic that each query's outputs go to, where it has one.
   * @throws when a query cannot be loaded.
   */
  async load(): Promise<Record<string, string>> {
    this.#queries = await (this.#loading ??= this.#pool.open());
    return Object.fromEntries(
      Object.entries(this.#queries).flatMap(([query, { topics: [first] }]) =>
        first === undefined ? [] : [[query, first]]
      ),
    );
  }

  /**
   * Loads the queries and takes the partitions over.
   *
   * @throws when a query cannot be loaded, or the topic has no partition and none is waited for.
   */
  async start(): Promise<void> {
    const opening = this.load().then(() => {});
    const [partitions] = await Promise.all([this.#partitions(opening), opening]);
    const found = await PartitionsFound.before(this.#options, this.#stopping.signal);
    for (const spec of this.#options.queries) {
      const owner = new PartitionOwner({
        log: this.#options.log,
        topic: this.#options.topic,
        group: spec.group,
        partitions: spec.partitions ?? partitions,
        ...(this.#options.sessionTimeoutMs !== undefined
          ? { sessionTimeoutMs: this.#options.sessionTimeoutMs }
          : {}),
        signal: this.#stopping.signal,
        clock: this.#clock,
        report: this.#options.report,
        onAssigned: (partition, membership) =>
          this.#lanes.begin(spec, partition, membership, found.later(spec, partition)),
        onKept: (partition, membership) => this.#lanes.renew(spec, partition, membership),
        onRevoked: (partition) => this.#lanes.end(spec, partition, "move"),
        onRebalance: () => this.metrics.rebalances.inc({ query: spec.name }),
      });
      this.#owners.push(owner);
    }
    await Promise.all(this.#owners.map((owner) => owner.start()));
    // Their ids are known then, or why they have none.
    await this.#lanes.allBegun();
    this.#assigned.resolve();
    void tellIdle(this.streams, this.#clock, this.#stopping.signal);
  }

  /**
   * Waits until every query has ended by itself (`available-now`, `once`) or failed for good.
   *
   * @returns true when none failed.
   */
  async awaitTermination(): Promise<boolean> {
    await this.#assigned.promise;
    let deadline: number | undefined;
    for (;;) {
      if (await this.#lanes.allEnded()) deadline = undefined;
      const failed = this.streams.all.some(({ state }) => state === "failed");
      if (failed || this.#stopping.signal.aborted) return !failed;
      deadline ??= this.#clock.monotonic() + this.#sessionTimeoutMs + TAKEOVER_MS;
      if (this.#clock.monotonic() > deadline || !await this.#othersBehind()) return true;
      await this.#clock.sleep(POLL_MS, this.#stopping.signal).catch(() => {});
    }
  }

  get #sessionTimeoutMs(): number {
    return this.#options.sessionTimeoutMs ?? 10_000;
  }

  #othersBehind(): Promise<boolean> {
    return this.#ends.othersBehind((query, partition) => {
      const lane = this.streams.lane(query, partition);
      return lane?.state === "stopped" && !lane.moved;
    });
  }

  /** Ends all queries: `drain` finishes and commits the batches that run. */
  async stop(mode: StopMode = "drain"): Promise<void> {
    this.#stopping.abort(new Error("The driver is stopping"));
    await this.#lanes.endAll(mode);
    await Promise.all(this.#owners.map((owner) => owner.leave()));
    await this.#pool.close();
    this.#unfollow();
    this.#assigned.resolve();
  }

  /** The plan of each query, for people. */
  explain(query: string): string {
    return this.#queries[query]?.plan ?? "";
  }

  /** Whether all queries end by themselves (`available-now`, `once`). Known once it has started. */
  get finite(): boolean {
    return this.#options.queries.every(({ name }) => this.#isFinite(name));
  }

  #isFinite(query: string): boolean {
    return this.#queries[query]?.finite === true;
  }

  /**
   * Partitions named by hand must exist; for `all` a missing topic is waited for. Once they are
   * known executors load, and the ends of what is shared are noted.
   *
   * @param opening when the queries are loaded.
   */
  async #partitions(opening: Promise<void>): Promise<"all" | readonly number[]> {
    const { log, topic, partitions = "all", queries, report } = this.#options;
    const named = queries.flatMap((spec) => spec.partitions ?? []);
    const count = await waitForPartitions({
      log,
      topic,
      partitions: Math.max(0, ...named, ...(partitions === "all" ? [] : partitions)) + 1,
      patient: () => opening.then(() => !this.finite),
      report,
      clock: this.#clock,
      signal: this.#stopping.signal,
    });
    const here = partitions === "all" ? count : partitions.length;
    this.#pool.prepare(
      queries.reduce((sum, spec) => sum + (spec.partitions?.length ?? here), 0),
    );
    if (partitions === "all") {
      await opening;
      const sharing = queries.filter((spec) =>
        this.#isFinite(spec.name) && spec.partitions === undefined
      );
      for (const spec of sharing) await this.#ends.note(spec, count);
    }
    return partitions;
  }
}

function checkNames(queries: readonly QuerySpec[]): void {
  const names = new Set<string>();
  for (const { name } of queries) {
    if (names.has(name)) {
      throw new RangeError(
        `Cannot run two queries named ${JSON.stringify(name)}: expected a name of its own for each`,
      );
    }
    names.add(name);
  }
}
