// How an executor shows that its thread is alive, and which lane is running.
//
// Each lane runs in its own async context. Promises and timers created by a call of an operator or a sink are
// attributed to that call: hooks record whose code runs before it can block the thread. An async context per
// call would do the same at 20 µs of processor time per frame.
import { AsyncLocalStorage } from "node:async_hooks";
import process from "node:process";
import timers from "node:timers";
import v8 from "node:v8";
import type { CalledWith, CallUser } from "../engine/options.ts";

/** Interval between heartbeats of a worker's event loop, milliseconds. */
export const HEARTBEAT_MS = 50;

/**
 * Cells shared with the driver: the lane whose operators or sinks are running (0: none); counts of event loop
 * turns and of calls; the input of the running call (`CalledWith`, its offset in two halves, its number −1
 * if it has none; step −1: it opens something); 1 while Framelane's own code runs; memory of the thread's
 * objects, in thousandths of its limit; its `threadId`; 1 if it must run at low priority from its start.
 */
export const SHARED = {
  lane: 0,
  heartbeats: 1,
  calls: 2,
  step: 3,
  offset: 4,
  offsetHigh: 5,
  number: 6,
  own: 7,
  memory: 8,
  thread: 9,
  yields: 10,
  length: 11,
} as const;

const HALF = 2 ** 32;

/** Data that a worker receives when it starts. */
export interface WorkerData {
  readonly control: MessagePort;
  /** Sends pictures to the driver, and viewers' demand to the executor. */
  readonly pictures: MessagePort;
  /** See `SHARED`. */
  readonly shared: SharedArrayBuffer;
}

/** A call of an operator or a sink, and its input. */
interface Call extends CalledWith {
  readonly lane: number;
}

/** A call that opens something. */
const OPENS: CalledWith = { step: -1, offset: -1 };

/** Whose code is running. */
export interface Turn {
  /** 0: unknown. */
  readonly lane: number;
  /** Absent if it opens something. */
  readonly input?: CalledWith;
  /** Framelane's own code is running. */
  readonly own: boolean;
}

const lanes = new AsyncLocalStorage<number>();
/**
 * The call that made a promise: what continues after the promise belongs to that call too. A property, since a
 * WeakMap of all these promises costs several times more, most of it for garbage collection.
 */
const MAKER = Symbol("framelane.call");
type Made = Promise<unknown> & { [MAKER]?: Call };
/** The call whose code is running. */
let running: Call | undefined;

/** Runs `work` and everything asynchronous it starts as the lane's. */
export function asLane<T>(lane: number, work: () => T): T {
  return lanes.run(lane, work);
}

/** The lane that the current code belongs to; 0 if none. */
export function laneNow(): number {
  return lanes.getStore() ?? 0;
}

/** Runs calls of a lane's operators and sinks; their asynchronous work belongs to the lane too. */
export function callsOf(lane: number, cells: Int32Array): CallUser {
  return (work, { step, offset, number } = OPENS) => {
    const before = running;
    Atomics.add(cells, SHARED.calls, 1);
    giveTurn(cells, { lane, step, offset, number });
    try {
      return work();
    } finally {
      giveTurn(cells, before);
    }
  };
}

/** @param call undefined for code of Framelane's own. */
function giveTurn(cells: Int32Array, call: Call | undefined): void {
  running = call;
  if (call === undefined) return void Atomics.store(cells, SHARED.lane, 0);
  Atomics.store(cells, SHARED.step, call.step);
  Atomics.store(cells, SHARED.offset, call.offset | 0);
  Atomics.store(cells, SHARED.offsetHigh, Math.floor(call.offset / HALF));
  Atomics.store(cells, SHARED.number, call.number ?? -1);
  Atomics.store(cells, SHARED.lane, call.lane);
}

/** Whose code is running; reliable if it has been running for a while. */
export function turnOf(cells: Int32Array): Turn {
  const step = Atomics.load(cells, SHARED.step);
  const low = Atomics.load(cells, SHARED.offset) >>> 0;
  const offset = Atomics.load(cells, SHARED.offsetHigh) * HALF + low;
  const number = Atomics.load(cells, SHARED.number);
  return {
    lane: Atomics.load(cells, SHARED.lane),
    own: Atomics.load(cells, SHARED.own) !== 0,
    ...(step < 0 ? {} : { input: { step, offset, ...(number < 0 ? {} : { number }) } }),
  };
}

/** V8 prepares a function when it is called for the eighth time. */
const CALLS_TO_PREPARE = 16;

/**
 * Records the lane of each turn, until the thread ends. Load modules only once it resolves: when a module fails while
 * V8 prepares a hook, V8 prints the error to standard output.
 *
 * @param onError receives errors of timers, which must not end the thread
 */
export async function watchTurns(
  cells: Int32Array,
  onError: (lane: number, error: unknown) => void,
): Promise<void> {
  v8.promiseHooks.createHook({
    init(promise: Made) {
      if (running !== undefined) promise[MAKER] = running;
    },
    before(promise: Made) {
      const maker = promise[MAKER];
      if (maker !== undefined || running !== undefined) giveTurn(cells, maker);
    },
    after: () => void (running !== undefined && giveTurn(cells, undefined)),
  });
  const noted = <A extends unknown[]>(work: unknown) => {
    if (typeof work !== "function") return work;
    const maker = running;
    return (...args: A) => {
      const before = running;
      giveTurn(cells, maker);
      try {
        return work(...args);
      } catch (error) {
        onError(laneNow(), error);
      } finally {
        giveTurn(cells, before);
      }
    };
  };
  // Turns that no promise begins. ONNX Runtime loads and runs models in `setImmediate`.
  const places: readonly [object, readonly string[]][] = [
    [globalThis, ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"]],
    [timers, ["setTimeout", "setInterval", "setImmediate"]],
    [process, ["nextTick"]],
  ];
  for (const [place, names] of places) {
    for (const name of names) {
      const original: unknown = Reflect.get(place, name);
      if (typeof original !== "function") continue;
      const own = (work: unknown, ...rest: unknown[]) => original.call(place, noted(work), ...rest);
      // For example how `util.promisify` makes a promise of it.
      Object.defineProperties(own, Object.getOwnPropertyDescriptors(original));
      Reflect.set(place, name, own);
    }
  }
  for (let i = 0; i < CALLS_TO_PREPARE; i++) {
    giveTurn(cells, undefined);
    await undefined;
  }
}

/** Records a heartbeat and the thread's memory. */
export function beat(cells: Int32Array): void {
  Atomics.add(cells, SHARED.heartbeats, 1);
  const { used_heap_size: objects, external_memory: buffers, heap_size_limit: most } = v8
    .getHeapStatistics();
  // Buffers are outside V8's heap: pictures and prefetched frames, for example.
  Atomics.store(cells, SHARED.memory, Math.round(1000 * Math.max(objects, buffers / 2) / most));
}
