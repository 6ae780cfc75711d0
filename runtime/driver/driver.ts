/**
 * The driver: owns membership, supervision and what is seen of the streaming queries. It never
 * touches a frame; executors do.
 *
 * @module
 */
import { type Clock, systemClock } from "../clock.ts";
import type { StopMode } from "../engine/execution.ts";
import type { Measurements } from "../engine/reporter.ts";
import type { ExecutorConfig, FromExecutor, PlainError, QuerySpec } from "../executor/protocol.ts";
import { LogError, type Membership, type TopicLog } from "../log/log.ts";
import { parseTrigger } from "../trigger.ts";
import { ExecutorPool } from "./executor_pool.ts";
import { DriverFeed } from "./feed.ts";
import { StreamingQueryManager } from "./manager.ts";
import { QueryMetrics } from "./metrics.ts";
import { PartitionOwner } from "./partition_owner.ts";
import { nextStart, strandedDelay } from "./restart_policy.ts";
import { SharedEnds } from "./shared_ends.ts";
import { StreamingQuery } from "./streaming_query.ts";

/** What to run, and where. */
export interface DriverOptions {
  readonly log: TopicLog;
  /** The log's URL with its secrets, for the executors. */
  readonly logUrl: string;
  readonly checkpointDir?: string;
  readonly topic: string;
  readonly queries: readonly QuerySpec[];
  /** Share the topic's partitions with the group, or take these alone. Default `all`. */
  readonly partitions?: "all" | readonly number[];
  /** Workers; 0 runs everything in the main thread. Default: see `executorsFor`. */
  readonly executors?: number;
  readonly sessionTimeoutMs?: number;
  readonly progressIntervalMs?: number;
  readonly clock?: Clock;
  /** A line for people. */
  readonly report: (message: string) => void;
  /** Every latency sample, seconds, for who needs more than percentiles. */
  readonly onMeasurements?: (query: StreamingQuery, measurements: Measurements) => void;
}

/** How long a query has to finish its batch before it is aborted, milliseconds. */
const DRAIN_MS = 5000;
const TOPIC_POLL_MS = 250;
/** What a take-over may need beyond the session timeout, milliseconds. */
const TAKEOVER_MS = 3000;
/** A query without a batch for so long is idle; it is told again and again. */
const IDLE_MS = 10_000;
interface Lane {
  readonly number: number;
  readonly handle: StreamingQuery;
  readonly spec: QuerySpec;
  readonly partition: number;
  readonly ended: PromiseWithResolvers<void>;
  membership: Membership | undefined;
  /** Kept from run to run: see `ExecutionOptions.shown`. */
  readonly shown: SharedArrayBuffer;
  stopping: boolean;
  failures: number;
  startedAt: number;
}

/** Runs queries on the partitions of a topic. */
export class Driver {
  readonly streams: StreamingQueryManager;
  readonly feed: DriverFeed;
  readonly metrics: QueryMetrics;
  readonly #options: DriverOptions;
  readonly #clock: Clock;
  readonly #pool: ExecutorPool;
  readonly #lanes = new Map<number, Lane>();
  readonly #owners: PartitionOwner[] = [];
  readonly #stopping = new AbortController();
  readonly #finite = new Map<string, boolean>();
  readonly #ends: SharedEnds;
  #plans: Readonly<Record<string, string>> = {};
  #laneNumber = 0;
  #assigned = Promise.withResolvers<void>();
  #laneEnded = Promise.withResolvers<void>();

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#ends = new SharedEnds(options.log, options.topic);
    this.streams = new StreamingQueryManager(options.report);
    this.metrics = new QueryMetrics();
    this.feed = new DriverFeed(this.streams, this.#clock, () => this.#plans);
    const config: ExecutorConfig = {
      log: options.logUrl,
      ...(options.checkpointDir !== undefined ? { checkpointDir: options.checkpointDir } : {}),
      topic: options.topic,
      queries: options.queries,
      progressIntervalMs: options.progressIntervalMs ?? 1000,
    };
    for (const { name, trigger } of options.queries) {
      const { kind } = parseTrigger(trigger ?? "asap");
      this.#finite.set(name, kind === "available-now" || kind === "once");
    }
    this.#pool = new ExecutorPool(config, options.executors, {
      onMessage: (message) => this.#receive(message),
      onStranded: (lanes, why, held) => this.#onStranded(lanes, why, held),
      onBlocked: (lane, blocked) => this.#onBlocked(lane, blocked),
    });
    this.feed.onWatched = (watched) => this.#pool.watched = watched;
  }

  /**
   * Loads the queries and takes the partitions over.
   *
   * @throws when a query cannot be loaded, or the topic has no partition and none is waited for.
   */
  async start(): Promise<void> {
    const opening = this.#pool.open();
    const [plans, partitions] = await Promise.all([opening, this.#partitions()]);
    this.#plans = plans;
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
        onAssigned: (partition, membership) => this.#begin(spec, partition, membership),
        onKept: (partition, membership) => this.#renew(spec, partition, membership),
        onRevoked: (partition) => this.#end(spec, partition, "move"),
        onRebalance: () => this.metrics.rebalances.inc({ query: spec.name }),
      });
      this.#owners.push(owner);
    }
    await Promise.all(this.#owners.map((owner) => owner.start()));
    this.#assigned.resolve();
    void this.#tellIdle();
  }

  /** Tells listeners of queries that have had nothing to do for a while. */
  async #tellIdle(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#clock.sleep(IDLE_MS, this.#stopping.signal).catch(() => {});
      const now = this.#clock.now();
      for (const { id, runId, state, lastCommit } of this.streams.active) {
        if (state !== "running" || now - (lastCommit ?? 0) < IDLE_MS) continue;
        this.streams.tell("onQueryIdle", { id, runId, timestamp: new Date(now).toISOString() });
      }
    }
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
      while (this.#lanes.size > 0) {
        this.#laneEnded = Promise.withResolvers();
        await this.#laneEnded.promise;
        deadline = undefined;
      }
      const failed = this.streams.all.some(({ state }) => state === "failed");
      if (failed || this.#stopping.signal.aborted) return !failed;
      deadline ??= this.#clock.monotonic() + this.#sessionTimeoutMs + TAKEOVER_MS;
      if (this.#clock.monotonic() > deadline || !await this.#othersBehind()) return true;
      await this.#clock.sleep(TOPIC_POLL_MS, this.#stopping.signal).catch(() => {});
    }
  }

  get #sessionTimeoutMs(): number {
    return this.#options.sessionTimeoutMs ?? 10_000;
  }

  #othersBehind(): Promise<boolean> {
    return this.#ends.othersBehind((query, partition) =>
      this.streams.lane(query, partition)?.state === "stopped"
    );
  }

  /** Ends all queries: `drain` finishes and commits the batches that run. */
  async stop(mode: StopMode = "drain"): Promise<void> {
    this.#stopping.abort(new Error("The driver is stopping"));
    await Promise.all([...this.#lanes.values()].map((lane) => this.#endLane(lane, mode)));
    await Promise.all(this.#owners.map((owner) => owner.leave()));
    await this.#pool.close();
    this.#assigned.resolve();
    this.#laneEnded.resolve();
  }

  /** The plan of each query, for people. */
  explain(query: string): string {
    return this.#plans[query] ?? "";
  }

  /** Partitions named by hand must exist; for `all` a missing topic is waited for. */
  async #partitions(): Promise<"all" | readonly number[]> {
    const { log, topic, partitions = "all", queries, report } = this.#options;
    const finite = queries.every(({ name }) => this.#finite.get(name));
    let told = false;
    for (;;) {
      let count = 0;
      let away: LogError | undefined;
      try {
        count = await log.partitionCount(topic);
      } catch (error) {
        if (!(error instanceof LogError) || !error.retryable || finite) throw error;
        away = error;
      }
      const named = queries.flatMap((spec) => spec.partitions ?? []);
      const wanted = Math.max(0, ...named, ...(partitions === "all" ? [] : partitions)) + 1;
      if (count >= wanted) {
        const lanes = queries.reduce(
          (sum, spec) =>
            sum +
            (spec.partitions ?? (partitions === "all" ? { length: count } : partitions)).length,
          0,
        );
        this.#pool.prepare(lanes);
        if (partitions === "all") {
          const sharing = queries.filter((spec) =>
            this.#finite.get(spec.name) && spec.partitions === undefined
          );
          for (const spec of sharing) await this.#ends.note(spec, count);
        }
        return partitions;
      }
      const missing = count === 0
        ? `Topic ${topic} does not exist in ${log.url}`
        : `Topic ${topic} in ${log.url} has ${count} partitions, so there is no partition ${
          wanted - 1
        }`;
      if (finite) {
        throw new LogError(
          count === 0 ? "TOPIC_MISSING" : "PARTITION_MISSING",
          `${missing}: start a camera first, or name another --topic`,
        );
      }
      if (!told) {
        report(
          away === undefined ? `${missing}: waiting for a camera` : `${away.message}: waiting`,
        );
        told = true;
      }
      await this.#clock.sleep(TOPIC_POLL_MS, this.#stopping.signal);
    }
  }

  #begin(spec: QuerySpec, partition: number, membership: Membership | undefined): void {
    const number = ++this.#laneNumber;
    const handle = new StreamingQuery(spec.name, this.#options.topic, partition, {
      stop: () => this.#end(spec, partition, "drain"),
      explain: () => this.explain(spec.name),
      latestOffset: async () =>
        (await this.#options.log.offsets(this.#options.topic, partition)).latest,
    });
    this.streams.add(handle);
    this.#startLane({
      number,
      handle,
      spec,
      partition,
      ended: Promise.withResolvers(),
      membership,
      shown: new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT),
      stopping: false,
      failures: 0,
      startedAt: 0,
    });
  }

  #startLane(lane: Lane): void {
    const runId = crypto.randomUUID();
    this.#lanes.set(lane.number, lane);
    lane.startedAt = this.#clock.monotonic();
    lane.handle.starting(runId);
    this.#pool.start({
      type: "start",
      lane: lane.number,
      query: lane.spec.name,
      partition: lane.partition,
      runId,
      shown: lane.shown,
      ...(lane.membership !== undefined ? { membership: lane.membership } : {}),
    });
  }

  #renew(spec: QuerySpec, partition: number, membership: Membership | undefined): void {
    const lane = this.#find(spec, partition);
    if (lane === undefined || membership === undefined) return;
    lane.membership = membership;
    this.#pool.post({ type: "renew", lane: lane.number, membership });
  }

  async #end(spec: QuerySpec, partition: number, mode: StopMode): Promise<void> {
    const lane = this.#find(spec, partition);
    if (lane !== undefined) await this.#endLane(lane, mode);
  }

  #find(spec: QuerySpec, partition: number): Lane | undefined {
    for (const lane of this.#lanes.values()) {
      if (lane.spec.name === spec.name && lane.partition === partition) return lane;
    }
  }

  async #endLane(lane: Lane, mode: StopMode): Promise<void> {
    lane.stopping = true;
    if (lane.handle.state === "restarting" || !this.#pool.responsive(lane.number)) {
      // Nobody to wait for; should it come back, it is fenced.
      this.#pool.post({ type: "stop", lane: lane.number, mode: "abort" });
      return this.#laneGone(lane);
    }
    this.#pool.post({ type: "stop", lane: lane.number, mode });
    const timer = setTimeout(() => {
      this.#pool.post({ type: "stop", lane: lane.number, mode: "abort" });
      this.#laneGone(lane);
    }, DRAIN_MS);
    await lane.ended.promise;
    clearTimeout(timer);
  }

  #receive(message: FromExecutor): void {
    if (!("lane" in message)) return;
    const lane = this.#lanes.get(message.lane);
    if (lane === undefined) return;
    const { handle } = lane;
    switch (message.type) {
      case "started":
        handle.started(message.id);
        this.streams.tell("onQueryStarted", {
          id: message.id,
          runId: handle.runId,
          name: handle.name,
          timestamp: new Date(this.#clock.now()).toISOString(),
        });
        return;
      case "progress":
        handle.progressed(message.progress, this.#clock.now());
        this.metrics.observe(handle, message.measurements);
        this.#options.onMeasurements?.(handle, message.measurements);
        this.streams.tell("onQueryProgress", { progress: message.progress });
        return;
      case "picture":
        this.feed.show(handle, message);
        return;
      case "report":
        this.#options.report(`${lane.spec.name} ${handle.name}: ${message.message}`);
        return;
      case "stopped":
        handle.runEnded(message.totals);
        this.#pool.ended(lane.number);
        if (message.error === undefined || lane.stopping) this.#laneGone(lane);
        else this.#onFailure(lane, message.error);
    }
  }

  #laneGone(lane: Lane): void {
    if (!this.#lanes.delete(lane.number)) return;
    const { handle } = lane;
    this.#pool.ended(lane.number);
    if (handle.isActive) handle.stopped();
    this.streams.tell("onQueryTerminated", {
      id: handle.id,
      runId: handle.runId,
      ...(handle.exception !== undefined ? { exception: handle.exception.message } : {}),
    }, handle);
    lane.ended.resolve();
    this.#laneEnded.resolve();
  }

  /** A streaming query failed: it starts again after a while, or ends for good. */
  #onFailure(lane: Lane, error: PlainError): void {
    const { handle, spec } = lane;
    const next = nextStart({
      error,
      failures: lane.failures,
      ranMs: this.#clock.monotonic() - lane.startedAt,
      finite: this.#finite.get(spec.name) === true,
      member: lane.membership !== undefined,
    });
    if (next === undefined) {
      handle.failed(error, undefined);
      this.#options.report(`${spec.name} ${handle.name} failed: ${error.message}`);
      return this.#laneGone(lane);
    }
    const { delayMs } = next;
    lane.failures = next.failures;
    handle.failed(error, delayMs);
    this.metrics.restarts.inc(this.metrics.labels(handle));
    this.#options.report(
      `${spec.name} ${handle.name} failed: ${error.message}; starting it again in ${delayMs} ms`,
    );
    void this.#restart(lane, delayMs);
  }

  async #restart(lane: Lane, delay: number): Promise<void> {
    this.#lanes.delete(lane.number);
    const next: Lane = { ...lane, number: ++this.#laneNumber };
    this.#lanes.set(next.number, next);
    if (delay > 0) {
      try {
        await this.#clock.sleep(delay, this.#stopping.signal);
      } catch {
        // The driver stops: it ends the lane itself.
        return;
      }
    }
    if (!next.stopping && this.#lanes.has(next.number)) this.#startLane(next);
  }

  #onStranded(lanes: readonly number[], why: string, held: boolean): void {
    for (const number of lanes) {
      const lane = this.#lanes.get(number);
      if (lane === undefined) continue;
      if (lane.stopping) {
        this.#laneGone(lane);
        continue;
      }
      this.#options.report(`${lane.spec.name} ${lane.handle.name} moves: ${why}`);
      lane.handle.moving();
      this.metrics.restarts.inc(this.metrics.labels(lane.handle));
      // An executor that cannot even start must not be started again in a tight loop.
      const delay = held ? 0 : strandedDelay(lane.failures++);
      void this.#restart(lane, delay);
    }
  }

  #onBlocked(number: number, blocked: boolean): void {
    const lane = this.#lanes.get(number);
    if (lane === undefined) return;
    const name = `${lane.spec.name} ${lane.handle.name}`;
    lane.handle.said(blocked ? "Blocks its thread" : "Processing frames");
    this.#options.report(
      blocked ? `${name} blocks its thread; other queries move` : `${name} goes on`,
    );
  }
}
