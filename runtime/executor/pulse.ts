/**
 * How an executor shows that its thread turns, and which lane has it.
 *
 * Each lane runs in an asynchronous context of its own, and so do the calls of its operators and sinks.
 * What continues after an `await` does so in the context in which it began, and so do timers; a hook on
 * continuations writes down whose code has the turn, before it can hold the thread.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import v8 from "node:v8";

/** How often a worker shows that its event loop turns, milliseconds. */
export const HEARTBEAT_MS = 50;

/**
 * Cells of the memory that an executor shares with the driver: the lane whose operators or sinks have the
 * thread (0: none), turns of the event loop, calls of operators and sinks.
 */
export const SHARED = { lane: 0, heartbeats: 1, calls: 2, length: 3 } as const;

/** What a worker gets when it starts. */
export interface WorkerData {
  /** Messages to and from the driver. */
  readonly control: MessagePort;
  /** Pictures to the driver; whether they have viewers, to the executor. */
  readonly pictures: MessagePort;
  /** See `SHARED`. */
  readonly shared: SharedArrayBuffer;
}

interface Context {
  readonly lane: number;
  /** Code of an operator or a sink. */
  readonly call: boolean;
}

const contexts = new AsyncLocalStorage<Context>();

/** Runs `work` and all that follows from it as the lane's. */
export function asLane<T>(lane: number, work: () => T): T {
  return contexts.run({ lane, call: false }, work);
}

/** The lane that this code runs for; 0 when for none. */
export function laneNow(): number {
  return contexts.getStore()?.lane ?? 0;
}

/** Runs calls of a lane's operators and sinks: whatever follows from one is theirs too. */
export function callsOf(lane: number, cells: Int32Array): <T>(work: () => T) => T {
  const context = { lane, call: true };
  return (work) => {
    Atomics.add(cells, SHARED.calls, 1);
    Atomics.store(cells, SHARED.lane, lane);
    try {
      return contexts.run(context, work);
    } finally {
      Atomics.store(cells, SHARED.lane, 0);
    }
  };
}

/**
 * Writes down whose turn it is, at each turn, until the thread ends.
 *
 * @param onError takes what a timer throws: it must not end the thread.
 */
export function watchTurns(
  cells: Int32Array,
  onError: (lane: number, error: unknown) => void,
): void {
  const note = () => {
    const context = contexts.getStore();
    Atomics.store(cells, SHARED.lane, context?.call === true ? context.lane : 0);
  };
  v8.promiseHooks.onBefore(note);
  const noted = <A extends unknown[]>(work: unknown) =>
    typeof work !== "function" ? work : (...args: A) => {
      note();
      try {
        return work(...args);
      } catch (error) {
        onError(laneNow(), error);
      }
    };
  // Turns that no promise begins.
  for (const name of ["setTimeout", "setInterval", "queueMicrotask"] as const) {
    const original = globalThis[name] as (...args: unknown[]) => unknown;
    Object.assign(globalThis, {
      [name]: (work: unknown, ...rest: unknown[]) => original(noted(work), ...rest),
    });
  }
}
