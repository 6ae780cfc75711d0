// One query on one partition, while it is assigned here: how it begins, ends, restarts after a
// failure, and moves from an executor that died or is held.
import type { Clock } from "../base/clock.ts";
import { given } from "../base/options.ts";
import { pause } from "../base/wait.ts";
import { besideOf } from "../definition/align.ts";
import type { StopMode } from "../engine/options.ts";
import type { Measurements } from "../engine/reporter.ts";
import {
  CELL,
  type LaneMessage,
  type LoadedQuery,
  newCells,
  type PlainError,
  type QuerySpec,
} from "../executor/protocol.ts";
import type { Turn } from "../executor/pulse.ts";
import { laneId } from "../lanes.ts";
import type { Membership, TopicLog } from "../log/log.ts";
import type { PooledLane, StrandedBy } from "./executor_link.ts";
import type { ExecutorPool } from "./executor_pool.ts";
import { LaneEvents } from "./lane_events.ts";
import { executorError, type FailedRun, LaneFailures } from "./lane_failures.ts";
import type { StreamingQueryManager } from "./manager.ts";
import type { QueryMetrics } from "./metrics.ts";
import { StreamingQuery } from "./streaming_query.ts";
import type { BlockedBy } from "./thread_state.ts";

/** Time for a query to finish its batch before it is aborted, milliseconds. */
const DRAIN_MS = 5000;
/** How long an abandoned run keeps the next one waiting for a call that does not end, milliseconds. */
const LINGER_MS = 30_000;
/** Not the number of any run. */
const NO_RUN = 0;
/** Describes what a lane does while it blocks its thread, for messages. */
const BLOCKED: Readonly<Record<BlockedBy, string>> = {
  call: "blocks its thread",
  picture: "has a large picture",
  opening: "opens its operators and sinks",
};

/** Parts shared by the lanes of a driver. */
export interface LaneParts {
  readonly pool: Pick<ExecutorPool, "newRun" | "start" | "post" | "ended" | "responsive">;
  readonly log: Pick<TopicLog, "offsets">;
  readonly streams: StreamingQueryManager;
  readonly metrics: QueryMetrics;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly report: (message: string) => void;
  readonly onMeasurements?: (query: StreamingQuery, measurements: Measurements) => void;
  /** By `laneId`, the end of an abandoned run that is still in its executor. */
  readonly lingering: Map<string, Promise<void>>;
}

export interface LaneOptions {
  readonly spec: QuerySpec;
  readonly query: LoadedQuery;
  readonly partition: number;
  readonly membership?: Membership | undefined;
  /** The partition was created while the query ran. */
  readonly foundLater: boolean;
}

export class Lane implements PooledLane {
  readonly spec: QuerySpec;
  readonly handle: StreamingQuery;
  readonly #parts: LaneParts;
  readonly #query: LoadedQuery;
  readonly #foundLater: boolean;
  readonly #events: LaneEvents;
  readonly #failures = new LaneFailures();
  readonly #ended = Promise.withResolvers<void>();
  #membership: Membership | undefined;
  /** Its run in an executor; the next one has another number. */
  #run = NO_RUN;
  /** Monotonic milliseconds. */
  #startedAt = 0;
  #stopping = false;
  #isOver = false;
  /** Lets the next run begin, if this one was abandoned and is still in its executor. */
  #lingers: (() => void) | undefined;
  /** It ended or held an executor: it has its own, of low priority if it did so often. */
  #alone = false;
  #yields = false;

  constructor({ spec, query, partition, membership, foundLater }: LaneOptions, parts: LaneParts) {
    this.spec = spec;
    this.#parts = parts;
    this.#query = query;
    this.#membership = membership;
    this.#foundLater = foundLater;
    const { streams, log, clock } = parts;
    const { aligns } = query;
    this.handle = new StreamingQuery(spec.name, spec.topic, partition, {
      stop: () => this.end("drain"),
      explain: () => query.plan,
      latestOffset: async (of) => (await log.offsets(spec.topic, of)).latest,
      beside: aligns && besideOf(aligns, partition),
      // Counts of an earlier time here continue.
      cells: streams.lane(spec.name, partition)?.cells ?? newCells(),
    });
    this.#events = new LaneEvents(this.handle, streams, clock);
  }

  /** It ended, failed permanently or moved away. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves once it is over. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get mayMove(): boolean {
    return Atomics.load(this.handle.cells, CELL.sink) === 0n;
  }

  get runs(): boolean {
    return this.handle.state === "running";
  }

  begin(): void {
    const { streams, lingering } = this.#parts;
    streams.begins(this.handle);
    const earlier = lingering.get(laneId(this.handle));
    if (earlier === undefined) return this.#start();
    this.#report("waits for its earlier run to end");
    void earlier.then(() => this.#isOver || this.#start());
  }

  /** The group has a new generation, and the partition is still here. */
  renew(membership: Membership): void {
    this.#membership = membership;
    this.#parts.pool.post({ type: "renew", lane: this.#run, membership });
  }

  /** Ends the query; `drain` finishes and commits the running batch, `move` hands it over. */
  async end(mode: StopMode): Promise<void> {
    if (this.#isOver) return;
    const { pool, clock } = this.#parts;
    if (mode === "move") this.handle.moved = true;
    this.#stopping = true;
    if (this.handle.state === "restarting" || !pool.responsive(this.#run)) {
      // It is not waited for; if it comes back, it is fenced.
      this.#stop("abort");
      return this.#gone();
    }
    this.#stop(mode);
    const timer = new AbortController();
    clock.sleep(DRAIN_MS, timer.signal).then(() => this.#abandon(), () => {}); // Ended in time.
    await this.ended;
    timer.abort();
  }

  onMessage(message: LaneMessage): void {
    if (message.type === "stopped") this.#left();
    if (this.#isOver) return;
    const { handle } = this;
    const { streams, metrics, clock, onMeasurements } = this.#parts;
    switch (message.type) {
      case "started":
        handle.started(message.id, message.next);
        return this.#events.started();
      case "progress":
        this.#failures.progressed();
        handle.progressed(message.progress, clock);
        metrics.observe(handle, message.measurements);
        onMeasurements?.(handle, message.measurements);
        return streams.notify("onQueryProgress", { progress: message.progress });
      case "held":
        return handle.holds(message.held);
      case "report":
        return this.#report(message.message, ": ");
      case "problem": {
        const { problem } = message;
        if (problem !== undefined) {
          metrics.problem(handle, problem.reason);
          if (problem.message !== handle.trouble) this.#report(problem.message, ": ");
        }
        handle.trouble = problem?.message;
        return;
      }
      case "waiting":
        handle.setMessage(message.message);
        if (message.message !== undefined) this.#report(message.message, ": ");
        return;
      case "dead-input":
        this.#report(`dead-letters an input: ${message.error.message}`);
        return this.#events.failed(message.error, "dead-letter");
      case "stopped":
        if (message.error === undefined || this.#stopping) this.#gone();
        else this.#failed(message.error);
    }
  }

  onStranded(why: string, by: StrandedBy): void {
    this.#left();
    if (this.#isOver) return;
    if (this.#stopping) return this.#gone();
    this.#report(`moves: ${why}`);
    this.handle.moving();
    // Delayed, in case executors cannot even start.
    const delay = by === "death" ? this.#failures.stranded() : 0;
    if (by === "memory") this.#alone = true;
    void this.#restart(delay);
  }

  onEnded(why: string, turn: Turn, cut: boolean): void {
    this.#left();
    if (this.#isOver) return;
    this.#alone = this.#yields = true;
    if (this.#stopping) return this.#gone();
    const error = executorError(this.handle, this.#query, why, { turn, cut });
    this.#failed(error, cut ? "cut" : "ended");
  }

  onBlocked(by: BlockedBy | undefined): void {
    if (this.#isOver) return;
    if (by === "call" || by === "picture") this.#alone = true;
    if (by === "call") this.handle.setMessage("Blocks its thread");
    else if (by === undefined) this.handle.setMessage(undefined);
    this.#report(by === undefined ? "continues" : `${BLOCKED[by]}; other queries move`);
  }

  onYields(): void {
    if (this.#isOver) return;
    this.#yields = true;
    this.#report("keeps blocking its thread: it now runs at lower priority than all other queries");
  }

  #start(): void {
    const { handle } = this;
    const { pool, clock } = this.#parts;
    const runId = crypto.randomUUID();
    this.#run = pool.newRun();
    this.#startedAt = clock.monotonic();
    handle.starting(runId);
    this.#events.begins();
    // A run whose thread was ended may have left them set.
    for (const cell of [CELL.active, CELL.sink]) Atomics.store(handle.cells, cell, 0n);
    this.#letCommit(this.#run);
    const { deadInputs } = this.#failures;
    pool.start(this, {
      lane: this.#run,
      partition: handle.partition,
      runId,
      cells: handle.cells,
      foundLater: this.#foundLater,
      ...given({
        deadInputs: deadInputs.length > 0 ? deadInputs : undefined,
        membership: this.#membership,
      }),
    }, { alone: this.#alone, yields: this.#yields });
  }

  #stop(mode: StopMode): void {
    this.#parts.pool.post({ type: "stop", lane: this.#run, mode });
  }

  /** The run does not end: a function of its sink may continue, and must not run twice. */
  #abandon(): void {
    if (this.#isOver) return;
    this.#stop("abort");
    const { lingering, signal, clock } = this.#parts;
    const id = laneId(this.handle);
    const left = Promise.withResolvers<void>();
    lingering.set(id, left.promise);
    this.#lingers = () => {
      lingering.delete(id);
      left.resolve();
    };
    const [what, atMost] = this.mayMove
      ? ["its run", `, in ${LINGER_MS / 1000} s at the latest`]
      : ["a function of its sink", ""];
    this.#report(
      `is abandoned after ${DRAIN_MS / 1000} s: ${what} is still running. ` +
        `Its batch is not committed and runs again when this run has ended${atMost}`,
    );
    this.#gone();
    if (atMost !== "") void pause(LINGER_MS, signal, clock).then((over) => over && this.#left());
  }

  /** Its run has left its executor. */
  #left(): void {
    this.#parts.pool.ended(this.#run);
    this.#lingers?.();
    this.#lingers = undefined;
  }

  #gone(error?: PlainError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letCommit(NO_RUN);
    const { handle } = this;
    if (this.#lingers === undefined) this.#left();
    if (handle.isActive) handle.stopped();
    this.#events.ended(error);
    this.#parts.streams.terminated(handle);
    this.#ended.resolve();
  }

  /** The query failed: it restarts after a delay, or ends. */
  #failed(error: PlainError, executor?: FailedRun["executor"]): void {
    const next = this.#failures.failed({
      error,
      ranMs: this.#parts.clock.monotonic() - this.#startedAt,
      member: this.#membership !== undefined,
      query: this.#query,
      executor,
    });
    this.#events.failed(error, next.delayMs === undefined ? "stop" : "restart");
    if (this.#isOver) return; // A listener ended it.
    this.handle.failed(error, next.delayMs);
    if (next.delayMs === undefined) {
      this.#report(`failed: ${next.why}`);
      return this.#gone(error);
    }
    const how = [
      next.dead ? "without this input" : "",
      next.delayMs > 0 ? `in ${next.delayMs} ms` : "",
    ];
    this.#report(`failed: ${error.message}; restarting ${how.join(" ").trim()}`);
    void this.#restart(next.delayMs, error);
  }

  async #restart(delay: number, error?: PlainError): Promise<void> {
    const { clock, signal, metrics } = this.#parts;
    this.#events.ended(error);
    if (this.#isOver) return; // A listener ended it.
    metrics.restarts.inc(metrics.labels(this.handle));
    this.#letCommit(NO_RUN);
    this.#run = NO_RUN;
    // A driver that stops ends the lane itself.
    if (delay > 0 && !await pause(delay, signal, clock)) return;
    if (!this.#isOver) this.#start();
  }

  /** Sets which run may commit, for held threads too: they need no message. */
  #letCommit(run: number): void {
    Atomics.store(this.handle.cells, CELL.run, BigInt(run));
  }

  #report(what: string, separator = " "): void {
    this.#parts.report(`${this.spec.name} ${this.handle.name}${separator}${what}`);
  }
}
