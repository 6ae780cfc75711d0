/**
 * The executors of a driver: who runs what, and what happens when one lane holds its thread.
 *
 * @module
 */
import type {
  ExecutorConfig,
  FromExecutor,
  LoadedQuery,
  QuerySpec,
  ToExecutor,
} from "../executor/protocol.ts";
import type { Picture, Watched } from "../executor/pictures.ts";
import { type ExecutorLink, startInline, type StartLink, startWorker } from "./executor_link.ts";
import { enoughHandles } from "./handles.ts";

/** A thread that shows no life for this long is held, milliseconds. */
const BLOCKED_AFTER_MS = 400;
/** One that is held by no lane that is known is ended after this time, milliseconds. */
const LOST_AFTER_MS = 60_000;
const CHECK_INTERVAL_MS = 50;
const CLOSE_GRACE_MS = 3000;
/** A spare is loaded when the first lanes are well under way: its start would take their processor. */
const SPARE_AFTER_MS = 2000;
/** So few lanes have an executor each, whatever the cores: none can hold another's thread. */
const FEW_LANES = 4;
/** Lanes that held or ended an executor have one of their own, but for all beyond this many. */
const MOST_ALONE = 16;

/** Default number of workers: one for each core, or one for each lane where there are few. */
export function executorsFor(lanes: number, cores = navigator.hardwareConcurrency): number {
  return lanes <= FEW_LANES ? Math.max(cores, lanes) : cores;
}

/** Whom the pool tells. */
export interface PoolEvents {
  onMessage(message: FromExecutor): void;
  onPicture(picture: Picture): void;
  /** These lanes lost their executor, which died or is `held` by another, and must start elsewhere. */
  onStranded(lanes: readonly number[], why: string, held: boolean): void;
  /** A lane holds its thread, or no longer does. */
  onBlocked(lane: number, blocked: boolean): void;
  /** A lane has ended its executor, or had to be ended with it. */
  onEnded(lane: number, why: string): void;
  /** Whether a lane may start elsewhere while its thread is held: none of its functions waits there. */
  mayMove(lane: number): boolean;
}

/** How a pool starts executors. */
export interface PoolOptions {
  /** Number of workers; 0 runs everything in this thread, undefined for a number that fits the lanes. */
  readonly size?: number | undefined;
  /** What workers may do, which cannot be more than this thread may. Default: the same. */
  readonly permissions?: Deno.PermissionOptionsObject | undefined;
  /** Starts a worker. */
  readonly startLink?: StartLink;
}

/** A query's lane, and the plan that it runs. */
export type LaneStart = Omit<ToExecutor & { type: "start" }, "type" | "plan">;

/** Starts executors as they are needed, loads queries in them and places lanes on them. */
export class ExecutorPool {
  readonly #config: ExecutorConfig;
  /** Workers at most; more are started only as more lanes come. */
  #size: number;
  readonly #fixedSize: boolean;
  readonly #events: PoolEvents;
  readonly #startLink: StartLink;
  readonly #links = new Set<ExecutorLink>();
  /** Of this thread: runs definitions that are values, since functions do not cross to workers. */
  #inline: ExecutorLink | undefined;
  /** Queries that each executor has loaded, with the numbers of their plans. */
  readonly #plans = new Map<QuerySpec, number>();
  #planNumber = 0;
  /** Loaded and idle, for the lanes of an executor that is held: they must not wait for a start. */
  #spare: ExecutorLink | undefined;
  #spareTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #pulses = new Map<ExecutorLink, { alive: number; since: number }>();
  readonly #blocked = new Map<ExecutorLink, number>();
  /** Executors on which nothing else is placed: one lane holds the thread, or has held one. */
  readonly #closedToOthers = new Set<ExecutorLink>();
  #checkedAt = performance.now();
  /** Ends under way. */
  readonly #leaving = new Set<Promise<void>>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #started = 0;
  #watched: Watched = new Map();
  #closed = false;

  constructor(config: ExecutorConfig, events: PoolEvents, options: PoolOptions = {}) {
    const { size, permissions, startLink } = options;
    this.#config = config;
    this.#size = size ?? 1;
    this.#fixedSize = size !== undefined;
    this.#events = events;
    this.#startLink = startLink ??
      ((name, config, events) => startWorker(name, config, events, permissions));
  }

  /**
   * Loads a query, here and in all executors to come.
   *
   * @throws what is wrong with it.
   */
  async load(spec: QuerySpec): Promise<LoadedQuery> {
    const links = this.#inThisThread(spec) ? [this.#main()] : this.#turning();
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

  /** Starts executors for this many lanes in all, ahead of them: they load at the same time. */
  prepare(lanes: number): void {
    if (!this.#fixedSize) this.#size = Math.max(this.#size, executorsFor(lanes));
    while (this.#links.size < Math.min(lanes, this.#size)) this.#link();
  }

  /**
   * Starts a lane on the executor with the fewest.
   *
   * @param alone the lane gets an executor of its own, where there is one to be had.
   */
  start(spec: QuerySpec, start: LaneStart, alone = false): void {
    const message = { type: "start", plan: this.#plans.get(spec) ?? 0, ...start } as const;
    if (this.#inThisThread(spec)) return place(this.#main(), message);
    const own = alone && this.#closedToOthers.size < MOST_ALONE;
    const usable = [...this.#links].filter((link) => !this.#closedToOthers.has(link));
    usable.sort((a, b) => a.lanes.size - b.lanes.size);
    let link = usable[0];
    const room = usable.length < Math.max(1, this.#size);
    if (link === undefined || ((room || own) && link.lanes.size > 0)) link = this.#take() ?? link;
    if (link === undefined) {
      // Not from within the call: who starts a lane must have noted it first.
      const why = "out of file handles for another executor; raise the limit (ulimit -n)";
      queueMicrotask(() => this.#events.onStranded([message.lane], why, false));
      return;
    }
    if (own && link.lanes.size === 0) this.#closedToOthers.add(link);
    place(link, message);
    this.#spareSoon();
  }

  /** Passes a message on to the executor that runs the lane. */
  post(message: ToExecutor & { lane: number }): void {
    this.#linkOf(message.lane)?.post(message);
  }

  /** Forgets a lane that has ended, or that is given up. */
  ended(lane: number): void {
    const link = this.#linkOf(lane);
    if (link === undefined) return;
    link.lanes.delete(lane);
    if (!this.#closedToOthers.has(link) || link.lanes.size > 0) return;
    // What held the thread is gone with its lane; a thread that is held even so is of no use.
    if (this.#blocked.has(link)) this.#dismiss(link);
    else this.#closedToOthers.delete(link);
  }

  /** Whether the lane's executor answers. */
  responsive(lane: number): boolean {
    const link = this.#linkOf(lane);
    return link !== undefined && !this.#blocked.has(link);
  }

  /** Says what is wanted of which lanes. */
  watch(watched: Watched): void {
    this.#watched = watched;
    for (const link of this.#all()) link.watch(watched);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#spareTimer);
    await Promise.all([
      ...this.#all().map((link) => link.close(CLOSE_GRACE_MS)),
      ...this.#leaving,
    ]);
    this.#links.clear();
  }

  #all(): ExecutorLink[] {
    return [...this.#links, this.#spare, this.#inline].filter((link) => link !== undefined);
  }

  #linkOf(lane: number): ExecutorLink | undefined {
    return this.#all().find(({ lanes }) => lanes.has(lane));
  }

  #inThisThread({ module }: QuerySpec): boolean {
    return this.#fixedSize && this.#size === 0 || typeof module !== "string";
  }

  /** The executor of this thread. */
  #main(): ExecutorLink {
    return this.#inline ??= this.#begin(startInline, (spec) => this.#inThisThread(spec));
  }

  /** The workers whose threads turn, and at least one. */
  #turning(): ExecutorLink[] {
    const links = this.#all().filter((link) => link !== this.#inline && !this.#blocked.has(link));
    return links.length > 0 ? links : [this.#link()];
  }

  /** The spare, or a new executor; undefined when none can be started now. */
  #take(): ExecutorLink | undefined {
    if (this.#spare === undefined && !enoughHandles()) return undefined;
    const link = this.#spare ?? this.#worker();
    this.#spare = undefined;
    this.#links.add(link);
    return link;
  }

  /** Has a spare loaded where lanes share an executor: one may hold it, and the others must go. */
  #spareSoon(): void {
    const shared = [...this.#links].some(({ lanes }) => lanes.size > 1);
    if (!shared || this.#spare !== undefined || this.#closed) return;
    this.#spareTimer ??= setTimeout(() => {
      this.#spareTimer = undefined;
      if (enoughHandles()) this.#spare ??= this.#worker();
      else this.#spareSoon();
    }, SPARE_AFTER_MS);
  }

  #link(): ExecutorLink {
    const link = this.#worker();
    this.#links.add(link);
    return link;
  }

  #worker(): ExecutorLink {
    this.#timer ??= setInterval(() => this.#check(), CHECK_INTERVAL_MS);
    return this.#begin(this.#startLink, (spec) => !this.#inThisThread(spec));
  }

  /** Starts an executor, which loads these queries. */
  #begin(startLink: StartLink, runs: (spec: QuerySpec) => boolean): ExecutorLink {
    const events = {
      onMessage: (_link: ExecutorLink, message: FromExecutor) => this.#events.onMessage(message),
      onPicture: (picture: Picture) => this.#events.onPicture(picture),
      onDeath: (link: ExecutorLink, error: Error, lane: number) => this.#died(link, error, lane),
    };
    const link = startLink(`executor-${++this.#started}`, this.#config, events);
    link.watch(this.#watched);
    for (const [spec, plan] of this.#plans) {
      // A lane that is started there all the same hears what is wrong.
      if (runs(spec)) link.load(plan, spec).catch(() => {});
    }
    link.ready.catch((error) => this.#died(link, error as Error, 0));
    return link;
  }

  /** Ends an executor that nothing runs on any more. */
  #dismiss(link: ExecutorLink, graceMs = CLOSE_GRACE_MS): void {
    this.#links.delete(link);
    this.#pulses.delete(link);
    this.#blocked.delete(link);
    this.#closedToOthers.delete(link);
    const leaving = link.close(graceMs).finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  /** An executor has ended, by the fault of a lane where that is known. */
  #died(link: ExecutorLink, error: Error, lane: number): void {
    if (this.#closed) return;
    if (!this.#all().includes(link)) return;
    if (this.#spare === link) this.#spare = undefined;
    if (this.#inline === link) this.#inline = undefined;
    this.#end(link, lane, error.message);
  }

  /** Ends an executor at once; its lanes start elsewhere. */
  #end(link: ExecutorLink, culprit: number, why: string): void {
    const guilty = link.lanes.delete(culprit);
    const others = [...link.lanes];
    link.lanes.clear();
    this.#dismiss(link, 0);
    if (others.length > 0) this.#events.onStranded(others, why, guilty);
    if (guilty) this.#events.onEnded(culprit, why);
  }

  /** Finds threads that do not turn, and brings the innocent lanes to others. */
  #check(): void {
    const now = performance.now();
    // Where this thread does not get its turns, the others have an excuse.
    const late = Math.max(0, now - this.#checkedAt - 2 * CHECK_INTERVAL_MS);
    this.#checkedAt = now;
    for (const link of this.#links) {
      const pulse = link.pulse();
      if (pulse === undefined) continue;
      const last = this.#pulses.get(link);
      if (last === undefined || last.alive !== pulse.alive) {
        this.#pulses.set(link, { alive: pulse.alive, since: now });
        const lane = this.#blocked.get(link);
        if (lane !== undefined) {
          this.#blocked.delete(link);
          this.#events.onBlocked(lane, false);
        }
        continue;
      }
      last.since += late;
      if (now - last.since < BLOCKED_AFTER_MS || this.#blocked.has(link)) continue;
      if (link.lanes.has(pulse.lane)) this.#held(link, pulse.lane);
      else if (link.lanes.size > 0 && now - last.since > LOST_AFTER_MS) {
        this.#end(link, 0, `${link.name} is held by work that belongs to no query`);
      }
    }
  }

  /** A lane holds the thread: the others start elsewhere, and it keeps this executor for itself. */
  #held(link: ExecutorLink, culprit: number): void {
    const innocent = [...link.lanes].filter((lane) => lane !== culprit);
    this.#blocked.set(link, culprit);
    this.#events.onBlocked(culprit, true);
    if (!innocent.every((lane) => this.#events.mayMove(lane))) {
      const why =
        `${link.name} was ended: it held its thread while functions of other queries waited in it`;
      return this.#end(link, culprit, why);
    }
    this.#closedToOthers.add(link);
    for (const lane of innocent) {
      // Heard when the thread turns again; by then the lane is fenced.
      link.post({ type: "stop", lane, mode: "abort" });
      link.lanes.delete(lane);
    }
    if (innocent.length > 0) {
      this.#events.onStranded(innocent, `${link.name} is held by another query`, true);
    }
  }
}

function place(link: ExecutorLink, message: ToExecutor & { type: "start" }): void {
  link.lanes.add(message.lane);
  link.post(message);
}
