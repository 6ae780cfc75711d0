/**
 * Entry of an executor that is a worker.
 *
 * @module
 */
import { workerData } from "node:worker_threads";
import { ExecutorHost } from "./host.ts";
import type { FromExecutor, ToExecutor } from "./protocol.ts";
import { HEARTBEAT_MS, laneNow, SHARED, watchTurns, type WorkerData } from "./pulse.ts";

const { control, shared } = workerData as WorkerData;
const cells = new Int32Array(shared);
const heartbeat = setInterval(() => Atomics.add(cells, SHARED.heartbeats, 1), HEARTBEAT_MS);
watchTurns(cells);

const host = new ExecutorHost(
  (message: FromExecutor, transfer) => control.postMessage(message, transfer),
  cells,
);

// A promise that code of users forgot, or an error in a timer, must not end the other lanes.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  host.reportUnhandled(laneNow(), event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  host.reportUnhandled(laneNow(), event.error ?? event.message);
});

control.on("message", (message: ToExecutor) => {
  host.handle(message).then(() => {
    if (message.type !== "close") return;
    clearInterval(heartbeat);
    control.close();
  });
});
