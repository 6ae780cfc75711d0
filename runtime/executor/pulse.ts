/**
 * How an executor shows that its thread turns, and which lane has it.
 *
 * Each lane runs in an asynchronous context of its own. Whatever continues after an `await` does so in the
 * context in which it began, and so do timers; a hook on continuations writes down whose turn it is, before
 * it can hold the thread.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import v8 from "node:v8";
import type { MessagePort } from "node:worker_threads";

/** How often a worker shows that its event loop turns, milliseconds. */
export const HEARTBEAT_MS = 50;

/**
 * Cells of the memory that an executor shares with the driver: the lane that had the thread last (0: none),
 * turns of the event loop, calls of operators.
 */
export const SHARED = { lane: 0, heartbeats: 1, calls: 2, length: 3 } as const;

/** What a worker gets when it starts. */
export interface WorkerData {
  /** Messages to and from the driver. */
  readonly control: MessagePort;
  /** See `SHARED`. */
  readonly shared: SharedArrayBuffer;
}

const lanes = new AsyncLocalStorage<number>();

/** Runs `work` and all that follows from it as the lane's. */
export function asLane<T>(lane: number, work: () => T): T {
  return lanes.run(lane, work);
}

/** The lane that has the thread; 0 when none has. */
export function laneNow(): number {
  return lanes.getStore() ?? 0;
}

/** Writes down whose turn it is, at each turn, until the thread ends. */
export function watchTurns(cells: Int32Array): void {
  const note = () => void Atomics.store(cells, SHARED.lane, lanes.getStore() ?? 0);
  v8.promiseHooks.onBefore(note);
  const noted = <A extends unknown[]>(work: unknown) =>
    typeof work !== "function" ? work : (...args: A) => {
      note();
      return work(...args);
    };
  // Turns that no promise begins.
  for (const name of ["setTimeout", "setInterval", "queueMicrotask"] as const) {
    const original = globalThis[name] as (...args: unknown[]) => unknown;
    Object.assign(globalThis, {
      [name]: (work: unknown, ...rest: unknown[]) => original(noted(work), ...rest),
    });
  }
}
