// The bare codec loop: decode → grey → encode on all cores with reused memory, no log, no runtime.
// What a pipeline can reach at best; the yardstick of `deno task bench pipeline`.

/** What a thread does: JPEGs to grey JPEGs, or access units to planes. */
export type CodecWork = "jpeg" | "h264";

/** What a worker is asked; it answers when it is done. */
export type CodecWorkerRequest =
  | { readonly type: "frames"; readonly frames: readonly Uint8Array[] }
  | { readonly type: "run"; readonly total: number; readonly work: CodecWork };

/** Frames of each thread before the time begins. */
export const WARM_UP = 100;

/**
 * Frames a second of one thread for each core. The time begins when all threads have the frames and
 * have warmed up.
 *
 * @param frames JPEGs, all of the same size, or access units
 * @param total frames to process in all; each given frame several times where there are more
 */
export async function codecLoop(
  frames: readonly Uint8Array[],
  total: number,
  work: CodecWork = "jpeg",
): Promise<number> {
  const count = navigator.hardwareConcurrency;
  const url = new URL("./codec_worker.ts", import.meta.url);
  const workers = Array.from({ length: count }, () => new Worker(url, { type: "module" }));
  try {
    await Promise.all(workers.map((worker) => ask(worker, { type: "frames", frames })));
    await Promise.all(workers.map((worker) => ask(worker, { type: "run", total: WARM_UP, work })));
    const start = performance.now();
    await Promise.all(workers.map((worker, i) => {
      const share = Math.floor(total * (i + 1) / count) - Math.floor(total * i / count);
      return ask(worker, { type: "run", total: share, work });
    }));
    return total * 1000 / (performance.now() - start);
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

function ask(worker: Worker, request: CodecWorkerRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`Cannot run the codec loop: ${event.message}`));
    };
    worker.postMessage(request);
  });
}
