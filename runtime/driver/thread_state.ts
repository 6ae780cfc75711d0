// What the driver knows of an executor's thread: whether it is held, by whose code, for how long,
// and its memory. The pool reacts.
import v8 from "node:v8";
import type { Turn } from "../executor/pulse.ts";

/** A thread without a pulse for this long is held, milliseconds. */
const BLOCKED_AFTER_MS = 400;
/** Limit of a call with an input, milliseconds. */
const CUT_AFTER_MS = 10_000;
/** Limit of opening something, such as a model, or of work without a lane, milliseconds. */
const OPEN_CUT_AFTER_MS = 60_000;
/** A thread held this often within this time, or once for this long, gets low priority. */
const OFTEN = 3;
const OFTEN_MS = 60_000;
const LONG_MS = 2_000;
/** Thousandths of its heap that a thread may fill; it is ended after this many looks above it. */
const MOST_MEMORY = 700;
const MEMORY_LOOKS = 5;
/** Growth of the process while a thread is held, as a share of a thread's heap limit. */
const MOST_GROWTH = 0.4;
const HEAP = v8.getHeapStatistics().heap_size_limit;
export const LOOK_INTERVAL_MS = 50;

export interface Pulse extends Turn {
  /** Changes as long as the thread makes progress. */
  readonly alive: number;
  /** Thousandths of the heap limit. */
  readonly memory: number;
}

/** What blocks a thread: a call, a large picture, or opening something, such as a model. */
export type BlockedBy = "call" | "picture" | "opening";

/**
 * What has become of a thread:
 * - `held` (`often`: again and again), held for `long`, or running again (`turns`);
 * - `cut`: it is to be ended, for its lane's work or for work without a lane;
 * - `grown`: it keeps too much memory.
 */
export type Finding =
  | { readonly kind: "held"; readonly turn: Turn; readonly often: boolean }
  | { readonly kind: "long" | "turns"; readonly turn: Turn }
  | { readonly kind: "cut"; readonly turn: Turn; readonly why: string }
  | { readonly kind: "grown"; readonly why: string };

export interface Look {
  readonly pulse: Pulse;
  readonly lanes: Pick<ReadonlyMap<number, unknown>, "has" | "size">;
  /** Monotonic milliseconds. */
  readonly now: number;
  /** By how much the looks are late, milliseconds: other threads may have been late too. */
  readonly late: number;
  /** Memory of the process, bytes: asked only where needed, as it reads a file. */
  readonly resident: () => number;
}

export class ThreadState {
  /** It is for one lane that blocks it or has blocked one. */
  dedicated = false;
  /** It has low priority. */
  yields = false;
  /** What blocks it, if reported. */
  blockedBy: BlockedBy | undefined;
  readonly #name: string;
  #alive: number | undefined;
  /** When `#alive` last changed. */
  #since = 0;
  /** Resident memory of the process at the first look after that, bytes. */
  #resident: number | undefined;
  #held: Turn | undefined;
  #long = false;
  /** Start times of calls that blocked it. */
  #holds: number[] = [];
  /** Consecutive looks with too much memory. */
  #full = 0;

  constructor(name: string) {
    this.#name = name;
  }

  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** The lane that blocked it is gone: it is like new. */
  open(): void {
    this.dedicated = false;
    this.#alive = this.#resident = undefined;
    this.#holds = [];
    this.#full = 0;
  }

  look(look: Look): Finding | undefined {
    const { pulse: { alive, memory }, now, late } = look;
    if (this.#alive === alive) {
      this.#since += late;
      return this.#withoutProgress(look);
    }
    const isNew = this.#alive === undefined;
    this.#alive = alive;
    this.#since = now;
    this.#resident = undefined;
    if (isNew) return undefined;
    const held = this.#held;
    if (held !== undefined) {
      this.#held = undefined;
      this.#long = false;
      return { kind: "turns", turn: held };
    }
    this.#full = memory >= MOST_MEMORY ? this.#full + 1 : 0;
    if (this.#full < MEMORY_LOOKS) return undefined;
    const percent = Math.round(memory / 10);
    const why = `${this.#name} was ended before it ran out of memory: its objects take ` +
      `${percent} % of ${megabytes(HEAP)}`;
    return { kind: "grown", why };
  }

  #withoutProgress({ pulse: turn, lanes, now, resident }: Look): Finding | undefined {
    const ms = now - this.#since;
    // Its heartbeat may come just after this look.
    if (ms < 2 * LOOK_INTERVAL_MS) return undefined;
    const before = this.#resident ??= resident();
    if (ms < BLOCKED_AFTER_MS) return undefined;
    const cut = (why: string): Finding => {
      return { kind: "cut", turn, why: `${this.#name} was abandoned: ${why}` };
    };
    const known = lanes.has(turn.lane);
    // A waiting call of a lane that moved or was abandoned.
    if (!known && turn.lane !== 0 && lanes.size > 0 && !turn.own) {
      return cut("a call of a query that has left it blocks its thread");
    }
    const grown = resident() - before;
    if (known && !turn.own && grown > MOST_GROWTH * HEAP) {
      return cut(`while blocked, its thread allocated ${megabytes(grown)}`);
    }
    if (known && this.#held === undefined) {
      this.#held = turn;
      const counts = turn.input !== undefined && !turn.own;
      if (counts) this.#holds = [...this.#holds.filter((time) => now - time < OFTEN_MS), now];
      return { kind: "held", turn, often: counts && this.#holds.length >= OFTEN };
    }
    if (known && !turn.own && ms >= LONG_MS && !this.#long) {
      this.#long = true;
      return { kind: "long", turn };
    }
    const most = known && turn.input !== undefined ? CUT_AFTER_MS : OPEN_CUT_AFTER_MS;
    if (lanes.size === 0 || turn.own || ms < most) return undefined;
    const whose = known
      ? "its thread was blocked"
      : "work that belongs to no query blocked its thread";
    return cut(`${whose} for ${most / 1000} s`);
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
