// Entry point of a worker executor.
/// <reference lib="deno.worker" />
import { ExecutorHost } from "./host.ts";
import type { Watched } from "./pictures.ts";
import type { FromExecutor, ToExecutor } from "./protocol.ts";
import { threadId, yieldToOthers } from "../image/turbojpeg.ts";
import { logToStandardError } from "../base/error_console.ts";
import { showOwnWork } from "../base/own_work.ts";
import { beat, HEARTBEAT_MS, laneNow, SHARED, watchTurns, type WorkerData } from "./pulse.ts";

// Only the first message: later ones are posted by user code and not meant for the driver.
self.addEventListener("message", ({ data }: MessageEvent<WorkerData>) => begin(data), {
  once: true,
});

async function begin({ control, pictures, shared }: WorkerData): Promise<void> {
  const cells = new Int32Array(shared);
  const heartbeat = setInterval(() => beat(cells), HEARTBEAT_MS);
  showOwnWork(cells, SHARED.own);
  Atomics.store(cells, SHARED.thread, threadId());
  if (Atomics.load(cells, SHARED.yields) === 1) yieldToOthers();
  const send = (message: FromExecutor) => control.postMessage(message);
  const host = new ExecutorHost({
    send,
    sendPicture: (picture) => pictures.postMessage(picture, [picture.bytes.buffer]),
    cells,
  });
  const watching = watchTurns(cells, (lane, error) => host.reportUnhandled(lane, error));
  logToStandardError();
  // An unhandled rejection or a timer error in user code must not end the other lanes.
  self.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    host.reportUnhandled(laneNow(), event.reason);
  });
  self.addEventListener("error", (event) => {
    event.preventDefault();
    host.reportUnhandled(laneNow(), event.error);
  });
  let closing = false;
  self.addEventListener("unload", () => {
    if (!closing) send({ type: "exited" });
  });
  await watching;
  pictures.onmessage = ({ data }: MessageEvent<Watched>) => host.watch(data);
  control.onmessage = ({ data }: MessageEvent<ToExecutor>) => {
    host.handle(data).then(() => {
      if (data.type !== "close") return;
      closing = true;
      clearInterval(heartbeat);
      control.close();
      pictures.close();
      self.close();
    });
  };
}
