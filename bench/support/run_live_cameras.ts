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
}

/** Runs cameras until they have published everything. */
export async function runLiveCameras(
  { url }: BenchLog,
  { topic, cameras, fps, seconds }: LiveCameras,
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
    ],
    stdin: "null",
    stdout: "null",
  }).output();
  if (!success) throw new Error("The cameras failed");
}
