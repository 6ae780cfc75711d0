/**
 * The driver's end of an executor: a worker, or the main thread itself.
 *
 * @module
 */
import { MessageChannel, Worker } from "node:worker_threads";
import { messageOf } from "../base/errors.ts";
import { ExecutorHost } from "../executor/host.ts";
import {
  type ExecutorConfig,
  type FromExecutor,
  type LoadedQueries,
  plainError,
  type ToExecutor,
} from "../executor/protocol.ts";
import type { Picture } from "../executor/pictures.ts";
import { SHARED, type WorkerData } from "../executor/pulse.ts";

/** An executor as the driver sees it. */
export interface ExecutorLink {
  /** For people, e.g. `executor-1`. */
  readonly name: string;
  /** The queries, loaded. Rejects when the executor cannot run at all. */
  readonly ready: Promise<LoadedQueries>;
  /** Lanes that run here. */
  readonly lanes: Set<number>;
  post(message: ToExecutor): void;
  /** Whether somebody looks at pictures. */
  watch(watched: boolean): void;
  /** The lane that holds the thread now (0: none or unknown); `alive` changes as long as work goes on. */
  pulse(): { lane: number; alive: number } | undefined;
  /** Ends it: kindly, or at once when it does not listen within `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Whom a link tells. */
export interface LinkEvents {
  onMessage(link: ExecutorLink, message: FromExecutor): void;
  onPicture(picture: Picture): void;
  /** The worker has ended, by whatever the lane did that had its thread; 0: nobody knows which. */
  onDeath(link: ExecutorLink, error: Error, lane: number): void;
}

/** Memory of one executor's heap, MiB; frames lie outside it. A worker that needs more ends alone. */
const HEAP_MIB = 1024;

/** Starts an executor in a worker. */
export function startWorker(
  name: string,
  config: ExecutorConfig,
  events: LinkEvents,
): ExecutorLink {
  const shared = new SharedArrayBuffer(SHARED.length * Int32Array.BYTES_PER_ELEMENT);
  const cells = new Int32Array(shared);
  // A port of its own: what code of users posts by itself is not taken for the executor's.
  const { port1: control, port2 } = new MessageChannel();
  const { port1: pictures, port2: picturesPort } = new MessageChannel();
  const worker = new Worker(new URL("../executor/worker.ts", import.meta.url), {
    name,
    workerData: { control: port2, pictures: picturesPort, shared } satisfies WorkerData,
    transferList: [port2, picturesPort],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
  });
  const ready = Promise.withResolvers<LoadedQueries>();
  ready.promise.catch(() => {});
  const closed = Promise.withResolvers<void>();
  const lane = () => Atomics.load(cells, SHARED.lane);
  const link: ExecutorLink = {
    name,
    ready: ready.promise,
    lanes: new Set(),
    post: (message) => control.postMessage(message),
    watch: (watched) => pictures.postMessage(watched),
    pulse: () => ({
      lane: lane(),
      // A call that does not end is what blocks: many short ones are only a busy thread.
      alive: Atomics.load(cells, SHARED.heartbeats) + Atomics.load(cells, SHARED.calls),
    }),
    async close(graceMs) {
      control.postMessage({ type: "close" } satisfies ToExecutor);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, graceMs));
      await Promise.race([closed.promise, late]);
      clearTimeout(timer);
      control.close();
      pictures.close();
      await worker.terminate();
    },
  };
  pictures.on("message", (picture: Picture) => events.onPicture(picture));
  control.on("message", (message: FromExecutor) => {
    receive(message, ready);
    if (message.type === "closed") closed.resolve();
    events.onMessage(link, message);
  });
  let failure: string | undefined;
  worker.on("error", (error: Error) => failure = messageOf(error));
  worker.on("exit", (code: number) => {
    control.close();
    pictures.close();
    const error = new Error(
      failure === undefined
        ? `Executor ${name} was ended from within, with exit code ${code}`
        : `Executor ${name} died: ${failure}`,
    );
    ready.reject(error);
    closed.resolve();
    events.onDeath(link, error, lane());
  });
  link.post({ type: "open", config });
  return link;
}

/** Starts an executor in this thread (`--executors 0`). */
export function startInline(config: ExecutorConfig, events: LinkEvents): ExecutorLink {
  const ready = Promise.withResolvers<LoadedQueries>();
  ready.promise.catch(() => {});
  const host = new ExecutorHost({
    send(message) {
      receive(message, ready);
      events.onMessage(link, message);
    },
    sendPicture: (picture) => events.onPicture(picture),
  });
  const fail = (error: unknown) => {
    ready.reject(error);
    events.onDeath(link, error instanceof Error ? error : new Error(String(error)), 0);
  };
  const link: ExecutorLink = {
    name: "main thread",
    ready: ready.promise,
    lanes: new Set(),
    post: (message) => void host.handle(message).catch(fail),
    watch: (watched) => host.watch(watched),
    pulse: () => undefined,
    close: () => host.handle({ type: "close" }),
  };
  link.post({ type: "open", config });
  return link;
}

function receive(
  message: FromExecutor,
  ready: PromiseWithResolvers<LoadedQueries>,
): void {
  if (message.type === "ready") ready.resolve(message.queries);
  if (message.type === "unusable") {
    const error = new Error(message.error.message);
    error.name = message.error.name;
    ready.reject(Object.assign(error, { plain: plainError(error), code: message.error.code }));
  }
}
