/**
 * All streaming queries of a driver, and who listens to them.
 *
 * @module
 */
import { Notifier } from "../base/wait.ts";
import type { StreamingQueryProgress } from "../definition/progress.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/**
 * Hears what streaming queries do. All methods are optional and may be asynchronous; what they throw,
 * or reject with, is reported and not fatal.
 */
export interface StreamingQueryListener {
  onQueryStarted?(
    event: { id: string; runId: string; name: string; timestamp: string },
  ): void | Promise<void>;
  onQueryProgress?(event: { progress: StreamingQueryProgress }): void | Promise<void>;
  onQueryIdle?(event: { id: string; runId: string; timestamp: string }): void | Promise<void>;
  onQueryTerminated?(
    event: { id: string; runId: string; exception?: string },
  ): void | Promise<void>;
}

/** Spark's `spark.streams`. */
export class StreamingQueryManager {
  readonly #queries = new Map<string, StreamingQuery>();
  readonly #listeners = new Set<StreamingQueryListener>();
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
    this.#listeners.add(listener);
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
    query?: StreamingQuery,
  ): void {
    if (method === "onQueryTerminated" && query !== undefined) {
      this.#terminated.push(query);
      this.#ends.notify();
    }
    const failed = (error: unknown) =>
      this.#report(`A listener failed in ${method}: ${(error as Error)?.message ?? error}`);
    for (const listener of this.#listeners) {
      try {
        const handle = listener[method] as ((event: unknown) => unknown) | undefined;
        const result = handle?.call(listener, event);
        if (result instanceof Promise) result.catch(failed);
      } catch (error) {
        failed(error);
      }
    }
  }
}
