/**
 * The life of streaming queries: how they begin, end, start again after a failure, and move when
 * their executor dies or is held by another.
 *
 * @module
 */
import type { Clock } from "../base/clock.ts";
import type { StopMode } from "../engine/execution.ts";
import type { Measurements } from "../engine/reporter.ts";
import { type FromExecutor, type PlainError, type QuerySpec, SHOWN } from "../executor/protocol.ts";
import type { Membership, TopicLog } from "../log/log.ts";
import type { ExecutorPool, PoolEvents } from "./executor_pool.ts";
import type { DriverFeed } from "./feed.ts";
import type { StreamingQueryManager } from "./manager.ts";
import type { QueryMetrics } from "./metrics.ts";
import { nextStart, strandedDelay } from "./restart_policy.ts";
import { StreamingQuery } from "./streaming_query.ts";

/** How long a query has to finish its batch before it is aborted, milliseconds. */
const DRAIN_MS = 5000;

/** What the supervisor works with, and whom it tells. */
export interface LaneSupervisorOptions {
  readonly pool: Pick<ExecutorPool, "start" | "post" | "ended" | "responsive">;
  readonly log: Pick<TopicLog, "offsets">;
  readonly topic: string;
  readonly streams: StreamingQueryManager;
  readonly feed: Pick<DriverFeed, "show">;
  readonly metrics: QueryMetrics;
  readonly clock: Clock;
  /** Ends the waits before a next start. */
  readonly signal: AbortSignal;
  /** Whether a query ends by itself. */
  readonly finite: (query: string) => boolean;
  readonly explain: (query: string) => string;
  readonly report: (message: string) => void;
  readonly onMeasurements?: (query: StreamingQuery, measurements: Measurements) => void;
}

/** One query on one partition, while it is here. */
interface Lane {
  /** Another one for each start: what an earlier run still says is not taken for this one's. */
  readonly number: number;
  readonly handle: StreamingQuery;
  readonly spec: QuerySpec;
  readonly partition: number;
  readonly ended: PromiseWithResolvers<void>;
  membership: Membership | undefined;
  /** The partition came into being while the query ran. */
  readonly foundLater: boolean;
  /** Kept from run to run: see `SHOWN`. */
  readonly shown: SharedArrayBuffer;
  stopping: boolean;
  /** Since it last recovered. */
  failures: number;
  /** By the monotonic clock, milliseconds. */
  startedAt: number;
}

/** No run has this number. */
const NOBODY = 0;

/** Supervises the lanes of a driver. */
export class LaneSupervisor implements PoolEvents {
  readonly #options: LaneSupervisorOptions;
  readonly #pool: LaneSupervisorOptions["pool"];
  readonly #lanes = new Map<number, Lane>();
  #laneNumber = 0;
  #laneEnded = Promise.withResolvers<void>();

  constructor(options: LaneSupervisorOptions) {
    this.#options = options;
    this.#pool = options.pool;
  }

  /** A partition came: its query starts. */
  begin(
    spec: QuerySpec,
    partition: number,
    membership: Membership | undefined,
    foundLater = false,
  ): void {
    const number = ++this.#laneNumber;
    const shown = new SharedArrayBuffer(SHOWN.bytes);
    const handle = new StreamingQuery(spec.name, this.#options.topic, partition, {
      stop: () => this.end(spec, partition, "drain"),
      explain: () => this.#options.explain(spec.name),
      latestOffset: async () =>
        (await this.#options.log.offsets(this.#options.topic, partition)).latest,
      isTriggerActive: () => Atomics.load(new BigInt64Array(shown), SHOWN.active) === 1n,
    });
    this.#forget(spec, partition);
    this.#options.streams.add(handle);
    this.#startLane({
      number,
      handle,
      spec,
      partition,
      ended: Promise.withResolvers(),
      membership,
      foundLater,
      shown,
      stopping: false,
      failures: 0,
      startedAt: 0,
    });
  }

  /** The group went on to another generation and left the partition here. */
  renew(spec: QuerySpec, partition: number, membership: Membership | undefined): void {
    const lane = this.#find(spec, partition);
    if (lane === undefined || membership === undefined) return;
    lane.membership = membership;
    this.#pool.post({ type: "renew", lane: lane.number, membership });
  }

  /** Ends one query: `drain` finishes and commits the batch that runs, `move` gives it away. */
  async end(spec: QuerySpec, partition: number, mode: StopMode): Promise<void> {
    const lane = this.#find(spec, partition);
    if (lane !== undefined) {
      if (mode === "move") lane.handle.moved = true;
      await this.#endLane(lane, mode);
    }
    if (mode === "move") this.#forget(spec, partition);
  }

  /** Waits until each query has begun, or has failed. */
  async allBegun(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map(({ handle }) => handle.settled()));
  }

  /** Ends all queries. */
  async endAll(mode: StopMode): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => this.#endLane(lane, mode)));
  }

  /**
   * Waits until no query is left.
   *
   * @returns whether there was one.
   */
  async allEnded(): Promise<boolean> {
    if (this.#lanes.size === 0) return false;
    while (this.#lanes.size > 0) await this.#laneEnded.promise;
    return true;
  }

  onMessage(message: FromExecutor): void {
    if (!("lane" in message)) return;
    const lane = this.#lanes.get(message.lane);
    if (lane === undefined) return;
    const { handle } = lane;
    switch (message.type) {
      case "started":
        handle.started(message.id, message.next);
        this.#options.streams.tell("onQueryStarted", {
          id: message.id,
          runId: handle.runId,
          name: handle.name,
          timestamp: new Date(this.#options.clock.now()).toISOString(),
        });
        return;
      case "progress":
        handle.progressed(message.progress, this.#options.clock.now());
        this.#options.metrics.observe(handle, message.measurements);
        this.#options.onMeasurements?.(handle, message.measurements);
        this.#options.streams.tell("onQueryProgress", { progress: message.progress });
        return;
      case "picture":
        this.#options.feed.show(handle, message);
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

  onStranded(lanes: readonly number[], why: string, held: boolean): void {
    for (const number of lanes) {
      const lane = this.#lanes.get(number);
      if (lane === undefined) continue;
      if (lane.stopping) {
        this.#laneGone(lane);
        continue;
      }
      this.#options.report(`${lane.spec.name} ${lane.handle.name} moves: ${why}`);
      lane.handle.moving();
      this.#options.metrics.restarts.inc(this.#options.metrics.labels(lane.handle));
      // An executor that cannot even start must not be started again in a tight loop.
      const delay = held ? 0 : strandedDelay(lane.failures++);
      void this.#restart(lane, delay);
    }
  }

  onBlocked(number: number, blocked: boolean): void {
    const lane = this.#lanes.get(number);
    if (lane === undefined) return;
    const name = `${lane.spec.name} ${lane.handle.name}`;
    lane.handle.said(blocked ? "Blocks its thread" : undefined);
    this.#options.report(
      blocked ? `${name} blocks its thread; other queries move` : `${name} goes on`,
    );
  }

  #startLane(lane: Lane): void {
    const runId = crypto.randomUUID();
    this.#lanes.set(lane.number, lane);
    lane.startedAt = this.#options.clock.monotonic();
    lane.handle.starting(runId);
    letCommit(lane, lane.number);
    this.#pool.start({
      type: "start",
      lane: lane.number,
      query: lane.spec.name,
      partition: lane.partition,
      runId,
      shown: lane.shown,
      foundLater: lane.foundLater,
      ...(lane.membership !== undefined ? { membership: lane.membership } : {}),
    });
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

  #laneGone(lane: Lane): void {
    if (!this.#lanes.delete(lane.number)) return;
    letCommit(lane, NOBODY);
    const { handle } = lane;
    this.#pool.ended(lane.number);
    if (handle.isActive) handle.stopped();
    this.#options.streams.tell("onQueryTerminated", {
      id: handle.id,
      runId: handle.runId,
      // One that it has recovered from did not end it.
      ...(handle.state === "failed" ? { exception: handle.exception!.message } : {}),
    }, handle);
    lane.ended.resolve();
    this.#laneEnded.resolve();
    this.#laneEnded = Promise.withResolvers();
  }

  /** A streaming query failed: it starts again after a while, or ends for good. */
  #onFailure(lane: Lane, error: PlainError): void {
    const { handle, spec } = lane;
    const next = nextStart({
      error,
      failures: lane.failures,
      ranMs: this.#options.clock.monotonic() - lane.startedAt,
      finite: this.#options.finite(spec.name),
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
    this.#options.metrics.restarts.inc(this.#options.metrics.labels(handle));
    this.#options.report(
      `${spec.name} ${handle.name} failed: ${error.message}; starting it again in ${delayMs} ms`,
    );
    void this.#restart(lane, delayMs);
  }

  async #restart(lane: Lane, delay: number): Promise<void> {
    this.#lanes.delete(lane.number);
    letCommit(lane, NOBODY);
    const next: Lane = { ...lane, number: ++this.#laneNumber };
    this.#lanes.set(next.number, next);
    if (delay > 0) {
      try {
        await this.#options.clock.sleep(delay, this.#options.signal);
      } catch {
        // The driver stops: it ends the lane itself.
        return;
      }
    }
    if (!next.stopping && this.#lanes.has(next.number)) this.#startLane(next);
  }

  #forget(spec: QuerySpec, partition: number): void {
    const before = this.#options.streams.lane(spec.name, partition);
    if (before !== undefined) this.#options.metrics.forget(before);
  }

  #find(spec: QuerySpec, partition: number): Lane | undefined {
    for (const lane of this.#lanes.values()) {
      if (lane.spec.name === spec.name && lane.partition === partition) return lane;
    }
  }
}

/** Says which run of a lane may commit, to those that are held too: they need not hear a message. */
function letCommit({ shown }: Lane, run: number): void {
  Atomics.store(new BigInt64Array(shown), SHOWN.run, BigInt(run));
}
