/**
 * Entry of an executor that is a worker.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { ExecutorHost } from "./host.ts";
import type { FromExecutor, ToExecutor } from "./protocol.ts";
import { HEARTBEAT_MS, SHARED } from "./pulse.ts";

const host = new ExecutorHost((message: FromExecutor, transfer) =>
  self.postMessage(message, transfer)
);

let heartbeat: ReturnType<typeof setInterval> | undefined;

self.onmessage = ({ data }: MessageEvent<ToExecutor>) => {
  if (data.type === "open" && data.busy !== undefined) {
    const shared = new Int32Array(data.busy);
    heartbeat = setInterval(() => Atomics.add(shared, SHARED.heartbeats, 1), HEARTBEAT_MS);
  }
  host.handle(data).then(() => {
    if (data.type !== "close") return;
    clearInterval(heartbeat);
    self.close();
  });
};
