/**
 * All streaming queries of a driver, and who listens to them.
 *
 * @module
 */
import type { StreamingQueryProgress } from "../definition/progress.ts";
import type { StreamingQuery } from "./streaming_query.ts";

/** Hears what streaming queries do. All methods are optional; what they throw is reported, not fatal. */
export interface StreamingQueryListener {
  onQueryStarted?(event: { id: string; runId: string; name: string; timestamp: string }): void;
  onQueryProgress?(event: { progress: StreamingQueryProgress }): void;
  onQueryIdle?(event: { id: string; runId: string; timestamp: string }): void;
  onQueryTerminated?(event: { id: string; runId: string; exception?: string }): void;
}

/** Spark's `spark.streams`. */
export class StreamingQueryManager {
  readonly #queries = new Map<string, StreamingQuery>();
  readonly #listeners = new Set<StreamingQueryListener>();
  readonly #report: (message: string) => void;
  #terminated = Promise.withResolvers<StreamingQuery>();

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

  /** Waits until any query has ended since the start or the last `resetTerminated`. */
  async awaitAnyTermination(): Promise<StreamingQuery> {
    return await this.#terminated.promise;
  }

  /** Forgets the queries that have ended. */
  resetTerminated(): void {
    for (const [lane, query] of this.#queries) if (!query.isActive) this.#queries.delete(lane);
    this.#terminated = Promise.withResolvers();
  }

  addListener(listener: StreamingQueryListener): void {
    this.#listeners.add(listener);
  }

  removeListener(listener: StreamingQueryListener): void {
    this.#listeners.delete(listener);
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
    if (method === "onQueryTerminated" && query !== undefined) this.#terminated.resolve(query);
    for (const listener of this.#listeners) {
      try {
        (listener[method] as ((event: unknown) => void) | undefined)?.call(listener, event);
      } catch (error) {
        this.#report(`A listener failed in ${method}: ${(error as Error).message}`);
      }
    }
  }
}
