/**
 * Entry of an executor that is a worker.
 *
 * @module
 */
import { workerData } from "node:worker_threads";
import { ExecutorHost } from "./host.ts";
import type { FromExecutor, ToExecutor } from "./protocol.ts";
import { HEARTBEAT_MS, laneNow, SHARED, watchTurns, type WorkerData } from "./pulse.ts";

const { control, pictures, shared } = workerData as WorkerData;
const cells = new Int32Array(shared);
const heartbeat = setInterval(() => Atomics.add(cells, SHARED.heartbeats, 1), HEARTBEAT_MS);

const host = new ExecutorHost({
  send: (message: FromExecutor) => control.postMessage(message),
  sendPicture: (picture) => pictures.postMessage(picture, [picture.bytes.buffer]),
  cells,
});
pictures.on("message", (watched: boolean) => host.watch(watched));

watchTurns(cells, (lane, error) => host.reportUnhandled(lane, error));
// A promise that code of users forgot, or an error in a timer, must not end the other lanes.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  host.reportUnhandled(laneNow(), event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  host.reportUnhandled(laneNow(), event.error);
});

control.on("message", (message: ToExecutor) => {
  host.handle(message).then(() => {
    if (message.type !== "close") return;
    clearInterval(heartbeat);
    control.close();
    pictures.close();
  });
});
