/**
 * Starts `live_cameras.ts` as a process of its own.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { BenchLog } from "./logs.ts";

/** What the cameras publish. */
export interface LiveCameras {
  readonly topic: string;
  readonly cameras: number;
  /** Frames a second of each. */
  readonly fps: number;
  readonly seconds: number;
  /** `640x480` unless given. */
  readonly size?: string;
}

/** Runs cameras until they have published everything. */
export async function runLiveCameras(
  { url }: Pick<BenchLog, "url">,
  { topic, cameras, fps, seconds, size = "640x480" }: LiveCameras,
): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-read",
      "--allow-write",
      "--allow-net",
      "--allow-env",
      "--allow-ffi",
      "--allow-sys",
      fileURLToPath(new URL("./live_cameras.ts", import.meta.url)),
      url,
      topic,
      String(cameras),
      String(fps),
      String(seconds),
      size,
    ],
    stdin: "null",
    stdout: "null",
  }).output();
  if (!success) throw new Error("The cameras failed");
}
