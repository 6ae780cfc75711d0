// Makes small JPEGs on a thread of the lowest priority, so that queries go first.
import type { ReduceReply, ReduceRequest } from "./reduce_worker.ts";

interface Waiting {
  readonly resolve: (reply: ReduceReply) => void;
  readonly reject: (error: Error) => void;
}

/** Makes small JPEGs, one after the other. */
export class Reducer {
  #worker: Worker | undefined;
  readonly #waiting: Waiting[] = [];
  #state: "usable" | "unusable" | "closed" = "usable";

  /**
   * The result of `reduceJpeg`; without bytes if it cannot reduce the picture.
   *
   * @throws {Error} after `close`
   */
  reduce(bytes: Uint8Array, request: Omit<ReduceRequest, "bytes">): Promise<ReduceReply> {
    if (this.#state === "closed") return Promise.reject(closedError());
    if (this.#state === "unusable") return Promise.resolve({ ms: 0 });
    this.#worker ??= this.#start();
    const copy = bytes.slice() as Uint8Array<ArrayBuffer>;
    this.#worker.postMessage({ ...request, bytes: copy } satisfies ReduceRequest, [copy.buffer]);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  close(): void {
    this.#end("closed");
    for (const { reject } of this.#waiting.splice(0)) reject(closedError());
  }

  #start(): Worker {
    const worker = new Worker(new URL("./reduce_worker.ts", import.meta.url), {
      type: "module",
      name: "small pictures",
    });
    worker.onmessage = ({ data }: MessageEvent<ReduceReply>) =>
      this.#waiting.shift()?.resolve(data);
    worker.onerror = (event) => {
      // Native code cannot be loaded, or out of memory: scale pictures without it.
      event.preventDefault();
      if (this.#state === "usable") this.#end("unusable");
      for (const { resolve } of this.#waiting.splice(0)) resolve({ ms: 0 });
    };
    return worker;
  }

  #end(state: "unusable" | "closed"): void {
    this.#state = state;
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}

function closedError(): Error {
  return new Error("Cannot reduce a picture: the viewer is stopping");
}
