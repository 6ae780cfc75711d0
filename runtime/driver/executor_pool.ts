// The executors of a driver: who runs what, and what happens when one lane holds its thread.
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

/** Lanes that held or ended an executor have one of their own, but for all beyond this many. */
const MOST_ALONE = 16;

/**
 * What lanes lost their executor by: another lane holds or ended it (`other`), it died, or it kept too much
 * memory, and each of them may be the reason.
 */
export type StrandedBy = "other" | "death" | "memory";

/** What a lane holds its thread by: a call, a large picture, or opening something, such as a model. */
export type BlockedBy = "call" | "picture" | "opening";

/** How a lane is placed. */
export interface Placement {
  /** It gets an executor of its own, where another can be started. */
  readonly alone?: boolean;
  /** That executor works behind all others. */
  readonly yields?: boolean;
}

/** What the pool reports to. */
export interface PoolEvents {
  onMessage(message: FromExecutor): void;
  onPicture(picture: Picture): void;
  /** These lanes lost their executor and must start elsewhere. */
  onStranded(lanes: readonly number[], why: string, how: StrandedBy): void;
  /** A lane holds its thread, or no longer does (undefined). */
  onBlocked(lane: number, by: BlockedBy | undefined): void;
  /** A lane has held its thread so often that it works behind all others from now on. */
  onYields(lane: number): void;
  /**
   * A lane has ended its executor, or had to be ended with it; in this turn, where that is known.
   *
   * @param cut its thread was held, and may never end.
   */
  onEnded(lane: number, why: string, turn: Turn, cut: boolean): void;
  /** Whether a lane may start elsewhere while its thread is held: none of its functions waits there. */
  mayMove(lane: number): boolean;
  /** Whether a lane has opened all that it needs. */
  runs(lane: number): boolean;
}

/** How a lane starts; its plan follows from its query. */
export type LaneStart = Omit<ToExecutor & { type: "start" }, "type" | "plan">;

/** Places lanes on executors, and brings them elsewhere when one is held. */
export class ExecutorPool {
  readonly #set: ExecutorSet;
  readonly #events: PoolEvents;
  readonly #watch = new ThreadWatch<ExecutorLink>(performance.now());
  /** Executors on which nothing else is placed: one lane holds the thread, or has held one. */
  readonly #closedToOthers = new Set<ExecutorLink>();
  /** What held executors are held by, where that was reported. */
  readonly #blocked = new Map<ExecutorLink, BlockedBy>();
  /** Executors that work behind all others, for good. */
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
   * Loads a query, here and in all executors to come.
   *
   * @throws what is wrong with it.
   */
  load(spec: QuerySpec): Promise<LoadedQuery> {
    return this.#set.load(spec, (link) => !this.#watch.isHeld(link));
  }

  /** Forgets a query that no lane runs any more. */
  unload(spec: QuerySpec): void {
    this.#set.unload(spec);
  }

  /** Starts executors for the lanes of all queries, ahead of them: they load at the same time. */
  prepare(lanesOf: ReadonlyMap<QuerySpec, number>): void {
    this.#set.prepare(lanesOf);
  }

  /** Starts a lane on the executor with the fewest. */
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
      // Not from within the call: who starts a lane must have noted it first.
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

  /** Passes a message on to the executor that runs the lane. */
  post(message: ToExecutor & { lane: number }): void {
    this.#set.of(message.lane)?.post(message);
  }

  /** Forgets a lane that has ended, or that is given up. */
  ended(lane: number): void {
    const link = this.#set.of(lane);
    if (link === undefined) return;
    link.lanes.delete(lane);
    if (!this.#closedToOthers.has(link) || link.lanes.size > 0) return;
    // What held the thread is gone with its lane; a thread that is held even so, or slow, cannot be used.
    if (this.#watch.isHeld(link) || this.#yielding.has(link)) return this.#dismiss(link);
    this.#closedToOthers.delete(link);
    this.#watch.forget(link);
  }

  /** Whether the lane's executor answers. */
  responsive(lane: number): boolean {
    const link = this.#set.of(lane);
    return link !== undefined && !this.#watch.isHeld(link);
  }

  /** Says what is wanted of which lanes. */
  watch(watched: Watched): void {
    this.#set.watch(watched);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#set.close();
  }

  /** Ends an executor that nothing runs on any more. */
  #dismiss(link: ExecutorLink, graceMs?: number): void {
    this.#watch.forget(link);
    this.#closedToOthers.delete(link);
    this.#blocked.delete(link);
    this.#yielding.delete(link);
    this.#set.dismiss(link, graceMs);
  }

  /** Ends an executor at once; its lanes start elsewhere. */
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

  /** From now on the executor works behind all others. */
  #yield(link: ExecutorLink): void {
    if (this.#yielding.has(link)) return;
    this.#yielding.add(link);
    link.yieldToOthers();
  }

  /** Finds threads that do not turn, and brings the innocent lanes to others. */
  #check(): void {
    const { rss } = Deno.memoryUsage();
    for (const [link, finding] of this.#watch.look(this.#set.workers(), performance.now(), rss)) {
      switch (finding.kind) {
        case "held":
          this.#held(link, finding.turn, finding.often);
          break;
        case "long":
          if (finding.turn.input === undefined) this.#held(link, finding.turn, false, true);
          else this.#holdsMuch(link, finding.turn.lane);
          break;
        case "turns":
          this.#turns(link, finding.turn.lane);
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
   * A lane holds the thread: the others start elsewhere, and it keeps this executor for itself. Where it opens
   * something, lanes that do so too stay: elsewhere they would open the same again.
   *
   * @param long it has held the thread for so long that they go, too.
   */
  #held(link: ExecutorLink, turn: Turn, often: boolean, long = false): void {
    const { lane: culprit, own, input } = turn;
    const by = own ? "picture" : input === undefined ? "opening" : "call";
    const others = [...link.lanes].filter((lane) => lane !== culprit);
    const innocent = others.filter((lane) =>
      this.#events.mayMove(lane) && (by !== "opening" || long || this.#events.runs(lane))
    );
    // These end by themselves, and trouble only those that could be elsewhere.
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
      // Heard when the thread turns again; by then the lane is fenced.
      link.post({ type: "stop", lane, mode: "abort" });
      link.lanes.delete(lane);
    }
    if (innocent.length > 0) {
      this.#events.onStranded(innocent, `${link.name} is held by another query`, "other");
    }
    if (often) this.#holdsMuch(link, culprit);
  }

  /** The thread of an executor turns again; one whose lane has opened something is as good as before. */
  #turns(link: ExecutorLink, lane: number): void {
    const by = this.#blocked.get(link);
    this.#blocked.delete(link);
    if (by === "opening") this.#closedToOthers.delete(link);
    if (by !== undefined && by !== "picture") this.#events.onBlocked(lane, undefined);
  }

  /** A lane holds its thread often, or for long: it works behind all others. */
  #holdsMuch(link: ExecutorLink, lane: number): void {
    if (!this.#closedToOthers.has(link) || this.#yielding.has(link)) return;
    this.#yield(link);
    this.#events.onYields(lane);
  }

  /** The executor ends before it takes the process with it. Of several lanes each gets one of its own. */
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
