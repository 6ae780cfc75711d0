// Places lanes on executors, and moves them when a lane blocks its thread.
import type { ExecutorConfig, QuerySpec, ToExecutor } from "../executor/protocol.ts";
import type { Turn } from "../executor/pulse.ts";
import type { ExecutorLink, LinkEvents } from "./executor_link.ts";
import { ExecutorSet, type SetOptions } from "./executor_set.ts";
import { LOOK_INTERVAL_MS, ThreadWatch } from "./thread_watch.ts";

/** How many lanes that held or ended an executor get one of their own. */
const MOST_ALONE = 16;

/**
 * Why lanes lost their executor: another lane holds or ended it (`other`), it died, or it kept too
 * much memory, and each of them may be the reason.
 */
export type StrandedBy = "other" | "death" | "memory";

/** What blocks a thread: a call, a large picture, or opening something, such as a model. */
export type BlockedBy = "call" | "picture" | "opening";

export interface Placement {
  /** On a dedicated executor, if another can be started. */
  readonly alone?: boolean;
  /** That executor has low priority. */
  readonly yields?: boolean;
}

export interface PoolEvents extends Omit<LinkEvents, "onDeath"> {
  /** These lanes lost their executor and must start elsewhere. */
  onStranded(lanes: readonly number[], why: string, how: StrandedBy): void;
  /** A lane blocks its thread, or no longer does (undefined). */
  onBlocked(lane: number, by: BlockedBy | undefined): void;
  /** A lane has held its thread so often that it has low priority from now on. */
  onYields(lane: number): void;
  /**
   * A lane has ended its executor, or was ended with it; in this turn, if known.
   *
   * @param cut its thread was blocked and may never end
   */
  onEnded(lane: number, why: string, turn: Turn, cut: boolean): void;
  /** Whether a lane may start elsewhere while its thread is held: no function of it waits there. */
  mayMove(lane: number): boolean;
  runs(lane: number): boolean;
}

/** The start of a lane; its plan follows from its query. */
export type LaneStart = Omit<ToExecutor & { type: "start" }, "type" | "plan">;

export class ExecutorPool {
  readonly executors: ExecutorSet;
  readonly #events: PoolEvents;
  readonly #threads = new ThreadWatch<ExecutorLink>(performance.now());
  /** Executors dedicated to one lane that blocks its thread or has blocked one. */
  readonly #closedToOthers = new Set<ExecutorLink>();
  /** What blocks an executor, if reported. */
  readonly #blocked = new Map<ExecutorLink, BlockedBy>();
  /** Executors of low priority. */
  readonly #yielding = new Set<ExecutorLink>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(config: ExecutorConfig, events: PoolEvents, options: SetOptions = {}) {
    this.#events = events;
    this.executors = new ExecutorSet(config, {
      onMessage: (message) => this.#events.onMessage(message),
      onPicture: (picture) => this.#events.onPicture(picture),
      onDeath: (link, error, turn) => this.#end(link, error.message, turn),
      responds: (link) => !this.#threads.isHeld(link),
    }, options);
  }

  /** Starts a lane on the executor with the fewest lanes. */
  start(spec: QuerySpec, start: LaneStart, { alone, yields }: Placement = {}): void {
    const set = this.executors;
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
      // After the call, so that the lane is registered.
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
    this.executors.of(message.lane)?.post(message);
  }

  /** Forgets a lane that has ended or was abandoned. */
  ended(lane: number): void {
    const link = this.executors.of(lane);
    if (link === undefined) return;
    link.lanes.delete(lane);
    if (!this.#closedToOthers.has(link) || link.lanes.size > 0) return;
    // What held the thread is gone with its lane; a thread still held, or of low priority, cannot
    // be used.
    if (this.#threads.isHeld(link) || this.#yielding.has(link)) return this.#dismiss(link);
    this.#closedToOthers.delete(link);
    this.#threads.forget(link);
  }

  responsive(lane: number): boolean {
    const link = this.executors.of(lane);
    return link !== undefined && !this.#threads.isHeld(link);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.executors.close();
  }

  /** Ends an unused executor. */
  #dismiss(link: ExecutorLink, graceMs?: number): void {
    this.#threads.forget(link);
    this.#closedToOthers.delete(link);
    this.#blocked.delete(link);
    this.#yielding.delete(link);
    this.executors.dismiss(link, graceMs);
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
    this.#yielding.add(link);
    link.yieldToOthers();
  }

  /** Finds held threads, and moves the other lanes. */
  #check(): void {
    const resident = () => Deno.memoryUsage().rss;
    const found = this.#threads.look(this.executors.workers(), performance.now(), resident);
    for (const [link, finding] of found) {
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
          // Deno ends a thread when its turn ends: until then it has low priority.
          link.yieldToOthers(true);
          this.#end(link, finding.why, finding.turn, true);
          break;
        case "grown":
          this.#grown(link, finding.why);
      }
    }
  }

  /**
   * Moves the other lanes off a blocked thread. While the lane opens something, lanes that do so too stay,
   * since elsewhere they would start over.
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
    // These end by themselves, and delay only lanes that could move.
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
      // It takes effect once the thread responds; by then the lane is fenced.
      link.post({ type: "stop", lane, mode: "abort" });
      link.lanes.delete(lane);
    }
    if (innocent.length > 0) {
      this.#events.onStranded(innocent, `${link.name} is held by another query`, "other");
    }
    if (often) this.#lowerPriority(link, culprit);
  }

  /** The thread responds again; if it was opening something, it returns to normal use. */
  #resumed(link: ExecutorLink, lane: number): void {
    const by = this.#blocked.get(link);
    this.#blocked.delete(link);
    if (by === "opening") this.#closedToOthers.delete(link);
    if (by !== undefined && by !== "picture") this.#events.onBlocked(lane, undefined);
  }

  /** Lowers the priority of a lane that blocks its thread often or for long. */
  #lowerPriority(link: ExecutorLink, lane: number): void {
    if (!this.#closedToOthers.has(link) || this.#yielding.has(link)) return;
    this.#yield(link);
    this.#events.onYields(lane);
  }

  /**
   * The executor ends before the process runs out of memory. Each of several lanes gets its own.
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
