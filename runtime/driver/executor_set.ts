/**
 * The executors of a driver: started as they are needed, each with all queries loaded.
 *
 * @module
 */
import type { ExecutorPermissions, IfNeeded } from "../executor/narrow.ts";
import type { Watched } from "../executor/pictures.ts";
import type { ExecutorConfig, LoadedQuery, QuerySpec } from "../executor/protocol.ts";
import {
  type ExecutorLink,
  type LinkEvents,
  startInline,
  type StartLink,
  startWorker,
} from "./executor_link.ts";
import { enoughHandles } from "./handles.ts";

const CLOSE_GRACE_MS = 3000;
/** A spare is loaded when the first lanes are well under way: its start would take their processor. */
const SPARE_AFTER_MS = 2000;
/** So few lanes have an executor each, whatever the cores: none can hold another's thread. */
const FEW_LANES = 4;

/** Default number of workers: one for each core, or one for each lane where there are few. */
export function executorsFor(lanes: number, cores = navigator.hardwareConcurrency): number {
  return lanes <= FEW_LANES ? Math.max(cores, lanes) : cores;
}

/** How executors start. */
export interface SetOptions {
  /** Number of workers; 0 runs everything in this thread, undefined for a number that fits the lanes. */
  readonly size?: number | undefined;
  /** What workers may do, which cannot be more than this thread may. Default: the same. */
  readonly permissions?: ExecutorPermissions | undefined;
  /** Starts a worker. */
  readonly startLink?: StartLink;
}

/** Starts executors, loads queries in them, and ends them. */
export class ExecutorSet {
  /** Workers that lanes may be placed on. */
  readonly workers = new Set<ExecutorLink>();
  readonly #config: ExecutorConfig;
  readonly #events: LinkEvents;
  readonly #startLink: StartLink;
  readonly #ifNeeded: IfNeeded | undefined;
  readonly #fixedSize: boolean;
  /** Workers at most; more are started only as more lanes come. */
  #size: number;
  /** Of this thread: runs definitions that are values, since functions do not cross to workers. */
  #inline: ExecutorLink | undefined;
  /** Queries that each executor has loaded, with the numbers of their plans. */
  readonly #plans = new Map<QuerySpec, number>();
  #planNumber = 0;
  /** No other query comes. */
  #complete = false;
  /** Loaded and idle, for the lanes of an executor that is held: they must not wait for a start. */
  #spare: ExecutorLink | undefined;
  #spareTimer: ReturnType<typeof setTimeout> | undefined;
  /** Ends under way. */
  readonly #leaving = new Set<Promise<void>>();
  #started = 0;
  #watched: Watched = new Map();
  #closed = false;

  constructor(config: ExecutorConfig, events: LinkEvents, options: SetOptions = {}) {
    const { size, permissions, startLink } = options;
    this.#config = config;
    this.#events = events;
    this.#size = size ?? 1;
    this.#fixedSize = size !== undefined;
    this.#startLink = startLink ??
      ((name, config, events) => startWorker(name, config, events, permissions?.permissions));
    this.#ifNeeded = permissions?.ifNeeded;
  }

  /** Whether another worker may be started although nothing is wrong with those that are `usable`. */
  hasRoom(usable: number): boolean {
    return usable < Math.max(1, this.#size);
  }

  /** Number of a query's plan; 0 where it was never loaded. */
  planOf(spec: QuerySpec): number {
    return this.#plans.get(spec) ?? 0;
  }

  /**
   * Loads a query, here and in all executors to come.
   *
   * @param turns whether an executor's thread turns.
   * @throws what is wrong with it.
   */
  async load(spec: QuerySpec, turns: (link: ExecutorLink) => boolean): Promise<LoadedQuery> {
    const links = this.inThisThread(spec)
      ? [this.main()]
      : this.#all().filter((link) => link !== this.#inline && turns(link));
    if (links.length === 0) links.push(this.#add());
    const plan = ++this.#planNumber;
    this.#plans.set(spec, plan);
    // All load it at the same time. What is wrong with it each of them would say.
    const [first] = links.map((link) => link.load(plan, spec));
    return await first!;
  }

  /** Forgets a query that no lane runs any more. */
  unload(spec: QuerySpec): void {
    const plan = this.#plans.get(spec);
    if (plan === undefined) return;
    this.#plans.delete(spec);
    for (const link of this.#all()) link.post({ type: "unload", plan });
  }

  /** No other query comes: executors drop the permissions that those here do not need. */
  narrow(): void {
    this.#complete = true;
    for (const link of this.#all()) this.#narrow(link);
  }

  #narrow(link: ExecutorLink): void {
    const ifNeeded = this.#ifNeeded;
    if (!this.#complete || ifNeeded === undefined || link === this.#inline) return;
    link.post({ type: "narrow", ifNeeded });
  }

  /** Starts executors for this many lanes in all, ahead of them: they load at the same time. */
  prepare(lanes: number): void {
    if (!this.#fixedSize) this.#size = Math.max(this.#size, executorsFor(lanes));
    while (this.workers.size < Math.min(lanes, this.#size)) this.#add();
  }

  /** Whether a query runs in this thread. */
  inThisThread({ module }: QuerySpec): boolean {
    return this.#fixedSize && this.#size === 0 || typeof module !== "string";
  }

  /** The executor of this thread. */
  main(): ExecutorLink {
    return this.#inline ??= this.#begin(startInline, (spec) => this.inThisThread(spec));
  }

  /** The spare, or a new worker; undefined when none can be started now. */
  take(): ExecutorLink | undefined {
    if (this.#spare === undefined && !enoughHandles()) return undefined;
    const link = this.#spare ?? this.#worker();
    this.#spare = undefined;
    this.workers.add(link);
    return link;
  }

  /** Has a spare loaded where lanes share an executor: one may hold it, and the others must go. */
  spareSoon(): void {
    const shared = [...this.workers].some(({ lanes }) => lanes.size > 1);
    if (!shared || this.#spare !== undefined || this.#closed) return;
    this.#spareTimer ??= setTimeout(() => {
      this.#spareTimer = undefined;
      if (enoughHandles()) this.#spare ??= this.#worker();
      else this.spareSoon();
    }, SPARE_AFTER_MS);
  }

  /** The executor that runs a lane. */
  of(lane: number): ExecutorLink | undefined {
    return this.#all().find(({ lanes }) => lanes.has(lane));
  }

  /** Says what is wanted of which lanes. */
  watch(watched: Watched): void {
    this.#watched = watched;
    for (const link of this.#all()) link.watch(watched);
  }

  /** Ends an executor that nothing runs on any more. */
  dismiss(link: ExecutorLink, graceMs = CLOSE_GRACE_MS): void {
    this.workers.delete(link);
    const leaving = link.close(graceMs).finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#spareTimer);
    await Promise.all([
      ...this.#all().map((link) => link.close(CLOSE_GRACE_MS)),
      ...this.#leaving,
    ]);
    this.workers.clear();
  }

  #all(): ExecutorLink[] {
    return [...this.workers, this.#spare, this.#inline].filter((link) => link !== undefined);
  }

  #add(): ExecutorLink {
    const link = this.#worker();
    this.workers.add(link);
    return link;
  }

  #worker(): ExecutorLink {
    const link = this.#begin(this.#startLink, (spec) => !this.inThisThread(spec));
    this.#narrow(link);
    return link;
  }

  /** Starts an executor, which loads these queries. */
  #begin(startLink: StartLink, runs: (spec: QuerySpec) => boolean): ExecutorLink {
    const { onMessage, onPicture, onDeath } = this.#events;
    const died: LinkEvents["onDeath"] = (link, error, turn) => {
      if (this.#closed || !this.#all().includes(link)) return;
      if (this.#spare === link) this.#spare = undefined;
      if (this.#inline === link) this.#inline = undefined;
      onDeath(link, error, turn);
    };
    const events = { onMessage, onPicture, onDeath: died };
    const link = startLink(`executor-${++this.#started}`, this.#config, events);
    link.watch(this.#watched);
    for (const [spec, plan] of this.#plans) {
      // A lane that is started there all the same hears what is wrong.
      if (runs(spec)) link.load(plan, spec).catch(() => {});
    }
    link.ready.catch((error) => died(link, error as Error));
    return link;
  }
}
