// All streaming queries of a driver, and their listeners.
import { messageOf, placeOf, read } from "../base/errors.ts";
import { shown } from "../base/options.ts";
import { Notifier } from "../base/wait.ts";
import type { StreamingQueryProgress } from "../definition/progress.ts";
import type { QueryErrorEvent } from "./query_error.ts";
import type { QueryDefinition } from "../definition/query.ts";
import type { QueryStartOptions } from "./query_spec.ts";
import { type StreamingQuery, within } from "./streaming_query.ts";

/**
 * Observes streaming queries. All methods are optional, and may be asynchronous: what they throw,
 * or reject with, is reported with the listener's name.
 */
export interface StreamingQueryListener {
  /** A run has taken its partition over. */
  onQueryStarted?(event: { id: string; runId: string; name: string; timestamp: string }): unknown;
  /** A batch is committed. */
  onQueryProgress?(event: { progress: StreamingQueryProgress }): unknown;
  /** No frame has come for a while. */
  onQueryIdle?(event: { id: string; runId: string; timestamp: string }): unknown;
  /** A run has ended; `exception` is its error where it failed. A query that starts again has several runs. */
  onQueryTerminated?(event: { id: string; runId: string; exception?: string }): unknown;
  /** A run failed, or an operator failed on an input that was put aside. */
  onQueryError?(event: QueryErrorEvent): unknown;
}

/** A call of this length is reported, milliseconds. */
const SLOW_MS = 250;
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
  #slow = false;

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

export interface ManagerControl {
  readonly stop: () => Promise<void>;
  readonly add: (
    definition: QueryDefinition | URL | string,
    options: QueryStartOptions,
  ) => Promise<readonly StreamingQuery[]>;
  readonly replace: ManagerControl["add"];
  readonly remove: (name: string) => Promise<readonly StreamingQuery[]>;
}

/** Spark's `spark.streams`. */
export class StreamingQueryManager {
  readonly #queries = new Map<string, StreamingQuery>();
  readonly #listeners = new Map<StreamingQueryListener, Listening>();
  readonly #report: (message: string) => void;
  readonly #control: ManagerControl;
  #stopped: Promise<void> | undefined;
  #terminated: StreamingQuery[] = [];
  readonly #ends = new Notifier();

  /** @internal */
  constructor(report: (message: string) => void, control: ManagerControl) {
    this.#report = report;
    this.#control = control;
  }

  /**
   * Starts one more query. Those that run continue untouched.
   *
   * @param definition as `start` takes it; a definition that is a value runs in the main thread.
   * @returns its streaming queries, one for each partition, once they have taken them over.
   * @throws {RangeError} naming every option that cannot be used, or that a query of this name runs.
   * @throws {LogError} when a finite query's topic does not exist.
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
   * Changes a query that runs: ends the one of this name once its batches are committed, and starts this
   * one on its checkpoint ([upgrading](../../docs/upgrading.md) says what may change). A definition that
   * cannot be loaded changes nothing. The code of a module is loaded once in a process: give its URL
   * another query string (`?2`) to have it loaded again.
   *
   * @throws {RangeError} when no query of this name runs here, and as `add`.
   */
  async replace(
    definition: QueryDefinition | URL | string,
    options: QueryStartOptions = {},
  ): Promise<readonly StreamingQuery[]> {
    return await this.#control.replace(definition, options);
  }

  /**
   * Stops one query on all its partitions: finishes and commits the batches that run, and gives the
   * partitions to others of its group. The checkpoint stays.
   *
   * @param name of the definition
   * @returns the streaming queries that it had.
   * @throws {RangeError} when no query of this name runs here.
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
    return this.#queries.get(`${query}-${partition}`);
  }

  /**
   * Waits until any query has ended since the start or the last `resetTerminated`.
   *
   * @returns the query that ended first, or false when `timeoutMs` passed before.
   * @throws {StreamingQueryException} when one of those that have ended failed.
   * @throws {RangeError} when `timeoutMs` is no number from 0 up.
   */
  async awaitAnyTermination(timeoutMs?: number): Promise<StreamingQuery | false> {
    const ended = await within(timeoutMs, async (signal) => {
      while (this.#terminated.length === 0) await this.#ends.wait(signal);
    });
    if (!ended) return false;
    const failed = this.#terminated.find(({ state }) => state === "failed");
    if (failed !== undefined) throw failed.exception;
    return this.#terminated[0]!;
  }

  /** Forgets the queries that have ended: who waits for an end waits for the next one. */
  resetTerminated(): void {
    for (const [lane, query] of this.#queries) if (!query.isActive) this.#queries.delete(lane);
    this.#terminated = [];
  }

  /**
   * From now on this listener hears of all queries.
   *
   * @throws {TypeError} when it is no object.
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
   * Waits until everything that is in the log now is processed by all queries.
   *
   * @throws {StreamingQueryException} when one of them fails first.
   */
  async processAllAvailable(): Promise<void> {
    await Promise.all(this.active.map((query) => query.processAllAvailable()));
  }

  /** Finishes and commits the batches that run, ends all queries and frees what they hold. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#control.stop();
  }

  /** The same as `stop`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** @internal */
  begins(query: StreamingQuery): void {
    this.#queries.set(`${query.query}-${query.partition}`, query);
  }

  /** @internal */
  forget(query: StreamingQuery): void {
    if (this.lane(query.query, query.partition) !== query) return;
    this.#queries.delete(`${query.query}-${query.partition}`);
  }

  /** @internal */
  tell<K extends keyof StreamingQueryListener>(
    method: K,
    event: Parameters<NonNullable<StreamingQueryListener[K]>>[0],
  ): void {
    if (this.#listeners.size > 0) freeze(event);
    for (const listening of this.#listeners.values()) listening.call(method, event);
  }

  /** @internal */
  terminated(query: StreamingQuery): void {
    this.#terminated.push(query);
    this.#ends.notify();
  }
}
