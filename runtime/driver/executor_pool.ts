// Places lanes on executors, and moves them when a lane blocks its thread.
import type { Picture } from "../executor/pictures.ts";
import type { ExecutorConfig, FromExecutor, ToExecutor } from "../executor/protocol.ts";
import type { Turn } from "../executor/pulse.ts";
import type { BlockedBy, ExecutorLink, PooledLane, StrandedBy } from "./executor_link.ts";
import { ExecutorSet, type SetOptions } from "./executor_set.ts";
import { LOOK_INTERVAL_MS, ThreadWatch } from "./thread_watch.ts";

/** How many lanes that held or ended an executor get one of their own. */
const MOST_ALONE = 16;

export interface Placement {
  /** On a dedicated executor, if another can be started. */
  readonly alone?: boolean;
  /** That executor has low priority. */
  readonly yields?: boolean;
}

export interface PoolEvents {
  readonly onPicture: (picture: Picture) => void;
  readonly report: (message: string) => void;
}

/** The start of a lane; its plan follows from its query. */
export type LaneStart = Omit<ToExecutor & { type: "start" }, "type" | "plan">;

export class ExecutorPool {
  readonly executors: ExecutorSet;
  readonly #report: PoolEvents["report"];
  readonly #threads = new ThreadWatch<ExecutorLink>(performance.now());
  /** Executors dedicated to one lane that blocks its thread or has blocked one. */
  readonly #closedToOthers = new Set<ExecutorLink>();
  /** What blocks an executor, if reported. */
  readonly #blocked = new Map<ExecutorLink, BlockedBy>();
  /** Executors of low priority. */
  readonly #yielding = new Set<ExecutorLink>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #runs = 0;

  constructor(config: ExecutorConfig, events: PoolEvents, options: SetOptions = {}) {
    this.#report = events.report;
    this.executors = new ExecutorSet(config, {
      onMessage: (message) => this.#deliver(message),
      onPicture: events.onPicture,
      onDeath: (link, error, turn) => this.#end(link, error.message, turn),
      responds: (link) => !this.#threads.isHeld(link),
    }, options);
  }

  /** A number for a run, which increases. */
  newRun(): number {
    return ++this.#runs;
  }

  /** Starts a run of a lane on the executor with the fewest lanes. */
  start(lane: PooledLane, start: LaneStart, { alone, yields }: Placement = {}): void {
    const { spec } = lane;
    const set = this.executors;
    const message = { type: "start", plan: set.planOf(spec), ...start } as const;
    if (set.inThisThread(spec)) return place(lane, set.main(), message);
    this.#timer ??= setInterval(() => this.#check(), LOOK_INTERVAL_MS);
    const own = alone === true && this.#closedToOthers.size < MOST_ALONE;
    const usable = set.workers(spec).filter((link) => !this.#closedToOthers.has(link));
    usable.sort((a, b) => a.lanes.size - b.lanes.size);
    let link = usable[0];
    const more = own || set.hasRoom(usable.length, spec);
    if (link === undefined || more && link.lanes.size > 0) link = set.take(spec) ?? link;
    if (link === undefined) {
      const why = "out of file handles for another executor; raise the limit (ulimit -n)";
      queueMicrotask(() => lane.onStranded(why, "death"));
      return;
    }
    if (own && link.lanes.size === 0) {
      this.#closedToOthers.add(link);
      if (yields === true) this.#yield(link);
    }
    place(lane, link, message);
    set.spareSoon();
  }

  /** Forwards a message to the executor of a run. */
  post(message: ToExecutor & { lane: number }): void {
    this.executors.of(message.lane)?.post(message);
  }

  /** Forgets a run that has ended or was abandoned. */
  ended(run: number): void {
    const link = this.executors.of(run);
    if (link === undefined) return;
    link.lanes.delete(run);
    if (!this.#closedToOthers.has(link) || link.lanes.size > 0) return;
    // What held the thread is gone with its lane; a thread still held, or of low priority, cannot
    // be used.
    if (this.#threads.isHeld(link) || this.#yielding.has(link)) return this.#dismiss(link);
    this.#closedToOthers.delete(link);
    this.#threads.forget(link);
  }

  responsive(run: number): boolean {
    const link = this.executors.of(run);
    return link !== undefined && !this.#threads.isHeld(link);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.executors.close();
  }

  /** Passes a message to its lane, unless that has left the executor. */
  #deliver(message: FromExecutor): void {
    if (!("lane" in message)) return;
    const { lane: run } = message;
    if (run === 0 && message.type === "report") this.#report(message.message);
    else this.executors.of(run)?.lanes.get(run)?.onMessage(message);
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
    const guilty = turn && link.lanes.get(turn.lane);
    if (turn !== undefined) link.lanes.delete(turn.lane);
    const by = guilty !== undefined || cut ? "other" : "death";
    this.#strand(link, why, by);
    if (turn !== undefined) guilty?.onEnded(why, turn, cut);
  }

  /** Ends an executor; its lanes start elsewhere. */
  #strand(link: ExecutorLink, why: string, by: StrandedBy): void {
    const lanes = [...link.lanes.values()];
    link.lanes.clear();
    this.#dismiss(link, 0);
    for (const lane of lanes) lane.onStranded(why, by);
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
    const { lane: run, own, input } = turn;
    const by = own ? "picture" : input === undefined ? "opening" : "call";
    const others = [...link.lanes].filter(([other]) => other !== run);
    const innocent = others.filter(([, { mayMove, runs }]) =>
      mayMove && (by !== "opening" || long || runs)
    );
    // These end by themselves, and delay only lanes that could move.
    if (by !== "call" && innocent.length === 0) return;
    if (!this.#blocked.has(link)) link.lanes.get(run)?.onBlocked(by);
    this.#blocked.set(link, by);
    if (by === "call" && innocent.length < others.length) {
      const why =
        `${link.name} was ended: it held its thread while functions of other queries waited in it`;
      return this.#end(link, why, turn);
    }
    this.#closedToOthers.add(link);
    for (const [lane] of innocent) {
      // It takes effect once the thread responds; by then the lane is fenced.
      link.post({ type: "stop", lane, mode: "abort" });
      link.lanes.delete(lane);
    }
    for (const [, lane] of innocent) {
      lane.onStranded(`${link.name} is held by another query`, "other");
    }
    if (often) this.#lowerPriority(link, run);
  }

  /** The thread responds again; if it was opening something, it returns to normal use. */
  #resumed(link: ExecutorLink, run: number): void {
    const by = this.#blocked.get(link);
    this.#blocked.delete(link);
    if (by === "opening") this.#closedToOthers.delete(link);
    if (by !== undefined && by !== "picture") link.lanes.get(run)?.onBlocked(undefined);
  }

  /** Lowers the priority of a lane that blocks its thread often or for long. */
  #lowerPriority(link: ExecutorLink, run: number): void {
    if (!this.#closedToOthers.has(link) || this.#yielding.has(link)) return;
    this.#yield(link);
    link.lanes.get(run)?.onYields();
  }

  /**
   * The executor ends before the process runs out of memory. Each of several lanes gets its own.
   */
  #grown(link: ExecutorLink, why: string): void {
    const [run, ...more] = link.lanes.keys();
    if (run !== undefined && more.length === 0) this.#end(link, why, { lane: run, own: false });
    else this.#strand(link, why, "memory");
  }
}

function place(
  lane: PooledLane,
  link: ExecutorLink,
  message: ToExecutor & { type: "start" },
): void {
  link.lanes.set(message.lane, lane);
  link.post(message);
}
