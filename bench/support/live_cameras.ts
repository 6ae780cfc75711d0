/**
 * Cameras in a process of their own, at a steady rate, that cost as little as they can: the same
 * encoded frames again and again. Prints how many were published.
 *
 *     live_cameras.ts LOG TOPIC CAMERAS FPS SECONDS [WIDTHxHEIGHT]
 *
 * @module
 */
import { openLog } from "../../runtime/log/open.ts";
import { clipFrames } from "../frames.ts";
import { print } from "../print.ts";

const [url, topic, cameras, fps, seconds, size = "640x480"] = Deno.args as [
  string,
  string,
  string,
  string,
  string,
  string?,
];
const [width, height] = size.split("x").map(Number) as [number, number];
const log = await openLog(url);
const producer = await log.producer();
const frames = await clipFrames({ width, height });
const count = Math.round(Number(fps) * Number(seconds));
const interval = 1000 / Number(fps);
print("ready");
const start = Date.now() + 100;
await Promise.all(Array.from({ length: Number(cameras) }, async (_, partition) => {
  // Spread over the interval, as cameras are.
  const phase = interval * partition / Number(cameras);
  for (let seq = 0; seq < count; seq++) {
    const due = start + phase + seq * interval;
    const wait = due - Date.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    await producer.append(topic, partition, [{
      key: `CAMERA-${partition + 1}`,
      value: frames[seq % frames.length]!,
      timestamp: Date.now(),
      headers: { "content-type": "image/jpeg", session: "bench", seq: String(seq) },
    }]);
  }
}));
await producer.close();
await log.close();
print(String(count * Number(cameras)));
