// Watches threads of executors: which is held, by whose code, for how long, and its memory. The
// pool reacts.
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
export const LOOK_INTERVAL_MS = 50;

export interface Pulse extends Turn {
  /** Changes as long as the thread makes progress. */
  readonly alive: number;
  /** Thousandths of the heap limit. */
  readonly memory: number;
}

export interface WatchedThread {
  readonly name: string;
  readonly lanes: Pick<ReadonlyMap<number, unknown>, "has" | "size">;
  pulse(): Pulse | undefined;
}

/**
 * State of a thread:
 * - `held` (`often`: again and again), held for `long`, or running again (`turns`);
 * - `cut`: it is to be ended, for its lane's work or for work without a lane;
 * - `grown`: it keeps too much memory.
 */
export type Finding =
  | { readonly kind: "held"; readonly turn: Turn; readonly often: boolean }
  | { readonly kind: "long" | "turns"; readonly turn: Turn }
  | { readonly kind: "cut"; readonly turn: Turn; readonly why: string }
  | { readonly kind: "grown"; readonly why: string };

interface Seen {
  alive: number;
  /** When `alive` last changed. */
  since: number;
  /** Resident memory of the process at the first look after that, bytes. */
  resident: number | undefined;
  held: Turn | undefined;
  long: boolean;
  /** Start times of calls that blocked it. */
  holds: number[];
  /** Consecutive checks with too much memory. */
  full: number;
}

const FRESH = { resident: undefined, held: undefined, long: false, holds: [], full: 0 };

export class ThreadWatch<T extends WatchedThread> {
  readonly #seen = new WeakMap<T, Seen>();
  readonly #heap = v8.getHeapStatistics().heap_size_limit;
  #lookedAt: number;

  /** @param now monotonic milliseconds, here and below */
  constructor(now: number) {
    this.#lookedAt = now;
  }

  isHeld(thread: T): boolean {
    return this.#seen.get(thread)?.held !== undefined;
  }

  forget(thread: T): void {
    this.#seen.delete(thread);
  }

  /** @param resident memory of the process, bytes: asked only where needed, as it reads a file */
  look(threads: Iterable<T>, now: number, resident: () => number): [T, Finding][] {
    // If this thread was late, others may have been too.
    const late = Math.max(0, now - this.#lookedAt - 2 * LOOK_INTERVAL_MS);
    this.#lookedAt = now;
    return [...threads].flatMap((thread) => {
      const pulse = thread.pulse();
      const finding = pulse && this.#check(thread, pulse, now, late, resident);
      return finding === undefined ? [] : [[thread, finding]];
    });
  }

  #check(
    thread: T,
    pulse: Pulse,
    now: number,
    late: number,
    resident: () => number,
  ): Finding | undefined {
    const seen = this.#seen.get(thread);
    if (seen === undefined) {
      this.#seen.set(thread, { ...FRESH, alive: pulse.alive, since: now });
      return undefined;
    }
    if (seen.alive === pulse.alive) {
      seen.since += late;
      return this.#withoutProgress(thread, seen, pulse, now, resident);
    }
    Object.assign(seen, { alive: pulse.alive, since: now, resident: undefined });
    const { held } = seen;
    if (held !== undefined) {
      seen.held = undefined;
      seen.long = false;
      return { kind: "turns", turn: held };
    }
    seen.full = pulse.memory >= MOST_MEMORY ? seen.full + 1 : 0;
    if (seen.full < MEMORY_LOOKS) return undefined;
    const percent = Math.round(pulse.memory / 10);
    return {
      kind: "grown",
      why: `${thread.name} was ended before it ran out of memory: its objects take ${percent} % ` +
        `of ${megabytes(this.#heap)}`,
    };
  }

  #withoutProgress(
    { name, lanes }: T,
    seen: Seen,
    turn: Turn,
    now: number,
    resident: () => number,
  ): Finding | undefined {
    const ms = now - seen.since;
    // Its heartbeat may come just after this look.
    if (ms < 2 * LOOK_INTERVAL_MS) return undefined;
    const before = seen.resident ??= resident();
    if (ms < BLOCKED_AFTER_MS) return undefined;
    const known = lanes.has(turn.lane);
    // A waiting call of a lane that moved or was abandoned.
    if (!known && turn.lane !== 0 && lanes.size > 0 && !turn.own) {
      const why = `${name} was abandoned: a call of a query that has left it blocks its thread`;
      return { kind: "cut", turn, why };
    }
    const grown = resident() - before;
    if (known && !turn.own && grown > MOST_GROWTH * this.#heap) {
      const why = `${name} was abandoned: while blocked, its thread allocated ${megabytes(grown)}`;
      return { kind: "cut", turn, why };
    }
    if (known && seen.held === undefined) {
      seen.held = turn;
      const counts = turn.input !== undefined && !turn.own;
      if (counts) seen.holds = [...seen.holds.filter((time) => now - time < OFTEN_MS), now];
      return { kind: "held", turn, often: counts && seen.holds.length >= OFTEN };
    }
    if (known && !turn.own && ms >= LONG_MS && !seen.long) {
      seen.long = true;
      return { kind: "long", turn };
    }
    const most = known && turn.input !== undefined ? CUT_AFTER_MS : OPEN_CUT_AFTER_MS;
    if (lanes.size === 0 || turn.own || ms < most) return undefined;
    const whose = known
      ? "its thread was blocked"
      : "work that belongs to no query blocked its thread";
    return { kind: "cut", turn, why: `${name} was abandoned: ${whose} for ${most / 1000} s` };
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
