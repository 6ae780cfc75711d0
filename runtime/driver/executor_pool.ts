// Places lanes on executors, and moves them when a lane blocks its thread.
import type { Picture } from "../executor/pictures.ts";
import type { ExecutorConfig, FromExecutor, ToExecutor } from "../executor/protocol.ts";
import type { Turn } from "../executor/pulse.ts";
import type { ExecutorLink, PooledLane, StrandedBy } from "./executor_link.ts";
import { ExecutorSet, type SetOptions } from "./executor_set.ts";
import { LOOK_INTERVAL_MS } from "./thread_state.ts";

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
  #lookedAt = performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  #runs = 0;

  constructor(config: ExecutorConfig, events: PoolEvents, options: SetOptions = {}) {
    this.#report = events.report;
    this.executors = new ExecutorSet(config, {
      onMessage: (message) => this.#deliver(message),
      onPicture: events.onPicture,
      onDeath: (link, error, turn) => this.#end(link, error.message, turn),
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
    const dedicated = set.workers().filter(({ thread }) => thread.dedicated);
    const own = alone === true && dedicated.length < MOST_ALONE;
    const usable = set.workers(spec).filter(({ thread }) => !thread.dedicated);
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
      link.thread.dedicated = true;
      if (yields === true) yieldToOthers(link);
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
    const { thread } = link;
    if (!thread.dedicated || link.lanes.size > 0) return;
    // What held the thread is gone with its lane; a thread still held, or of low priority, cannot
    // be used.
    if (thread.isHeld || thread.yields) this.executors.dismiss(link);
    else thread.open();
  }

  responsive(run: number): boolean {
    const link = this.executors.of(run);
    return link !== undefined && !link.thread.isHeld;
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
    this.executors.dismiss(link, 0);
    for (const lane of lanes) lane.onStranded(why, by);
  }

  /** Finds held threads, and moves the other lanes. */
  #check(): void {
    const resident = () => Deno.memoryUsage().rss;
    const now = performance.now();
    const late = Math.max(0, now - this.#lookedAt - 2 * LOOK_INTERVAL_MS);
    this.#lookedAt = now;
    for (const link of this.executors.workers()) {
      const { lanes } = link;
      const pulse = link.pulse();
      const finding = pulse && link.thread.look({ pulse, lanes, now, late, resident });
      switch (finding?.kind) {
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
    const { thread } = link;
    if (thread.blockedBy === undefined) link.lanes.get(run)?.onBlocked(by);
    thread.blockedBy = by;
    if (by === "call" && innocent.length < others.length) {
      const why =
        `${link.name} was ended: it held its thread while functions of other queries waited in it`;
      return this.#end(link, why, turn);
    }
    thread.dedicated = true;
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
    const { thread, thread: { blockedBy: by } } = link;
    thread.blockedBy = undefined;
    if (by === "opening") thread.dedicated = false;
    if (by !== undefined && by !== "picture") link.lanes.get(run)?.onBlocked(undefined);
  }

  /** Lowers the priority of a lane that blocks its thread often or for long. */
  #lowerPriority(link: ExecutorLink, run: number): void {
    const { dedicated, yields } = link.thread;
    if (!dedicated || yields) return;
    yieldToOthers(link);
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

function yieldToOthers(link: ExecutorLink): void {
  link.thread.yields = true;
  link.yieldToOthers();
}

function place(
  lane: PooledLane,
  link: ExecutorLink,
  message: ToExecutor & { type: "start" },
): void {
  link.lanes.set(message.lane, lane);
  link.post(message);
}
