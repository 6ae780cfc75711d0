/**
 * Runs `live_cameras.ts` as a process of its own.
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

/** Starts cameras in a process of their own, which ends when they have published everything. */
export function startLiveCameras(
  { url }: Pick<BenchLog, "url">,
  { topic, cameras, fps, seconds, size = "640x480" }: LiveCameras,
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      ...["read", "write", "net", "env", "ffi", "sys"].map((kind) => `--allow-${kind}`),
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
  }).spawn();
}

/** Runs cameras until they have published everything. */
export async function runLiveCameras(
  target: Pick<BenchLog, "url">,
  cameras: LiveCameras,
): Promise<void> {
  const { success } = await startLiveCameras(target, cameras).status;
  if (!success) throw new Error("The cameras failed");
}
