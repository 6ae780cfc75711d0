// The bare codec loop: decode → grey → encode on all cores with reused memory, no log, no runtime.
// What a pipeline can reach at best; the yardstick of `deno task bench pipeline`.
import { clipFrames } from "./frames.ts";
import { print } from "./print.ts";
import { optionsOf } from "./support/options.ts";

export interface CodecLoopOptions {
  /** Frames to process in all; each given frame several times where there are more. */
  readonly total?: number;
  /** Threads; as many as there are cores unless given. */
  readonly workers?: number;
  /**
   * How each thread works: `sync` codes by itself, a number keeps that number of frames in flight
   * on the process's thread pool; `h264` decodes access units and does no more.
   */
  readonly mode?: CodecMode;
  /** JPEG quality of the output. */
  readonly quality?: number;
}

/** How a thread works. */
export type CodecMode = "sync" | "h264" | number;

export interface CodecLoopResult {
  readonly frames: number;
  readonly seconds: number;
  readonly framesPerSecond: number;
  /** Bytes of the encoded output. */
  readonly bytes: number;
}

/** What a worker is asked, and its answers. */
export type CodecWorkerRequest =
  | { readonly type: "frames"; readonly frames: readonly Uint8Array[]; readonly quality: number }
  | { readonly type: "run"; readonly total: number; readonly mode: CodecMode };
export type CodecWorkerAnswer = { readonly type: "ready" } | {
  readonly type: "done";
  readonly bytes: number;
};

/** Frames of each thread before the time begins. */
export const WARM_UP = 100;

/** The fastest of the ways that were measured: see `docs/decisions/jpeg-path.md`. */
const FASTEST = "sync";

/**
 * Turns JPEG frames of one size into grey JPEGs and says how fast. The time begins when all threads
 * have the frames and have warmed up.
 *
 * @param frames JPEGs, all of the same size
 */
export async function codecLoop(
  frames: readonly Uint8Array[],
  {
    total = 3000,
    workers: count = navigator.hardwareConcurrency,
    mode = FASTEST,
    quality = 80,
  }: CodecLoopOptions = {},
): Promise<CodecLoopResult> {
  const url = new URL("./codec_worker.ts", import.meta.url);
  const workers = Array.from({ length: count }, () => new Worker(url, { type: "module" }));
  try {
    await Promise.all(workers.map((worker) => ask(worker, { type: "frames", frames, quality })));
    await Promise.all(workers.map((worker) => ask(worker, { type: "run", total: WARM_UP, mode })));
    const start = performance.now();
    const answers = await Promise.all(workers.map((worker, i) => {
      const share = Math.floor(total * (i + 1) / count) - Math.floor(total * i / count);
      return ask(worker, { type: "run", total: share, mode });
    }));
    const seconds = (performance.now() - start) / 1000;
    const bytes = answers.reduce((sum, answer) => sum + ("bytes" in answer ? answer.bytes : 0), 0);
    return { frames: total, seconds, framesPerSecond: total / seconds, bytes };
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

function ask(worker: Worker, request: CodecWorkerRequest): Promise<CodecWorkerAnswer> {
  return new Promise((resolve, reject) => {
    worker.onmessage = (event: MessageEvent<CodecWorkerAnswer>) => resolve(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`Cannot run the codec loop: ${event.message}`));
    };
    worker.postMessage(request);
  });
}

/** The benchmark: the loop in each of its ways. */
export async function bench(args: readonly string[]): Promise<void> {
  optionsOf(args, {});
  const frames = await clipFrames();
  const kilobytes = frames.reduce((sum, frame) => sum + frame.length, 0) / frames.length / 1000;
  print(`640×480 JPEG of ${kilobytes.toFixed(0)} KB → grey → JPEG, frames/s`);
  const cores = navigator.hardwareConcurrency;
  for (
    const [workers, mode] of [[1, "sync"], [1, 2], [1, 4], [cores, "sync"], [cores, 2]] as const
  ) {
    const { framesPerSecond } = await codecLoop(frames, { workers, mode });
    const how = mode === "sync" ? "on its own" : `with ${mode} under way`;
    print(
      `  ${workers} ${workers === 1 ? "thread" : "threads"} ${how}:`.padEnd(36) +
        framesPerSecond.toFixed(0).padStart(6),
    );
  }
}
