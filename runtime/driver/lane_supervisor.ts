// The life of streaming queries: how they begin, end, restart after a failure, and move from an
// executor that died or is held.
import type { Clock } from "../base/clock.ts";
import { given } from "../base/options.ts";
import { Notifier, pause } from "../base/wait.ts";
import { besideOf } from "../definition/align.ts";
import type { StopMode } from "../engine/options.ts";
import type { Measurements } from "../engine/reporter.ts";
import {
  type FromExecutor,
  type LoadedQuery,
  newCells,
  type PlainError,
  type QuerySpec,
} from "../executor/protocol.ts";
import type { Turn } from "../executor/pulse.ts";
import { laneId } from "../lanes.ts";
import type { Membership, TopicLog } from "../log/log.ts";
import type { BlockedBy, ExecutorPool, PoolEvents, StrandedBy } from "./executor_pool.ts";
import { inFunction, Lane, letCommit, Lingering, NO_RUN, titleOf } from "./lane.ts";
import { LaneEvents } from "./lane_events.ts";
import { executorError, type FailedRun } from "./lane_failures.ts";
import type { StreamingQueryManager } from "./manager.ts";
import type { QueryMetrics } from "./metrics.ts";
import { StreamingQuery } from "./streaming_query.ts";

/** Time for a query to finish its batch before it is aborted, milliseconds. */
const DRAIN_MS = 5000;
/** How long an abandoned run keeps the next one waiting for a call that does not end, milliseconds. */
const LINGER_MS = 30_000;
/** Describes what a lane does while it blocks its thread, for messages. */
const BLOCKED: Readonly<Record<BlockedBy, string>> = {
  call: "blocks its thread",
  picture: "has a large picture",
  opening: "opens its operators and sinks",
};

export interface LaneSupervisorOptions {
  readonly pool: Pick<ExecutorPool, "start" | "post" | "ended" | "responsive">;
  readonly log: Pick<TopicLog, "offsets">;
  readonly streams: StreamingQueryManager;
  readonly metrics: QueryMetrics;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly loaded: (query: string) => LoadedQuery | undefined;
  readonly report: (message: string) => void;
  readonly onMeasurements?: (query: StreamingQuery, measurements: Measurements) => void;
}

export class LaneSupervisor implements Omit<PoolEvents, "onPicture"> {
  readonly #options: LaneSupervisorOptions;
  readonly #events: LaneEvents;
  readonly #lanes = new Map<number, Lane>();
  readonly #lingering = new Lingering();
  #laneNumber = 0;
  readonly #ends = new Notifier();

  constructor(options: LaneSupervisorOptions) {
    this.#options = options;
    this.#events = new LaneEvents(options.streams, options.clock);
  }

  /** A partition was assigned: starts its query. */
  begin(
    spec: QuerySpec,
    partition: number,
    membership: Membership | undefined,
    foundLater = false,
  ): void {
    const number = ++this.#laneNumber;
    // Counts of an earlier time here continue.
    const before = this.#options.streams.lane(spec.name, partition);
    const cells = before?.cells ?? newCells();
    const { aligns } = this.#options.loaded(spec.name) ?? {};
    const handle = new StreamingQuery(spec.name, spec.topic, partition, {
      stop: () => this.end(spec, partition, "drain"),
      explain: () => this.#options.loaded(spec.name)?.plan ?? "",
      latestOffset: async (of) => (await this.#options.log.offsets(spec.topic, of)).latest,
      beside: aligns && besideOf(aligns, partition),
      cells,
    });
    this.#options.streams.begins(handle);
    const lane = new Lane(number, handle, spec, membership, foundLater);
    const lingering = this.#lingering.over(laneId(lane.handle));
    if (lingering === undefined) return this.#startLane(lane);
    this.#lanes.set(number, lane);
    this.#options.report(`${titleOf(lane)} waits for its earlier run to end`);
    void lingering.then(() => this.#lanes.has(number) && this.#startLane(lane));
  }

  /** The group has a new generation, and the partition is still here. */
  renew(spec: QuerySpec, partition: number, membership: Membership): void {
    const lane = this.#find(spec, partition);
    if (lane === undefined) return;
    lane.membership = membership;
    this.#options.pool.post({ type: "renew", lane: lane.number, membership });
  }

  /** Ends one query; `drain` finishes and commits the running batch, `move` hands it over. */
  async end(spec: QuerySpec, partition: number, mode: StopMode): Promise<void> {
    const lane = this.#find(spec, partition);
    if (lane === undefined) return;
    if (mode === "move") lane.handle.moved = true;
    await this.#endLane(lane, mode);
  }

  async endAll(mode: StopMode, { name }: QuerySpec): Promise<void> {
    const lanes = [...this.#lanes.values()].filter(({ spec }) => spec.name === name);
    await Promise.all(lanes.map((lane) => this.#endLane(lane, mode)));
  }

  /** Waits until no query is left; returns whether there was one. */
  async allEnded(): Promise<boolean> {
    if (this.#lanes.size === 0) return false;
    while (this.#lanes.size > 0) await this.#ends.wait();
    return true;
  }

  onMessage(message: FromExecutor): void {
    if (!("lane" in message)) return;
    const lane = this.#lanes.get(message.lane);
    if (lane === undefined) {
      if (message.type === "stopped") this.#lingeringEnded(message.lane);
      if (message.type === "report" && message.lane === 0) this.#options.report(message.message);
      return;
    }
    const { handle } = lane;
    switch (message.type) {
      case "started":
        handle.started(message.id, message.next);
        return this.#events.started(lane);
      case "progress":
        lane.failures.progressed();
        handle.progressed(message.progress, this.#options.clock);
        this.#options.metrics.observe(handle, message.measurements);
        this.#options.onMeasurements?.(handle, message.measurements);
        return this.#options.streams.notify("onQueryProgress", { progress: message.progress });
      case "held":
        return handle.holds(message.held);
      case "report":
        return this.#options.report(`${titleOf(lane)}: ${message.message}`);
      case "problem": {
        const { problem } = message;
        if (problem !== undefined) {
          this.#options.metrics.problem(handle, problem.reason);
          const known = problem.message === handle.trouble;
          if (!known) this.#options.report(`${titleOf(lane)}: ${problem.message}`);
        }
        handle.trouble = problem?.message;
        return;
      }
      case "waiting":
        handle.setMessage(message.message);
        if (message.message !== undefined) {
          this.#options.report(`${titleOf(lane)}: ${message.message}`);
        }
        return;
      case "dead-input":
        this.#options.report(`${titleOf(lane)} dead-letters an input: ${message.error.message}`);
        return this.#events.failed(lane, message.error, "dead-letter");
      case "stopped":
        this.#options.pool.ended(lane.number);
        if (message.error === undefined || lane.stopping) this.#laneGone(lane);
        else this.#onFailure(lane, message.error);
    }
  }

  onStranded(lanes: readonly number[], why: string, by: StrandedBy): void {
    for (const number of lanes) {
      this.#lingeringEnded(number);
      const lane = this.#lanes.get(number);
      if (lane === undefined) continue;
      if (lane.stopping) {
        this.#laneGone(lane);
        continue;
      }
      this.#options.report(`${titleOf(lane)} moves: ${why}`);
      lane.handle.moving();
      // Delayed, in case executors cannot even start.
      const delay = by === "death" ? lane.failures.stranded() : 0;
      if (by === "memory") lane.alone = true;
      void this.#restart(lane, delay);
    }
  }

  onEnded(number: number, why: string, turn: Turn, cut: boolean): void {
    this.#lingeringEnded(number);
    const lane = this.#lanes.get(number);
    if (lane === undefined) return;
    lane.alone = lane.yields = true;
    if (lane.stopping) return this.#laneGone(lane);
    const { handle } = lane;
    const error = executorError(handle, this.#options.loaded(handle.query), why, { turn, cut });
    this.#onFailure(lane, error, cut ? "cut" : "ended");
  }

  onBlocked(number: number, by: BlockedBy | undefined): void {
    const lane = this.#lanes.get(number);
    if (lane === undefined) return;
    if (by === "call" || by === "picture") lane.alone = true;
    if (by === "call") lane.handle.setMessage("Blocks its thread");
    else if (by === undefined) lane.handle.setMessage(undefined);
    const what = by === undefined ? "continues" : `${BLOCKED[by]}; other queries move`;
    this.#options.report(`${titleOf(lane)} ${what}`);
  }

  onYields(number: number): void {
    const lane = this.#lanes.get(number);
    if (lane === undefined) return;
    lane.yields = true;
    this.#options.report(
      `${
        titleOf(lane)
      } keeps blocking its thread: it now runs at lower priority than all other queries`,
    );
  }

  mayMove(number: number): boolean {
    const lane = this.#lanes.get(number);
    return lane === undefined || !inFunction(lane);
  }

  runs(number: number): boolean {
    return this.#lanes.get(number)?.handle.state === "running";
  }

  #startLane(lane: Lane): void {
    const runId = crypto.randomUUID();
    this.#lanes.set(lane.number, lane);
    lane.startedAt = this.#options.clock.monotonic();
    lane.reported = false;
    lane.handle.starting(runId);
    letCommit(lane, lane.number);
    const { alone, yields, failures: { deadInputs } } = lane;
    this.#options.pool.start(lane.spec, {
      lane: lane.number,
      partition: lane.handle.partition,
      runId,
      cells: lane.handle.cells,
      foundLater: lane.foundLater,
      ...given({
        deadInputs: deadInputs.length > 0 ? deadInputs : undefined,
        membership: lane.membership,
      }),
    }, { alone, yields });
  }

  async #endLane(lane: Lane, mode: StopMode): Promise<void> {
    lane.stopping = true;
    if (lane.handle.state === "restarting" || !this.#options.pool.responsive(lane.number)) {
      // It is not waited for; if it comes back, it is fenced.
      this.#options.pool.post({ type: "stop", lane: lane.number, mode: "abort" });
      return this.#laneGone(lane);
    }
    this.#options.pool.post({ type: "stop", lane: lane.number, mode });
    const timer = new AbortController();
    this.#options.clock.sleep(DRAIN_MS, timer.signal).then(() => {
      this.#options.pool.post({ type: "stop", lane: lane.number, mode: "abort" });
      this.#linger(lane);
      this.#laneGone(lane);
    }, () => {}); // Ended in time.
    await lane.ended.promise;
    timer.abort();
  }

  /** The run does not end: a function of its sink may continue, and must not run twice. */
  #linger(lane: Lane): void {
    const { report, signal, clock } = this.#options;
    this.#lingering.add(lane.number, laneId(lane.handle));
    const [what, atMost] = inFunction(lane)
      ? ["a function of its sink", ""]
      : ["its run", `, in ${LINGER_MS / 1000} s at the latest`];
    report(
      `${titleOf(lane)} is abandoned after ${DRAIN_MS / 1000} s: ${what} is still running. ` +
        `Its batch is not committed and runs again when this run has ended${atMost}`,
    );
    if (atMost === "") return;
    void pause(LINGER_MS, signal, clock).then((over) => over && this.#lingeringEnded(lane.number));
  }

  #lingeringEnded(number: number): void {
    if (this.#lingering.ended(number)) this.#options.pool.ended(number);
  }

  #laneGone(lane: Lane, error?: PlainError): void {
    if (!this.#lanes.delete(lane.number)) return;
    letCommit(lane, NO_RUN);
    const { handle } = lane;
    if (!this.#lingering.has(lane.number)) this.#options.pool.ended(lane.number);
    if (handle.isActive) handle.stopped();
    this.#events.ended(lane, error);
    this.#options.streams.terminated(handle);
    lane.ended.resolve();
    this.#ends.notify();
  }

  /** A streaming query failed: it restarts after a delay, or ends. */
  #onFailure(lane: Lane, error: PlainError, executor?: FailedRun["executor"]): void {
    const { handle, spec } = lane;
    const next = lane.failures.failed({
      error,
      ranMs: this.#options.clock.monotonic() - lane.startedAt,
      member: lane.membership !== undefined,
      query: this.#options.loaded(spec.name),
      executor,
    });
    this.#events.failed(lane, error, next.delayMs === undefined ? "stop" : "restart");
    if (!this.#lanes.has(lane.number)) return; // A listener ended it.
    handle.failed(error, next.delayMs);
    if (next.delayMs === undefined) {
      this.#options.report(`${titleOf(lane)} failed: ${next.why}`);
      return this.#laneGone(lane, error);
    }
    const how = [
      next.dead ? "without this input" : "",
      next.delayMs > 0 ? `in ${next.delayMs} ms` : "",
    ];
    this.#options.report(
      `${titleOf(lane)} failed: ${error.message}; restarting ${how.join(" ").trim()}`,
    );
    void this.#restart(lane, next.delayMs, error);
  }

  async #restart(lane: Lane, delay: number, error?: PlainError): Promise<void> {
    const { clock, signal, metrics } = this.#options;
    this.#events.ended(lane, error);
    if (!this.#lanes.delete(lane.number)) return; // A listener ended it.
    metrics.restarts.inc(metrics.labels(lane.handle));
    letCommit(lane, NO_RUN);
    const next: Lane = { ...lane, number: ++this.#laneNumber };
    this.#lanes.set(next.number, next);
    // A driver that stops ends the lane itself.
    if (delay > 0 && !await pause(delay, signal, clock)) return;
    if (this.#lanes.has(next.number)) this.#startLane(next);
  }

  #find(spec: QuerySpec, partition: number): Lane | undefined {
    return [...this.#lanes.values()].find((lane) =>
      lane.spec.name === spec.name && lane.handle.partition === partition
    );
  }
}
