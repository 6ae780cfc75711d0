/**
 * The executors of a driver: who runs what, and what happens when one lane holds its thread.
 *
 * @module
 */
import type {
  ExecutorConfig,
  FromExecutor,
  LoadedQueries,
  ToExecutor,
} from "../executor/protocol.ts";
import type { Picture } from "../executor/pictures.ts";
import type { Turn } from "../executor/pulse.ts";
import { type ExecutorLink, linkStarter, type StartLink } from "./executor_link.ts";
import { enoughHandles } from "./handles.ts";
import { LOOK_INTERVAL_MS, ThreadWatch } from "./thread_watch.ts";

const CLOSE_GRACE_MS = 3000;
/** A spare is loaded when the first lanes are well under way: its start would take their processor. */
const SPARE_AFTER_MS = 2000;
/** So few lanes have an executor each, whatever the cores: none can hold another's thread. */
const FEW_LANES = 4;
/** Lanes that held or ended an executor have one of their own, but for all beyond this many. */
const MOST_ALONE = 16;

/** Workers unless told: one for each core, or one for each lane where there are few. */
export function executorsFor(lanes: number, cores = navigator.hardwareConcurrency): number {
  return lanes <= FEW_LANES ? Math.max(cores, lanes) : cores;
}

/**
 * What lanes lost their executor by: another lane holds or ended it (`other`), it died, or it kept too much
 * memory, and each of them may be the reason.
 */
export type StrandedBy = "other" | "death" | "memory";

/** How a lane is placed. */
export interface Placement {
  /** It gets an executor of its own, where there is one to be had. */
  readonly alone?: boolean;
  /** That executor works behind all others. */
  readonly yields?: boolean;
}

/** Whom the pool tells. */
export interface PoolEvents {
  onMessage(message: FromExecutor): void;
  onPicture(picture: Picture): void;
  /** These lanes lost their executor and must start elsewhere. */
  onStranded(lanes: readonly number[], why: string, how: StrandedBy): void;
  /** A lane holds its thread, or no longer does (undefined). */
  onBlocked(lane: number, by: "call" | "picture" | undefined): void;
  /** A lane has held its thread so often that it works behind all others from now on. */
  onYields(lane: number): void;
  /** A lane has ended its executor, or had to be ended with it; in this turn, where that is known. */
  onEnded(lane: number, why: string, turn?: Turn): void;
  /** Whether a lane may start elsewhere while its thread is held: none of its functions waits there. */
  mayMove(lane: number): boolean;
}

/** Starts executors as they are needed and places lanes on them. */
export class ExecutorPool {
  readonly #config: ExecutorConfig;
  /** Undefined until the lanes are known that decide it. */
  #size: number | undefined;
  readonly #events: PoolEvents;
  readonly #startLink: StartLink;
  readonly #links = new Set<ExecutorLink>();
  /** Loaded and idle, for the lanes of an executor that is held: they must not wait for a start. */
  #spare: ExecutorLink | undefined;
  #spareTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #watch = new ThreadWatch<ExecutorLink>(performance.now());
  /** Executors on which nothing else is placed: one lane holds the thread, or has held one. */
  readonly #closedToOthers = new Set<ExecutorLink>();
  /** Executors that work behind all others, for good. */
  readonly #yielding = new Set<ExecutorLink>();
  /** Ends under way. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  #started = 0;
  #watched = false;
  #closed = false;

  /** @param size number of workers; 0 runs everything in this thread, undefined goes by the lanes. */
  constructor(
    config: ExecutorConfig,
    size: number | undefined,
    events: PoolEvents,
    startLink: StartLink = linkStarter(size),
  ) {
    this.#config = config;
    this.#size = size;
    this.#events = events;
    this.#startLink = startLink;
    if (size !== 0) this.#timer = setInterval(() => this.#check(), LOOK_INTERVAL_MS);
  }

  /** Starts the first executor and loads the queries: reports what is wrong with them at once. */
  async open(): Promise<LoadedQueries> {
    return await this.#link().ready;
  }

  /** Starts executors for so many lanes, ahead of them: they load at the same time. */
  prepare(lanes: number): void {
    this.#size ??= executorsFor(lanes);
    while (this.#links.size < Math.min(lanes, this.#size)) this.#link();
  }

  /** Starts a lane on the executor with the fewest. */
  start(message: ToExecutor & { type: "start" }, { alone, yields }: Placement = {}): void {
    const own = alone === true && this.#size !== 0 && this.#closedToOthers.size < MOST_ALONE;
    const usable = [...this.#links].filter((link) => !this.#closedToOthers.has(link));
    usable.sort((a, b) => a.lanes.size - b.lanes.size);
    let link = usable[0];
    const room = usable.length < Math.max(1, this.#size ?? 1);
    if (link === undefined || ((room || own) && link.lanes.size > 0)) link = this.#take() ?? link;
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
    link.lanes.add(message.lane);
    link.post(message);
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
    // What held the thread is gone with its lane; a thread that is held even so, or slow, is of no use.
    if (this.#watch.isHeld(link) || this.#yielding.has(link)) return this.#dismiss(link);
    this.#closedToOthers.delete(link);
    this.#watch.forget(link);
  }

  /** Whether the lane's executor answers. */
  responsive(lane: number): boolean {
    const link = this.#linkOf(lane);
    return link !== undefined && !this.#watch.isHeld(link);
  }

  /** Whether anybody looks at pictures. */
  watch(watched: boolean): void {
    if (watched === this.#watched) return;
    this.#watched = watched;
    for (const link of this.#links) link.watch(watched);
    this.#spare?.watch(watched);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#spareTimer);
    const all = [...this.#links, ...(this.#spare === undefined ? [] : [this.#spare])];
    await Promise.all([...all.map((link) => link.close(CLOSE_GRACE_MS)), ...this.#leaving]);
    this.#links.clear();
  }

  #linkOf(lane: number): ExecutorLink | undefined {
    for (const link of this.#links) if (link.lanes.has(lane)) return link;
  }

  /** The spare, or a new executor; undefined when none can be started now. */
  #take(): ExecutorLink | undefined {
    if (this.#spare === undefined && this.#size !== 0 && !enoughHandles()) return undefined;
    const link = this.#spare ?? this.#begin();
    this.#spare = undefined;
    this.#links.add(link);
    return link;
  }

  /** Has a spare loaded where lanes share an executor: one may hold it, and the others must go. */
  #spareSoon(): void {
    const shared = [...this.#links].some(({ lanes }) => lanes.size > 1);
    if (!shared || this.#size === 0 || this.#spare !== undefined || this.#closed) return;
    this.#spareTimer ??= setTimeout(() => {
      this.#spareTimer = undefined;
      if (enoughHandles()) this.#spare ??= this.#begin();
      else this.#spareSoon();
    }, SPARE_AFTER_MS);
  }

  #link(): ExecutorLink {
    const link = this.#begin();
    this.#links.add(link);
    return link;
  }

  #begin(): ExecutorLink {
    const events = {
      onMessage: (_link: ExecutorLink, message: FromExecutor) => this.#events.onMessage(message),
      onPicture: (picture: Picture) => this.#events.onPicture(picture),
      onDeath: (link: ExecutorLink, error: Error, turn?: Turn) => this.#died(link, error, turn),
    };
    const link = this.#startLink(`executor-${++this.#started}`, this.#config, events);
    if (this.#watched) link.watch(true);
    link.ready.catch((error) => this.#died(link, error as Error));
    return link;
  }

  /** Ends an executor that nothing runs on any more. */
  #dismiss(link: ExecutorLink, graceMs = CLOSE_GRACE_MS): void {
    this.#links.delete(link);
    this.#watch.forget(link);
    this.#closedToOthers.delete(link);
    this.#yielding.delete(link);
    const leaving = link.close(graceMs).finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  /** An executor has ended, by the fault of a lane where that is known. */
  #died(link: ExecutorLink, error: Error, turn?: Turn): void {
    if (this.#closed) return;
    const spare = this.#spare === link;
    if (spare) this.#spare = undefined;
    if (!spare && !this.#links.has(link)) return;
    this.#end(link, error.message, turn);
  }

  /** Ends an executor at once; its lanes start elsewhere. */
  #end(link: ExecutorLink, why: string, turn?: Turn): void {
    const guilty = turn !== undefined && link.lanes.delete(turn.lane);
    const others = [...link.lanes];
    link.lanes.clear();
    this.#dismiss(link, 0);
    if (others.length > 0) this.#events.onStranded(others, why, guilty ? "other" : "death");
    if (guilty) this.#events.onEnded(turn.lane, why, turn);
  }

  /** From now on the executor works in what all other threads leave. */
  #yield(link: ExecutorLink): void {
    if (this.#yielding.has(link)) return;
    this.#yielding.add(link);
    link.post({ type: "yield" });
  }

  /** Finds threads that do not turn, and brings the innocent lanes to others. */
  #check(): void {
    const { rss } = Deno.memoryUsage();
    for (const [link, finding] of this.#watch.look(this.#links, performance.now(), rss)) {
      switch (finding.kind) {
        case "held":
          this.#held(link, finding.turn);
          break;
        case "turns":
          this.#turns(link, finding.turn, finding.often);
          break;
        case "cut":
          this.#end(link, finding.why, finding.turn);
          break;
        case "grown":
          this.#grown(link, finding.why);
      }
    }
  }

  /** A lane holds the thread: the others start elsewhere, and it keeps this executor for itself. */
  #held(link: ExecutorLink, turn: Turn): void {
    const { lane: culprit, own } = turn;
    const innocent = [...link.lanes].filter((lane) => lane !== culprit);
    // A large picture of a lane by itself troubles nobody.
    if (own && innocent.length === 0) return;
    this.#events.onBlocked(culprit, own ? "picture" : "call");
    if (!innocent.every((lane) => this.#events.mayMove(lane))) {
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
  }

  /** The thread goes on. */
  #turns(link: ExecutorLink, { lane, own }: Turn, often: boolean): void {
    if (!own) this.#events.onBlocked(lane, undefined);
    if (!often || !this.#closedToOthers.has(link) || this.#yielding.has(link)) return;
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
