// The executors of a driver: places lanes, and moves them when one lane blocks its thread.
import type {
  ExecutorConfig,
  FromExecutor,
  LoadedQuery,
  QuerySpec,
  ToExecutor,
} from "../executor/protocol.ts";
import type { Picture, Watched } from "../executor/pictures.ts";
import type { Turn } from "../executor/pulse.ts";
import type { ExecutorLink } from "./executor_link.ts";
import { ExecutorSet, type SetOptions } from "./executor_set.ts";
import { LOOK_INTERVAL_MS, ThreadWatch } from "./thread_watch.ts";

/** At most this many lanes that blocked or crashed an executor get one of their own. */
const MOST_ALONE = 16;

/**
 * Why lanes lost their executor: another lane blocked or crashed it (`other`), it died, or it used too much
 * memory. In the last two cases any of its lanes may be the cause.
 */
export type StrandedBy = "other" | "death" | "memory";

/** What blocks the thread: a call, a large picture, or opening something such as a model. */
export type BlockedBy = "call" | "picture" | "opening";

/** Where to place a lane. */
export interface Placement {
  /** Gets an executor of its own, if another can be started. */
  readonly alone?: boolean;
  /** That executor runs at low priority. */
  readonly yields?: boolean;
}

export interface PoolEvents {
  onMessage(message: FromExecutor): void;
  onPicture(picture: Picture): void;
  /** These lanes lost their executor and must start elsewhere. */
  onStranded(lanes: readonly number[], why: string, how: StrandedBy): void;
  /** A lane blocks its thread, or no longer does (undefined). */
  onBlocked(lane: number, by: BlockedBy | undefined): void;
  /** A lane has blocked its thread so often that it now runs at low priority. */
  onYields(lane: number): void;
  /**
   * A lane crashed its executor or was terminated with it, in this turn if known.
   *
   * @param cut its thread was blocked and may never end
   */
  onEnded(lane: number, why: string, turn: Turn, cut: boolean): void;
  /**
   * Whether a lane may start elsewhere while its thread is blocked: no function of its sink is running there.
   */
  mayMove(lane: number): boolean;
  /** Whether a lane has opened everything it needs. */
  runs(lane: number): boolean;
}

/** How a lane starts, without the plan, which follows from its query. */
export type LaneStart = Omit<ToExecutor & { type: "start" }, "type" | "plan">;

/** Places lanes on executors and moves them when one is blocked. */
export class ExecutorPool {
  readonly #set: ExecutorSet;
  readonly #events: PoolEvents;
  readonly #threads = new ThreadWatch<ExecutorLink>(performance.now());
  /** Executors that take no more lanes: one lane blocks the thread, or has blocked one before. */
  readonly #closedToOthers = new Set<ExecutorLink>();
  /** What reportedly blocks each blocked executor. */
  readonly #blocked = new Map<ExecutorLink, BlockedBy>();
  /** Executors that run at low priority for good. */
  readonly #yielding = new Set<ExecutorLink>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(config: ExecutorConfig, events: PoolEvents, options: SetOptions = {}) {
    this.#events = events;
    this.#set = new ExecutorSet(config, {
      onMessage: (_link, message) => this.#events.onMessage(message),
      onPicture: (picture) => this.#events.onPicture(picture),
      onDeath: (link, error, turn) => this.#end(link, error.message, turn),
    }, options);
  }

  /**
   * Loads a query here and in all future executors.
   *
   * @throws if it cannot be loaded
   */
  load(spec: QuerySpec): Promise<LoadedQuery> {
    return this.#set.load(spec, (link) => !this.#threads.isHeld(link));
  }

  /** Unloads a query without lanes. */
  unload(spec: QuerySpec): void {
    this.#set.unload(spec);
  }

  /** Starts executors for the lanes of all queries in advance, so that they load in parallel. */
  prepare(lanesOf: ReadonlyMap<QuerySpec, number>): void {
    this.#set.prepare(lanesOf);
  }

  /** Starts a lane on the executor with the fewest lanes. */
  start(spec: QuerySpec, start: LaneStart, { alone, yields }: Placement = {}): void {
    const set = this.#set;
    const message = { type: "start", plan: set.planOf(spec), ...start } as const;
    if (set.inThisThread(spec)) return place(set.main(), message);
    this.#timer ??= setInterval(() => this.#check(), LOOK_INTERVAL_MS);
    const own = alone === true && this.#closedToOthers.size < MOST_ALONE;
    const usable = set.workers(spec).filter((link) => !this.#closedToOthers.has(link));
    usable.sort((a, b) => a.lanes.size - b.lanes.size);
    let link = usable[0];
    const more = own || set.hasRoom(usable.length, spec);
    if (link === undefined || more && link.lanes.size > 0) link = set.take(spec) ?? link;
    if (link === undefined) {
      // Deferred: the caller must register the lane first.
      const why = "out of file handles for another executor; raise the limit (ulimit -n)";
      queueMicrotask(() => this.#events.onStranded([message.lane], why, "death"));
      return;
    }
    if (own && link.lanes.size === 0) {
      this.#closedToOthers.add(link);
      if (yields === true) this.#yield(link);
    }
    place(link, message);
    set.spareSoon();
  }

  /** Forwards a message to the executor of the lane. */
  post(message: ToExecutor & { lane: number }): void {
    this.#set.of(message.lane)?.post(message);
  }

  /** Forgets a lane that has ended or was abandoned. */
  ended(lane: number): void {
    const link = this.#set.of(lane);
    if (link === undefined) return;
    link.lanes.delete(lane);
    if (!this.#closedToOthers.has(link) || link.lanes.size > 0) return;
    // The lane that blocked the thread is gone. A thread that is still blocked, or slowed down, is unusable.
    if (this.#threads.isHeld(link) || this.#yielding.has(link)) return this.#dismiss(link);
    this.#closedToOthers.delete(link);
    this.#threads.forget(link);
  }

  /** Whether the lane's executor responds. */
  responsive(lane: number): boolean {
    const link = this.#set.of(lane);
    return link !== undefined && !this.#threads.isHeld(link);
  }

  watch(watched: Watched): void {
    this.#set.watch(watched);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#set.close();
  }

  /** Closes an executor without lanes. */
  #dismiss(link: ExecutorLink, graceMs?: number): void {
    this.#threads.forget(link);
    this.#closedToOthers.delete(link);
    this.#blocked.delete(link);
    this.#yielding.delete(link);
    this.#set.dismiss(link, graceMs);
  }

  /** Terminates an executor at once and moves its lanes. */
  #end(link: ExecutorLink, why: string, turn?: Turn, cut = false): void {
    const guilty = turn !== undefined && link.lanes.delete(turn.lane);
    const others = [...link.lanes];
    link.lanes.clear();
    this.#dismiss(link, 0);
    if (others.length > 0) {
      this.#events.onStranded(others, why, guilty || cut ? "other" : "death");
    }
    if (guilty) this.#events.onEnded(turn.lane, why, turn, cut);
  }

  #yield(link: ExecutorLink): void {
    if (this.#yielding.has(link)) return;
    this.#yielding.add(link);
    link.yieldToOthers();
  }

  /** Finds blocked threads and moves the other lanes away. */
  #check(): void {
    const { rss } = Deno.memoryUsage();
    for (const [link, finding] of this.#threads.look(this.#set.workers(), performance.now(), rss)) {
      switch (finding.kind) {
        case "held":
          this.#isolate(link, finding.turn, finding.often);
          break;
        case "long":
          if (finding.turn.input === undefined) this.#isolate(link, finding.turn, false, true);
          else this.#lowerPriority(link, finding.turn.lane);
          break;
        case "turns":
          this.#resumed(link, finding.turn.lane);
          break;
        case "cut":
          // Deno ends a thread when its turn ends: it takes no processor from others until then.
          link.yieldToOthers(true);
          this.#end(link, finding.why, finding.turn, true);
          break;
        case "grown":
          this.#grown(link, finding.why);
      }
    }
  }

  /**
   * A lane blocks the thread: the others move, and it keeps this executor alone. While it opens something,
   * lanes that are opening too stay: elsewhere they would open the same again.
   *
   * @param long blocked for so long that even those move
   */
  #isolate(link: ExecutorLink, turn: Turn, often: boolean, long = false): void {
    const { lane: culprit, own, input } = turn;
    const by = own ? "picture" : input === undefined ? "opening" : "call";
    const others = [...link.lanes].filter((lane) => lane !== culprit);
    const innocent = others.filter((lane) =>
      this.#events.mayMove(lane) && (by !== "opening" || long || this.#events.runs(lane))
    );
    // These blocks end by themselves, and only matter to lanes that can move.
    if (by !== "call" && innocent.length === 0) return;
    if (!this.#blocked.has(link)) this.#events.onBlocked(culprit, by);
    this.#blocked.set(link, by);
    if (by === "call" && innocent.length < others.length) {
      const why =
        `${link.name} was ended: it held its thread while functions of other queries waited in it`;
      return this.#end(link, why, turn);
    }
    this.#closedToOthers.add(link);
    for (const lane of innocent) {
      // Read once the thread runs again; by then the lane is fenced.
      link.post({ type: "stop", lane, mode: "abort" });
      link.lanes.delete(lane);
    }
    if (innocent.length > 0) {
      this.#events.onStranded(innocent, `${link.name} is held by another query`, "other");
    }
    if (often) this.#lowerPriority(link, culprit);
  }

  /** The thread of an executor runs again; after opening something it is as good as before. */
  #resumed(link: ExecutorLink, lane: number): void {
    const by = this.#blocked.get(link);
    this.#blocked.delete(link);
    if (by === "opening") this.#closedToOthers.delete(link);
    if (by !== undefined && by !== "picture") this.#events.onBlocked(lane, undefined);
  }

  /** A lane blocks its thread often or for long: lower its priority. */
  #lowerPriority(link: ExecutorLink, lane: number): void {
    if (!this.#closedToOthers.has(link) || this.#yielding.has(link)) return;
    this.#yield(link);
    this.#events.onYields(lane);
  }

  /**
   * Ends the executor before it exhausts the process's memory. If it has several lanes, each gets its own
   * executor.
   */
  #grown(link: ExecutorLink, why: string): void {
    const lanes = [...link.lanes];
    if (lanes.length === 1) return this.#end(link, why, { lane: lanes[0]!, own: false });
    link.lanes.clear();
    this.#dismiss(link, 0);
    if (lanes.length > 0) this.#events.onStranded(lanes, why, "memory");
  }
}

function place(link: ExecutorLink, message: ToExecutor & { type: "start" }): void {
  link.lanes.add(message.lane);
  link.post(message);
}
