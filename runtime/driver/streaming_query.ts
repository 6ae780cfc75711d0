// Handles of streaming queries, with Spark's names.
import type { Clock } from "../base/clock.ts";
import { FROM_ZERO, shown } from "../base/options.ts";
import { DeadlineError, Notifier, withDeadline } from "../base/wait.ts";
import type { Held } from "../engine/options.ts";
import { CELL, type Cells, type PlainError, totalsIn } from "../executor/protocol.ts";
import { StreamingQueryException } from "./query_exception.ts";
import { laneName } from "../definition/frame.ts";
import type { LaneState } from "../lanes.ts";
import {
  lagOf,
  type QueryTotals,
  type StreamingQueryProgress,
  type StreamingQueryStatus,
} from "../definition/progress.ts";

const RECENT_PROGRESS = 100;

/** Operations reserved for the driver. */
export interface QueryControl {
  readonly stop: () => Promise<void>;
  readonly explain: () => string;
  /** One past a partition's last offset. */
  readonly latestOffset: (partition: number) => Promise<number>;
  /** The second partition that the lane reads (`align`). */
  readonly beside?: number | undefined;
  /** State shared by its runs in this process: see `CELL`. */
  readonly cells: Cells;
}

/** One query on one partition. */
export class StreamingQuery {
  /** Name of the definition, e.g. `greyscale`. */
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
  /** Restarts after failures, in this process. */
  restarts = 0;
  /** The group assigned the partition to another runtime before the query ended here. */
  moved = false;
  /** When the last batch was reported, epoch milliseconds. */
  lastCommit: number | undefined;
  /** @internal Monotonic time of that. */
  reportedAt = -Infinity;
  /** @internal */
  readonly cells: Cells;
  readonly #control: QueryControl;
  readonly #ended = Promise.withResolvers<void>();
  readonly #changed = new Notifier();
  #id = "";
  #runId = "";
  #state: LaneState = "starting";
  /** What it is doing; undefined while it processes frames. */
  #message: string | undefined = "Starting";
  /** @internal */
  trouble: string | undefined;
  #position: number | undefined;
  #held: Held | undefined;
  /** Failures that are not retryable. */
  #failures = 0;
  #exception: StreamingQueryException | undefined;
  #recent: StreamingQueryProgress[] = [];

  constructor(query: string, topic: string, partition: number, control: QueryControl) {
    this.query = query;
    this.topic = topic;
    this.partition = partition;
    this.cells = control.cells;
    this.#control = control;
    this.#ended.promise.catch(() => {});
  }

  /** `QUERY-PARTITION-n`. */
  get name(): string {
    return laneName(this.partition);
  }

  /** Stored with the checkpoint: survives restarts. Empty until the query has started. */
  get id(): string {
    return this.#id;
  }

  /** New for each start. */
  get runId(): string {
    return this.#runId;
  }

  /** Whether it has not ended. */
  get isActive(): boolean {
    return this.#state !== "failed" && this.#state !== "stopped";
  }

  /** Its state as one word. */
  get state(): LaneState {
    return this.#state;
  }

  /** The last failure; stays readable after a restart. */
  get exception(): StreamingQueryException | undefined {
    return this.#exception;
  }

  /** Start offset of its next batch; undefined until it has taken over its partition. */
  get position(): number | undefined {
    return this.#position;
  }

  /** Its state in Spark's terms. */
  get status(): StreamingQueryStatus {
    const source = this.lastProgress?.sources[0];
    const lag = source === undefined ? 0 : lagOf(source, this.topic, this.partition);
    const active = Atomics.load(this.cells, CELL.active) === 1n;
    const isTriggerActive = this.#state === "running" && active;
    return {
      message: this.#message ??
        (isTriggerActive ? "Processing frames" : "Waiting for frames to arrive"),
      isDataAvailable: isTriggerActive || lag > 0,
      isTriggerActive,
    };
  }

  /** The newest progress reports, oldest first, at most 100. */
  get recentProgress(): readonly StreamingQueryProgress[] {
    return this.#recent;
  }

  /** The newest report; undefined before the first batch. */
  get lastProgress(): StreamingQueryProgress | undefined {
    return this.#recent.at(-1);
  }

  /** Totals of the committed batches of all runs in this process. */
  get totals(): QueryTotals {
    return totalsIn(this.cells);
  }

  /**
   * Waits for the end of the query.
   *
   * @returns true if it ended, false after `timeoutMs`
   * @throws {StreamingQueryException} if it failed
   * @throws {RangeError} if `timeoutMs` is not a number from 0 up
   */
  async awaitTermination(timeoutMs?: number): Promise<boolean> {
    return await within(timeoutMs, () => this.#ended.promise);
  }

  /**
   * Waits until everything that is in the log now is committed, or dropped by the overload policy. Does not
   * wait for frames that wait for the other camera (`align`).
   *
   * @throws {StreamingQueryException} if the query fails first, even if it restarts. Retryable errors, such
   * as an unreachable broker, are waited out.
   */
  async processAllAvailable(): Promise<void> {
    if (!this.isActive) return await this.#ended.promise;
    const failures = this.#failures;
    const { beside } = this.#control;
    const latest = await this.#control.latestOffset(this.partition);
    const other = beside === undefined ? 0 : await this.#control.latestOffset(beside);
    while (!this.#hasDone(latest, other)) {
      if (!this.isActive) return await this.#ended.promise;
      if (this.#failures > failures) throw this.#exception;
      await this.#changed.wait();
    }
  }

  #hasDone(latest: number, other: number): boolean {
    const position = this.#position ?? -1;
    const { from, left, right } = this.#held ?? { from: Infinity, left: 0, right: 0 };
    return position >= latest || position >= from && left >= latest && right >= other;
  }

  /** Waits until the query has taken over its partition, has failed or has ended. */
  async settled(): Promise<void> {
    while (this.#state === "starting") await this.#changed.wait();
  }

  /** Finishes and commits the running batch, then ends the query. */
  async stop(): Promise<void> {
    await this.#control.stop();
  }

  /** The plan of the query, as text. */
  explain(): string {
    return this.#control.explain();
  }

  /** @internal */
  starting(runId: string): void {
    this.#runId = runId;
    this.#message = this.restarts === 0 ? "Starting" : "Restarting";
  }

  /** @internal */
  started(id: string, next?: number): void {
    this.#id = id;
    this.#position = next;
    this.#state = "running";
    this.#message = this.trouble = undefined;
    this.#held = undefined;
    this.#changed.notify();
  }

  /** @internal */
  holds(held: Held): void {
    this.#held = held;
    this.#changed.notify();
  }

  /** @internal */
  progressed(progress: StreamingQueryProgress, clock: Clock): void {
    this.#recent = [...this.#recent.slice(1 - RECENT_PROGRESS), progress];
    this.lastCommit = clock.now();
    this.reportedAt = clock.monotonic();
    this.#position = progress.sources[0]?.endOffset[this.topic]?.[String(this.partition)];
    this.#changed.notify();
  }

  /** @internal */
  setMessage(message: string | undefined): void {
    this.#message = message;
  }

  /** @internal */
  failed(error: PlainError, restartInMs: number | undefined): void {
    this.#exception = new StreamingQueryException(this, error);
    if (!error.retryable) this.#failures++;
    if (restartInMs === undefined) {
      this.#state = "failed";
      this.#message = `Failed: ${error.message}`;
      this.#ended.reject(this.#exception);
    } else {
      this.#state = "restarting";
      this.restarts++;
      this.#message = `Restarting in ${restartInMs} ms after: ${error.message}`;
    }
    this.#changed.notify();
  }

  /** @internal */
  moving(): void {
    this.#state = "restarting";
    this.restarts++;
    this.#changed.notify();
  }

  /** @internal */
  stopped(): void {
    this.#state = "stopped";
    this.#message = "Stopped";
    this.#ended.resolve();
    this.#changed.notify();
  }
}

/**
 * Waits for `wait`, at most `timeoutMs` if given, and returns whether it finished.
 *
 * @param wait receives a signal that aborts at the timeout
 * @throws {RangeError} if the timeout is not a number from 0 up
 */
export async function within(
  timeoutMs: number | undefined,
  wait: (signal?: AbortSignal) => Promise<unknown>,
): Promise<boolean> {
  if (timeoutMs === undefined || timeoutMs === Infinity) {
    await wait();
    return true;
  }
  if (!FROM_ZERO.takes(timeoutMs)) {
    throw new RangeError(`Cannot wait ${shown(timeoutMs)} ms: expected ${FROM_ZERO.accepted}`);
  }
  try {
    await withDeadline("Waiting", timeoutMs, wait);
    return true;
  } catch (error) {
    if (error instanceof DeadlineError) return false;
    throw error;
  }
}
