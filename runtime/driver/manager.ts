// All streaming queries of a driver, and their listeners.
import { messageOf, placeOf, placeText, read } from "../base/errors.ts";
import { shown } from "../base/options.ts";
import { Notifier } from "../base/wait.ts";
import type { StreamingQueryProgress } from "../definition/progress.ts";
import { laneId } from "../lanes.ts";
import type { QueryDefinition } from "../definition/query.ts";
import type { QueryStartOptions } from "./query_spec.ts";
import { type StreamingQuery, within } from "./streaming_query.ts";

/** A run failed, or an operator failed on an input that was dead-lettered. */
export interface QueryErrorEvent {
  readonly query: string;
  /** `QUERY-PARTITION-n`. */
  readonly name: string;
  readonly id: string;
  readonly runId: string;
  readonly topic: string;
  readonly partition: number;
  readonly camera: string;
  /** ISO 8601. */
  readonly timestamp: string;
  /**
   * The reaction: `dead-letter` makes a dead letter of the frame, `restart` restarts the query, `stop` leaves
   * it failed.
   */
  readonly action: "dead-letter" | "restart" | "stop";
  /** Name of the error's class. */
  readonly error: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
  /** The failed operator, and the offset of its input frame, if any. */
  readonly operator?: string;
  readonly offset?: number;
  /** Time of the timer being handled, epoch milliseconds. */
  readonly timer?: number;
  /** URI of the sink that failed. */
  readonly sink?: string;
  /** Place in the user's source; line and column from 1. */
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/**
 * Observes streaming queries. All methods are optional, and may be asynchronous: what they throw,
 * or reject with, is reported with the listener's name.
 */
export interface StreamingQueryListener {
  /** A run has taken over its partition. */
  onQueryStarted?(event: { id: string; runId: string; name: string; timestamp: string }): unknown;
  /** A batch was committed. */
  onQueryProgress?(event: { progress: StreamingQueryProgress }): unknown;
  /** No frame has come for a while. */
  onQueryIdle?(event: { id: string; runId: string; timestamp: string }): unknown;
  /** A run has ended; `exception` is its error if it failed. A query that restarts has several runs. */
  onQueryTerminated?(event: { id: string; runId: string; exception?: string }): unknown;
  /** A run failed, or an operator failed on an input that was dead-lettered. */
  onQueryError?(event: QueryErrorEvent): unknown;
}

/** Most open calls of a listener; beyond that it misses events. */
const MOST_OPEN = 256;

const METHODS = [
  "onQueryStarted",
  "onQueryProgress",
  "onQueryIdle",
  "onQueryTerminated",
  "onQueryError",
] as const satisfies readonly (keyof StreamingQueryListener)[];

/** Listeners must not see changes that others make to an event. */
function freeze(data: unknown): void {
  if (typeof data !== "object" || data === null || Object.isFrozen(data)) return;
  if (!Array.isArray(data) && Object.getPrototypeOf(data) !== Object.prototype) return;
  Object.freeze(data);
  Object.values(data).forEach(freeze);
}

class Listening {
  readonly #listener: StreamingQueryListener;
  readonly #name: string;
  readonly #report: (message: string) => void;
  #open = 0;
  #missed = 0;

  constructor(listener: StreamingQueryListener, report: (message: string) => void) {
    this.#listener = listener;
    const place = placeOf(new Error());
    const kind = read(read(listener, "constructor"), "name");
    this.#name = (typeof kind === "string" && kind !== "Object" ? kind : "listener") +
      (place === undefined ? "" : ` (added at ${place.file}:${place.line})`);
    this.#report = report;
  }

  call(method: keyof StreamingQueryListener, event: unknown): void {
    if (this.#open >= MOST_OPEN) {
      if (this.#missed++ === 0) {
        this.#report(`${this.#name} misses events: ${MOST_OPEN} of its calls are unfinished`);
      }
      return;
    }
    const failed = (error: unknown) => {
      const where = placeText(placeOf(error));
      this.#report(`${this.#name} failed in ${method}: ${messageOf(error)}${where}`);
    };
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
  }
}

export interface ManagerControl {
  readonly stop: () => Promise<void>;
  readonly add: (
    definition: QueryDefinition | URL | string,
    options: QueryStartOptions,
  ) => Promise<readonly StreamingQuery[]>;
  readonly replace: ManagerControl["add"];
  readonly remove: (name: string) => Promise<readonly StreamingQuery[]>;
}

/** All streaming queries, like Spark's `spark.streams`. */
export class StreamingQueryManager {
  readonly #queries = new Map<string, StreamingQuery>();
  readonly #listeners = new Map<StreamingQueryListener, Listening>();
  readonly #report: (message: string) => void;
  readonly #control: ManagerControl;
  #stopped: Promise<void> | undefined;
  /** The first that ended, and the first that failed: a handle for each end would add up over the years. */
  #terminated: StreamingQuery | undefined;
  #failed: StreamingQuery | undefined;
  readonly #ends = new Notifier();

  /** @internal */
  constructor(report: (message: string) => void, control: ManagerControl) {
    this.#report = report;
    this.#control = control;
  }

  /**
   * Starts one more query. Running queries are not affected.
   *
   * @param definition as in `start`; a definition given as a value runs in the main thread
   * @returns its streaming queries, one per partition, once they have taken over their partitions
   * @throws {RangeError} naming every invalid option, or if a query of this name runs
   * @throws {LogError} if a finite query's topic does not exist
   *
   * @example
   * ```ts
   * import { display, query, start } from "../mod.ts";
   *
   * const first = query("first").readStream().writeStream(display());
   * const second = query("second").readStream().writeStream(display());
   * async function run(): Promise<void> {
   *   await using streams = await start(first);
   *   await streams.add(second, { startingOffsets: "earliest" });
   *   await streams.replace(second.trigger("interval:1s"));
   *   await streams.remove("second");
   * }
   * ```
   */
  async add(
    definition: QueryDefinition | URL | string,
    options: QueryStartOptions = {},
  ): Promise<readonly StreamingQuery[]> {
    return await this.#control.add(definition, options);
  }

  /**
   * Replaces a running query: ends the one of this name once its batches are committed, and starts the new
   * definition on its checkpoint ([upgrading](../../docs/upgrading.md) says what may change). A definition
   * that cannot be loaded changes nothing. A module is loaded once per process: to reload it, add a different
   * query string to its URL (`?2`).
   *
   * @throws {RangeError} if no query of this name runs here, and like `add`
   */
  async replace(
    definition: QueryDefinition | URL | string,
    options: QueryStartOptions = {},
  ): Promise<readonly StreamingQuery[]> {
    return await this.#control.replace(definition, options);
  }

  /**
   * Stops one query on all its partitions: commits the running batches and leaves the partitions to other
   * members of its group. The checkpoint is kept.
   *
   * @param name name of the definition
   * @returns the streaming queries it had
   * @throws {RangeError} if no query of this name runs here
   */
  async remove(name: string): Promise<readonly StreamingQuery[]> {
    return await this.#control.remove(name);
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
    return this.all.find((query) => query.id !== "" && query.id === id);
  }

  /** The query of a definition on a partition. */
  lane(query: string, partition: number): StreamingQuery | undefined {
    return this.#queries.get(laneId({ query, partition }));
  }

  /**
   * Waits until any query has ended since the start or the last `resetTerminated`.
   *
   * @returns the query that ended first, or false after `timeoutMs`
   * @throws {StreamingQueryException} if one of the ended queries failed
   * @throws {RangeError} if `timeoutMs` is not a number from 0 up
   */
  async awaitAnyTermination(timeoutMs?: number): Promise<StreamingQuery | false> {
    let first: StreamingQuery | undefined;
    let failed: StreamingQuery | undefined;
    await within(timeoutMs, async (signal) => {
      while (this.#terminated === undefined) await this.#ends.wait(signal);
      [first, failed] = [this.#terminated, this.#failed];
    });
    if (failed !== undefined) throw failed.exception;
    return first ?? false;
  }

  /** Forgets ended queries: `awaitAnyTermination` waits for the next end. */
  resetTerminated(): void {
    for (const [lane, query] of this.#queries) if (!query.isActive) this.#queries.delete(lane);
    this.#terminated = this.#failed = undefined;
  }

  /**
   * Adds a listener to the events of all queries.
   *
   * @throws {TypeError} if it is not an object or one of its methods is not a function
   */
  addListener(listener: StreamingQueryListener): void {
    if (typeof listener !== "object" || listener === null) {
      throw new TypeError(
        `Cannot add listener ${
          shown(listener)
        }: expected an object with methods such as onQueryProgress`,
      );
    }
    for (const method of METHODS) {
      const given = read(listener, method);
      if (given === undefined || typeof given === "function") continue;
      throw new TypeError(
        `Cannot add a listener: ${method} is ${shown(given)}, expected a function`,
      );
    }
    this.#listeners.set(listener, new Listening(listener, this.#report));
  }

  /** Removes a listener. */
  removeListener(listener: StreamingQueryListener): void {
    this.#listeners.delete(listener);
  }

  /**
   * Waits until all queries have processed everything that is in the log now.
   *
   * @throws {StreamingQueryException} if one of them fails first, or has failed
   */
  async processAllAvailable(): Promise<void> {
    await Promise.all(this.all.map((query) => query.processAllAvailable()));
  }

  /** Finishes and commits the running batches, ends all queries and frees their resources. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#control.stop();
  }

  /** The same as `stop`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** @internal */
  begins(query: StreamingQuery): void {
    this.#queries.set(laneId(query), query);
  }

  /** @internal */
  forget(query: StreamingQuery): void {
    if (this.#queries.get(laneId(query)) === query) this.#queries.delete(laneId(query));
  }

  /** @internal */
  notify<K extends keyof StreamingQueryListener>(
    method: K,
    event: Parameters<NonNullable<StreamingQueryListener[K]>>[0],
  ): void {
    if (this.#listeners.size > 0) freeze(event);
    // Not those that are added or removed meanwhile.
    for (const [listener, listening] of [...this.#listeners]) {
      if (this.#listeners.has(listener)) listening.call(method, event);
    }
  }

  /** @internal */
  terminated(query: StreamingQuery): void {
    this.#terminated ??= query;
    if (query.state === "failed") this.#failed ??= query;
    this.#ends.notify();
  }
}
