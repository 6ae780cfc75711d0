// Cameras in a process of their own, at a steady rate, that cost as little as they can: the same
// encoded frames again and again.
import { fileURLToPath } from "node:url";
import { openLog } from "../../runtime/log/open.ts";
import { clipFrames } from "../frames.ts";
import { film, filmJpegs } from "./film.ts";
import type { BenchLog } from "./logs.ts";

export interface LiveCameras {
  readonly topic: string;
  readonly cameras: number;
  /** Frames a second of each. */
  readonly fps: number;
  readonly seconds: number;
  /** Default: 640×480. */
  readonly size?: { readonly width: number; readonly height: number };
  /** 1080p in place of the clip: access units, or the same pictures as JPEGs. */
  readonly film?: "units" | "jpegs";
}

/** Starts the cameras; their process ends when they have published everything. */
export function startLiveCameras(
  { url }: Pick<BenchLog, "url">,
  cameras: LiveCameras,
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet"],
      ...["read", "write", "net", "env", "ffi", "sys", "run"].map((kind) => `--allow-${kind}`),
      ...[fileURLToPath(import.meta.url), url, JSON.stringify(cameras)],
    ],
    stdin: "null",
    stdout: "null",
  }).spawn();
}

/** Runs the cameras until they have published everything. */
export async function runLiveCameras(
  target: Pick<BenchLog, "url">,
  cameras: LiveCameras,
): Promise<void> {
  const { success } = await startLiveCameras(target, cameras).status;
  if (!success) throw new Error("The cameras failed");
}

async function publishAll(
  url: string,
  { topic, cameras, fps, seconds, size = { width: 640, height: 480 }, film: kind }: LiveCameras,
): Promise<void> {
  const log = await openLog(url);
  const producer = await log.producer();
  const frames = kind === undefined
    ? await clipFrames(size)
    : kind === "units"
    ? await film()
    : await filmJpegs(await film(), 50);
  const type = kind === "units" ? "video/h264" : "image/jpeg";
  const count = Math.round(fps * seconds);
  const interval = 1000 / fps;
  const start = Date.now() + 100;
  await Promise.all(Array.from({ length: cameras }, async (_, partition) => {
    // Spread over the interval, as cameras are.
    const phase = interval * partition / cameras;
    for (let seq = 0; seq < count; seq++) {
      const wait = start + phase + seq * interval - Date.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      await producer.append(topic, partition, [{
        key: `CAMERA-${partition + 1}`,
        value: frames[seq % frames.length]!,
        timestamp: Date.now(),
        headers: { "content-type": type, session: "bench", seq: String(seq) },
      }]);
    }
  }));
  await producer.close();
  await log.close();
}

if (import.meta.main) {
  const [url, cameras] = Deno.args as [string, string];
  await publishAll(url, JSON.parse(cameras));
}
