// Small JPEGs from a thread of the lowest priority: however many a page wants, a query that has a
// frame to work on goes first.
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
   * What `reduceJpeg` makes of the picture; no bytes where it makes none.
   *
   * @throws {Error} once it is closed.
   */
  reduce(bytes: Uint8Array, request: Omit<ReduceRequest, "bytes">): Promise<ReduceReply> {
    if (this.#state === "closed") return Promise.reject(closedError());
    if (this.#state === "unusable") return Promise.resolve({ ms: 0 });
    this.#worker ??= this.#start();
    const copy = bytes.slice() as Uint8Array<ArrayBuffer>;
    this.#worker.postMessage({ ...request, bytes: copy } satisfies ReduceRequest, [copy.buffer]);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Ends the thread. */
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
      // Native code may not be loaded here, or memory is out: pictures are scaled without it.
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
  return new Error("Cannot make a picture smaller: the viewer stops");
}
