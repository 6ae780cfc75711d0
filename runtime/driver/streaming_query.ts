/**
 * Handles on streaming queries, with Spark's names.
 *
 * @module
 */
import type { PlainError } from "../executor/protocol.ts";
import { laneName } from "../definition/frame.ts";
import type { LaneState } from "../lanes.ts";
import {
  lagOf,
  NO_TOTALS,
  type QueryTotals,
  type StreamingQueryProgress,
  type StreamingQueryStatus,
} from "../definition/progress.ts";

/** Why a streaming query stopped. */
export class StreamingQueryException extends Error {
  override readonly name = "StreamingQueryException";
  /** Code of the log's error, e.g. `OFFSET_OUT_OF_RANGE`, where it is one. */
  readonly code: string | undefined;

  constructor(query: string, error: PlainError) {
    super(`${query}: ${error.message}`);
    this.code = error.code;
    if (error.stack !== undefined) this.stack = error.stack;
  }
}

const RECENT_PROGRESS = 100;

/** What only the driver may do with a handle. */
export interface QueryControl {
  readonly stop: () => Promise<void>;
  readonly explain: () => string;
  /** One past the partition's last offset. */
  readonly latestOffset: () => Promise<number>;
}

/** One query on one partition. */
export class StreamingQuery {
  /** Name of the definition, e.g. `greyscale`. */
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /** Starts after a failure, in this process. */
  restarts = 0;
  /** The group gave the partition to another runtime before the query had ended here. */
  moved = false;
  /** When the last batch was reported, epoch milliseconds. */
  lastCommit: number | undefined;
  readonly #control: QueryControl;
  readonly #ended = Promise.withResolvers<void>();
  readonly #waiting = new Set<() => void>();
  #id = "";
  #runId = "";
  #state: LaneState = "starting";
  #message = "Starting";
  #exception: StreamingQueryException | undefined;
  #recent: StreamingQueryProgress[] = [];
  #runTotals: QueryTotals = NO_TOTALS;
  #earlier: QueryTotals = NO_TOTALS;

  constructor(query: string, topic: string, partition: number, control: QueryControl) {
    this.query = query;
    this.topic = topic;
    this.partition = partition;
    this.#control = control;
    this.#ended.promise.catch(() => {});
  }

  /** `QUERY-PARTITION-n`. */
  get name(): string {
    return laneName(this.partition);
  }

  /** Kept with the checkpoint: survives restarts. Empty until the query has started. */
  get id(): string {
    return this.#id;
  }

  /** One for each start. */
  get runId(): string {
    return this.#runId;
  }

  get isActive(): boolean {
    return this.#state !== "failed" && this.#state !== "stopped";
  }

  get state(): LaneState {
    return this.#state;
  }

  /** The last failure; stays readable after a restart. */
  get exception(): StreamingQueryException | undefined {
    return this.#exception;
  }

  get status(): StreamingQueryStatus {
    const source = this.lastProgress?.sources[0];
    const isDataAvailable = source !== undefined &&
      lagOf(source, this.topic, this.partition) > 0;
    return {
      message: this.#message,
      isDataAvailable,
      isTriggerActive: this.#state === "running" && isDataAvailable,
    };
  }

  /** The newest reports, oldest first, 100 at most. */
  get recentProgress(): readonly StreamingQueryProgress[] {
    return this.#recent;
  }

  get lastProgress(): StreamingQueryProgress | undefined {
    return this.#recent.at(-1);
  }

  /** Counters over all runs in this process. */
  get totals(): QueryTotals {
    return addTotals(this.#earlier, this.#runTotals);
  }

  /**
   * Waits for the end of the query.
   *
   * @returns true when it ended, false when `timeoutMs` passed first.
   * @throws {StreamingQueryException} when it ended by a failure.
   */
  async awaitTermination(timeoutMs?: number): Promise<boolean> {
    if (timeoutMs === undefined) {
      await this.#ended.promise;
      return true;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<false>((resolve) => timer = setTimeout(resolve, timeoutMs, false));
    try {
      return await Promise.race([this.#ended.promise.then(() => true), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Waits until everything that is in the log now is processed.
   *
   * @throws {StreamingQueryException} when the query fails first.
   */
  async processAllAvailable(): Promise<void> {
    const latest = await this.#control.latestOffset();
    for (;;) {
      const end = this.lastProgress?.sources[0]?.endOffset[this.topic]?.[String(this.partition)];
      if (latest === 0 || (end !== undefined && end >= latest)) return;
      if (!this.isActive) return await this.#ended.promise;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Finishes and commits the batch that runs, then ends the query. */
  async stop(): Promise<void> {
    await this.#control.stop();
  }

  /** The plan of the query, for people. */
  explain(): string {
    return this.#control.explain();
  }

  /** @internal */
  starting(runId: string): void {
    this.#earlier = this.totals;
    this.#runTotals = NO_TOTALS;
    this.#runId = runId;
    this.#message = this.restarts === 0 ? "Starting" : "Starting again";
  }

  /** @internal */
  started(id: string): void {
    this.#id = id;
    this.#state = "running";
    this.#message = "Waiting for frames to arrive";
  }

  /** @internal */
  progressed(progress: StreamingQueryProgress, now: number): void {
    this.#recent = [...this.#recent.slice(1 - RECENT_PROGRESS), progress];
    this.#runTotals = progress.totals;
    this.lastCommit = now;
    if (this.#state === "running") this.#message = "Processing frames";
    this.#wakeAll();
  }

  /** @internal */
  said(message: string): void {
    this.#message = message;
  }

  /** @internal */
  runEnded(totals: QueryTotals): void {
    this.#runTotals = totals;
  }

  /** @internal */
  failed(error: PlainError, restartInMs: number | undefined): void {
    this.#exception = new StreamingQueryException(`${this.query} ${this.name}`, error);
    if (restartInMs === undefined) {
      this.#state = "failed";
      this.#message = `Failed: ${error.message}`;
      this.#ended.reject(this.#exception);
    } else {
      this.#state = "restarting";
      this.restarts++;
      this.#message = `Restarting in ${restartInMs} ms after: ${error.message}`;
    }
    this.#wakeAll();
  }

  /** @internal */
  moving(): void {
    this.#state = "restarting";
    this.restarts++;
  }

  /** @internal */
  stopped(): void {
    this.#state = "stopped";
    this.#message = "Stopped";
    this.#ended.resolve();
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

function addTotals(a: QueryTotals, b: QueryTotals): QueryTotals {
  return {
    frames: a.frames + b.frames,
    outputs: a.outputs + b.outputs,
    dropped: a.dropped + b.dropped,
    deadLettered: a.deadLettered + b.deadLettered,
    gaps: a.gaps + b.gaps,
    duplicates: a.duplicates + b.duplicates,
    orderViolations: a.orderViolations + b.orderViolations,
    late: (a.late ?? 0) + (b.late ?? 0),
    ahead: (a.ahead ?? 0) + (b.ahead ?? 0),
    repaired: (a.repaired ?? 0) + (b.repaired ?? 0),
  };
}
