// Starts executors as they are needed, loads queries in them, and ends them.
import type { Watched } from "../executor/pictures.ts";
import type { ExecutorConfig, LoadedQuery, QuerySpec } from "../executor/protocol.ts";
import {
  type ExecutorLink,
  type LinkEvents,
  startInline,
  type StartLink,
  startWorker,
} from "./executor_link.ts";
import type { Needs } from "../definition/plan_access.ts";
import { type ExecutorPermissions, permissionsFor, type WorkerPermissions } from "./permissions.ts";

const CLOSE_GRACE_MS = 3000;
/** How many executors may die while they load a query. */
const MOST_LOADS = 3;
/** A spare is loaded after the first lanes, whose processor it would take. */
const SPARE_DELAY_MS = 2000;
/** This many lanes or fewer have an executor each, regardless of cores. */
const FEW_LANES = 4;

/** Default number of workers: one per core, or one per lane if there are few lanes. */
export function executorsFor(lanes: number, cores = navigator.hardwareConcurrency): number {
  return lanes <= FEW_LANES ? Math.max(cores, lanes) : cores;
}

export interface SetOptions {
  /** Number of workers; 0 runs everything in this thread; undefined adapts to the lanes. */
  readonly size?: number | undefined;
  /** Permissions of workers, at most this thread's. Default: the same. */
  readonly permissions?: ExecutorPermissions | undefined;
  readonly startLink?: StartLink;
}

/** Executors with the same permissions and queries. */
class Group {
  /** Undefined: this thread's permissions. */
  readonly permissions: WorkerPermissions | undefined;
  /** Plan number of each query. */
  readonly plans = new Map<QuerySpec, number>();
  readonly workers = new Set<ExecutorLink>();
  /** Loaded and idle, for the lanes of a held executor. */
  spare: ExecutorLink | undefined;
  /** The most lanes its queries may have. */
  lanes = 0;

  constructor(permissions?: WorkerPermissions) {
    this.permissions = permissions;
  }

  get links(): ExecutorLink[] {
    return this.spare === undefined ? [...this.workers] : [...this.workers, this.spare];
  }
}

const NOTHING: Needs = { write: [], net: [], libraries: [] };

export class ExecutorSet {
  readonly #config: ExecutorConfig;
  readonly #events: LinkEvents;
  readonly #startLink: StartLink;
  readonly #permissions: ExecutorPermissions | undefined;
  readonly #fixedSize: boolean;
  /** Most workers, besides one of each group; grows with the lanes. */
  #size: number;
  /** This thread: runs definitions that are values, since functions do not cross to workers. */
  #inline: ExecutorLink | undefined;
  readonly #inThisThread = new Group();
  /** For queries without special needs; others are inspected there. */
  readonly #plain: Group;
  readonly #groups = new Map<string, Group>();
  #planNumber = 0;
  /** Queries being inspected. */
  #asked = 0;
  #spareTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #leaving = new Set<Promise<void>>();
  #started = 0;
  #watched: Watched | undefined;
  #closed = false;

  constructor(config: ExecutorConfig, events: LinkEvents, options: SetOptions = {}) {
    const { size, permissions, startLink = startWorker } = options;
    this.#config = config;
    this.#events = events;
    this.#size = size ?? 1;
    this.#fixedSize = size !== undefined;
    this.#startLink = startLink;
    this.#permissions = permissions;
    this.#plain = this.#groupFor(NOTHING);
  }

  /** All workers, or those that may run a query. */
  workers(spec?: QuerySpec): ExecutorLink[] {
    const groups = spec === undefined ? [...this.#groups.values()] : [this.#groupOf(spec)];
    return groups.flatMap(({ workers }) => [...workers]);
  }

  /** Whether another worker may be started for a query besides the `usable` ones. */
  hasRoom(usable: number, spec: QuerySpec): boolean {
    return usable < this.#most(this.#groupOf(spec));
  }

  planOf(spec: QuerySpec): number {
    return this.#groupOf(spec).plans.get(spec) ?? 0;
  }

  /** Loads a query here and in all future executors that may run it. */
  async load(spec: QuerySpec): Promise<LoadedQuery> {
    const plan = ++this.#planNumber;
    if (this.inThisThread(spec)) {
      const link = this.main();
      this.#inThisThread.plans.set(spec, plan);
      return await link.load(plan, spec);
    }
    if (this.#permissions === undefined || spec.needs !== undefined) {
      const expected = this.#groupFor(spec.needs ?? NOTHING);
      const loaded = await this.#loadIn(expected, plan, spec);
      if (this.#groupFor(loaded.access) === expected) return loaded;
      this.unload(spec); // Its module has changed since its needs were determined.
    }
    this.#asked++;
    try {
      const [link, asked] = await this.#loadedBy(this.#plain, () => {
        const link = this.#responding(this.#plain)[0] ?? this.#add(this.#plain);
        return [link, link.load(plan, spec)];
      });
      const group = this.#groupFor(asked.access);
      if (group === this.#plain) {
        group.plans.set(spec, plan);
        for (const one of this.#responding(group)) if (one !== link) void one.load(plan, spec);
        return asked;
      }
      link.post({ type: "unload", plan });
      void this.#loadIn(group, plan, spec);
      return asked;
    } finally {
      this.#asked--;
      this.#endUnused(this.#plain);
    }
  }

  /** Loads a query in the executors of a group, at least one; resolves with the first. */
  async #loadIn(group: Group, plan: number, spec: QuerySpec): Promise<LoadedQuery> {
    const [, loaded] = await this.#loadedBy(group, () => {
      const links = this.#responding(group);
      if (links.length === 0) links.push(this.#add(group));
      group.plans.set(spec, plan);
      // All load it at the same time, and would fail alike.
      const [first] = links.map((link) => link.load(plan, spec));
      return [links[0]!, first!];
    });
    return loaded;
  }

  /** Loads in an executor of a group, and in another if that one dies: a lane in it may be the reason. */
  async #loadedBy(
    group: Group,
    load: () => readonly [link: ExecutorLink, loading: Promise<LoadedQuery>],
  ): Promise<readonly [link: ExecutorLink, loaded: LoadedQuery]> {
    for (let tries = 1;; tries++) {
      const [link, loading] = load();
      try {
        return [link, await loading];
      } catch (error) {
        if (tries === MOST_LOADS || this.#closed || group.links.includes(link)) throw error;
      }
    }
  }

  /** Forgets an unused query. */
  unload(spec: QuerySpec): void {
    const group = this.#groupOf(spec);
    const plan = group.plans.get(spec);
    if (plan === undefined) return;
    group.plans.delete(spec);
    const links = group === this.#inThisThread ? [this.main()] : group.links;
    for (const link of links) link.post({ type: "unload", plan });
    this.#endUnused(group);
  }

  /**
   * Starts executors for the lanes of all queries ahead, so that they load at the same time. Those
   * of a query wait for its plan only if that determines their permissions.
   */
  prepare(lanesOf: ReadonlyMap<QuerySpec, number>): void {
    const groups = [...this.#groups.values()];
    for (const group of groups) group.lanes = 0;
    let all = 0;
    for (const [spec, lanes] of lanesOf) {
      const group = this.#groupOf(spec);
      if (this.#permissions !== undefined && !group.plans.has(spec)) continue;
      group.lanes += lanes;
      all += lanes;
    }
    if (!this.#fixedSize) this.#size = Math.max(this.#size, executorsFor(all));
    for (const group of groups) {
      const most = Math.min(group.lanes, this.#most(group));
      while (group.workers.size < most) this.#add(group);
    }
  }

  /** Whether a query runs in this thread. */
  inThisThread({ module }: QuerySpec): boolean {
    return this.#fixedSize && this.#size === 0 || typeof module !== "string";
  }

  main(): ExecutorLink {
    return this.#inline ??= this.#begin(startInline, this.#inThisThread);
  }

  /** The spare or a new worker for a query; undefined if none can be started now. */
  take(spec: QuerySpec): ExecutorLink | undefined {
    const group = this.#groupOf(spec);
    const { spare } = group;
    if (spare === undefined) return enoughHandles() ? this.#add(group) : undefined;
    group.spare = undefined;
    group.workers.add(spare);
    return spare;
  }

  /** Loads a spare where lanes share an executor: one may hold it. */
  spareSoon(): void {
    const without = () =>
      [...this.#groups.values()].filter(({ workers, spare }) =>
        spare === undefined && [...workers].some(({ lanes }) => lanes.size > 1)
      );
    if (this.#closed || without().length === 0) return;
    this.#spareTimer ??= setTimeout(() => {
      this.#spareTimer = undefined;
      if (!enoughHandles()) return this.spareSoon();
      for (const group of without()) group.spare = this.#begin(this.#startLink, group);
    }, SPARE_DELAY_MS);
  }

  of(run: number): ExecutorLink | undefined {
    return this.#all().find(({ lanes }) => lanes.has(run));
  }

  watch(watched: Watched): void {
    this.#watched = watched;
    for (const link of this.#all()) link.watch(watched);
  }

  /** Ends an unused executor. */
  dismiss(link: ExecutorLink, graceMs = CLOSE_GRACE_MS): void {
    for (const group of this.#groups.values()) {
      group.workers.delete(link);
      if (group.spare === link) group.spare = undefined;
    }
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
    this.#groups.clear();
  }

  #responding({ links }: Group): ExecutorLink[] {
    return links.filter(({ thread }) => !thread.isHeld);
  }

  #all(): ExecutorLink[] {
    const links = [...this.#groups.values()].flatMap(({ links }) => links);
    return this.#inline === undefined ? links : [...links, this.#inline];
  }

  #groupOf(spec: QuerySpec): Group {
    if (this.inThisThread(spec)) return this.#inThisThread;
    return [...this.#groups.values()].find(({ plans }) => plans.has(spec)) ?? this.#plain;
  }

  /** The group with exactly the permissions for these needs. */
  #groupFor(needs: Needs): Group {
    const permissions = this.#permissions && permissionsFor(this.#permissions, needs);
    const key = JSON.stringify(permissions) ?? "";
    const group = this.#groups.get(key) ?? new Group(permissions);
    this.#groups.set(key, group);
    return group;
  }

  /** Most workers of a group: its share by lanes. */
  #most({ lanes }: Group): number {
    const all = [...this.#groups.values()].reduce((sum, group) => sum + group.lanes, 0);
    return Math.max(1, all === 0 ? this.#size : Math.round(this.#size * lanes / all));
  }

  /** Ends the executors of a group without queries. */
  #endUnused(group: Group): void {
    if (this.#permissions === undefined || group.plans.size > 0) return;
    if (group === this.#plain && this.#asked > 0) return;
    for (const link of group.links) if (link.lanes.size === 0) this.dismiss(link);
    if (group === this.#plain || group.links.length > 0) return;
    for (const [key, one] of this.#groups) if (one === group) this.#groups.delete(key);
  }

  #add(group: Group): ExecutorLink {
    const link = this.#begin(this.#startLink, group);
    group.workers.add(link);
    return link;
  }

  /** Starts an executor and loads the group's queries in it. */
  #begin(startLink: StartLink, group: Group): ExecutorLink {
    const { onMessage, onPicture, onDeath } = this.#events;
    const died: LinkEvents["onDeath"] = (link, error, turn) => {
      if (this.#closed || !this.#all().includes(link)) return;
      if (group.spare === link) group.spare = undefined;
      if (this.#inline === link) this.#inline = undefined;
      onDeath(link, error, turn);
    };
    const events = { onMessage, onPicture, onDeath: died };
    const name = `executor-${++this.#started}`;
    const link = startLink(name, this.#config, events, group.permissions);
    if (this.#watched !== undefined) link.watch(this.#watched);
    // A lane that is started there reports what is wrong.
    for (const [spec, plan] of group.plans) link.load(plan, spec).catch(() => {});
    link.ready.catch((error) => died(link, error as Error));
    return link;
  }
}

/** More than a worker opens before it can report an error. */
const WORKER_HANDLES = 48;

/** Whether a worker may be started: Deno ends the process when there is no handle for its event loop. */
function enoughHandles(): boolean {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < WORKER_HANDLES) files.push(Deno.openSync(new URL(import.meta.url)));
    return true;
  } catch (error) {
    return !/too many open files/i.test(String(error));
  } finally {
    for (const file of files) file.close();
  }
}
