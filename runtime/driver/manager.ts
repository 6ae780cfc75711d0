/**
 * All streaming queries of a driver, and who listens to them.
 *
 * @module
 */
import { messageOf, placeOf, read } from "../base/errors.ts";
import { Notifier } from "../base/wait.ts";
import type { StreamingQueryProgress } from "../definition/progress.ts";
import type { QueryErrorEvent } from "./query_error.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/**
 * Hears what streaming queries do. All methods are optional, and may be asynchronous: what they throw,
 * or reject with, is reported with the listener's name.
 */
export interface StreamingQueryListener {
  onQueryStarted?(event: { id: string; runId: string; name: string; timestamp: string }): unknown;
  onQueryProgress?(event: { progress: StreamingQueryProgress }): unknown;
  onQueryIdle?(event: { id: string; runId: string; timestamp: string }): unknown;
  /** A run has ended; `exception` is its error where it failed. A query that starts again has several runs. */
  onQueryTerminated?(event: { id: string; runId: string; exception?: string }): unknown;
  /** A run failed, or an operator failed on an input that was put aside. */
  onQueryError?(event: QueryErrorEvent): unknown;
}

/** A call that takes this long holds up the driver, milliseconds. */
const SLOW_MS = 250;
/** Calls that one listener may leave unfinished; beyond that it misses events. */
const MOST_OPEN = 256;

/** A listener, and what to call it in messages. */
class Listening {
  readonly #listener: StreamingQueryListener;
  readonly #name: string;
  readonly #report: (message: string) => void;
  #open = 0;
  #missed = 0;
  #slow = false;

  constructor(listener: StreamingQueryListener, report: (message: string) => void) {
    this.#listener = listener;
    const place = placeOf(new Error());
    const kind = read(read(listener, "constructor"), "name");
    this.#name = (typeof kind === "string" && kind !== "Object" ? kind : "listener") +
      (place === undefined ? "" : ` (added at ${place.file}:${place.line})`);
    this.#report = report;
  }

  /** Calls a method. What it throws, and what its promise is rejected with, is reported. */
  call(method: keyof StreamingQueryListener, event: unknown): void {
    if (this.#open >= MOST_OPEN) {
      if (this.#missed++ === 0) {
        this.#report(`${this.#name} misses events: ${MOST_OPEN} of its calls have not ended`);
      }
      return;
    }
    const failed = (error: unknown) => {
      const place = placeOf(error);
      const where = place === undefined ? "" : ` (${place.file}:${place.line}:${place.column})`;
      this.#report(`${this.#name} failed in ${method}: ${messageOf(error)}${where}`);
    };
    const started = performance.now();
    try {
      const outcome = (this.#listener[method] as ((event: unknown) => unknown) | undefined)
        ?.call(this.#listener, event);
      if (typeof outcome === "object" && outcome !== null) {
        this.#open++;
        void Promise.resolve(outcome).catch(failed).finally(() => this.#open--);
      }
    } catch (error) {
      failed(error);
    }
    const ms = performance.now() - started;
    if (ms < SLOW_MS || this.#slow) return;
    this.#slow = true;
    this.#report(
      `${this.#name} held the main thread for ${
        Math.round(ms)
      } ms in ${method}: the group's heartbeats wait meanwhile`,
    );
  }
}

/** Spark's `spark.streams`. */
export class StreamingQueryManager {
  readonly #queries = new Map<string, StreamingQuery>();
  readonly #listeners = new Map<StreamingQueryListener, Listening>();
  readonly #report: (message: string) => void;
  /** Queries that have ended, in this order. */
  #terminated: StreamingQuery[] = [];
  readonly #ends = new Notifier();

  constructor(report: (message: string) => void) {
    this.#report = report;
  }

  /** Queries that have not ended. */
  get active(): readonly StreamingQuery[] {
    return this.all.filter(({ isActive }) => isActive);
  }

  /** All queries, ordered by partition, then by name. */
  get all(): readonly StreamingQuery[] {
    return [...this.#queries.values()].sort((a, b) =>
      a.partition - b.partition || (a.query < b.query ? -1 : 1)
    );
  }

  /** The query with this `id`. */
  get(id: string): StreamingQuery | undefined {
    return this.all.find((query) => query.id === id);
  }

  /** The query of a definition on a partition. */
  lane(query: string, partition: number): StreamingQuery | undefined {
    return this.#queries.get(`${query}-${partition}`);
  }

  /**
   * Waits until any query has ended since the start or the last `resetTerminated`.
   *
   * @returns the query that ended first, or false when `timeoutMs` passed before.
   * @throws {StreamingQueryException} when one of those that have ended failed.
   */
  async awaitAnyTermination(timeoutMs?: number): Promise<StreamingQuery | false> {
    const enough = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    while (this.#terminated.length === 0) {
      try {
        await this.#ends.wait(enough);
      } catch {
        return false; // Only the timeout ends the wait.
      }
    }
    const failed = this.#terminated.find(({ state }) => state === "failed");
    if (failed !== undefined) throw failed.exception;
    return this.#terminated[0]!;
  }

  /** Forgets the queries that have ended: who waits for an end waits for the next one. */
  resetTerminated(): void {
    for (const [lane, query] of this.#queries) if (!query.isActive) this.#queries.delete(lane);
    this.#terminated = [];
  }

  addListener(listener: StreamingQueryListener): void {
    this.#listeners.set(listener, new Listening(listener, this.#report));
  }

  removeListener(listener: StreamingQueryListener): void {
    this.#listeners.delete(listener);
  }

  /**
   * Waits until everything that is in the log now is processed by all queries.
   *
   * @throws {StreamingQueryException} when one of them fails first.
   */
  async processAllAvailable(): Promise<void> {
    await Promise.all(this.active.map((query) => query.processAllAvailable()));
  }

  /** @internal */
  add(query: StreamingQuery): void {
    this.#queries.set(`${query.query}-${query.partition}`, query);
  }

  /** @internal */
  tell<K extends keyof StreamingQueryListener>(
    method: K,
    event: Parameters<NonNullable<StreamingQueryListener[K]>>[0],
  ): void {
    for (const listening of this.#listeners.values()) listening.call(method, event);
  }

  /** @internal A query has ended for good. */
  terminated(query: StreamingQuery): void {
    this.#terminated.push(query);
    this.#ends.notify();
  }
}
