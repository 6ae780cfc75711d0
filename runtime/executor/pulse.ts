/**
 * How an executor shows that its thread turns, and which lane has it.
 *
 * @module
 */

/** How often a worker shows that its event loop turns, milliseconds. */
export const HEARTBEAT_MS = 50;

/**
 * Cells of the memory that an executor shares with the driver: the lane that has the thread (0: none), turns of
 * the event loop, calls of operators.
 */
export const SHARED = { lane: 0, heartbeats: 1, calls: 2, length: 3 } as const;
