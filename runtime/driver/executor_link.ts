/**
 * The driver's end of an executor: a worker, or the main thread itself.
 *
 * @module
 */
import { ExecutorHost } from "../executor/host.ts";
import {
  type ExecutorConfig,
  type FromExecutor,
  type LoadedQueries,
  plainError,
  type ToExecutor,
} from "../executor/protocol.ts";
import { SHARED } from "../executor/pulse.ts";

/** An executor as the driver sees it. */
export interface ExecutorLink {
  /** For people, e.g. `executor-1`. */
  readonly name: string;
  /** The queries, loaded. Rejects when the executor cannot run at all. */
  readonly ready: Promise<LoadedQueries>;
  /** Lanes that run here. */
  readonly lanes: Set<number>;
  /** Set when one lane holds the thread: nothing else is placed here any more. */
  quarantined: boolean;
  post(message: ToExecutor): void;
  /** The lane that holds the thread now (0: none or unknown); `alive` changes as long as work goes on. */
  pulse(): { lane: number; alive: number } | undefined;
  /** Ends it: kindly, or at once when it does not listen within `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Whom a link tells. */
export interface LinkEvents {
  onMessage(link: ExecutorLink, message: FromExecutor): void;
  /** The worker died of an error outside any lane. */
  onDeath(link: ExecutorLink, error: Error): void;
}

/** Starts an executor. */
export type StartLink = (
  name: string,
  config: ExecutorConfig,
  events: LinkEvents,
) => ExecutorLink;

/** How executors start: in this thread when there are to be 0 workers, else each in its own. */
export function linkStarter(
  size: number | undefined,
  permissions?: Deno.PermissionOptionsObject,
): StartLink {
  return size === 0
    ? (_name, config, events) => startInline(config, events)
    : (name, config, events) => startWorker(name, config, events, permissions);
}

/** Starts an executor in a worker. */
export function startWorker(
  name: string,
  config: ExecutorConfig,
  events: LinkEvents,
  permissions?: Deno.PermissionOptionsObject,
): ExecutorLink {
  const shared = new SharedArrayBuffer(SHARED.length * Int32Array.BYTES_PER_ELEMENT);
  const cells = new Int32Array(shared);
  const worker = new Worker(new URL("../executor/worker.ts", import.meta.url), {
    type: "module",
    name,
    ...(permissions === undefined ? {} : { deno: { permissions } }),
  });
  const ready = Promise.withResolvers<LoadedQueries>();
  ready.promise.catch(() => {});
  const closed = Promise.withResolvers<void>();
  const link: ExecutorLink = {
    name,
    ready: ready.promise,
    lanes: new Set(),
    quarantined: false,
    post: (message) => worker.postMessage(message),
    pulse: () => ({
      lane: Atomics.load(cells, SHARED.lane),
      // A call that does not end is what blocks: many short ones are only a busy thread.
      alive: Atomics.load(cells, SHARED.heartbeats) + Atomics.load(cells, SHARED.calls),
    }),
    async close(graceMs) {
      worker.postMessage({ type: "close" } satisfies ToExecutor);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, graceMs));
      await Promise.race([closed.promise, late]);
      clearTimeout(timer);
      worker.terminate();
    },
  };
  worker.onmessage = ({ data }: MessageEvent<FromExecutor>) => {
    receive(data, ready);
    if (data.type === "closed") closed.resolve();
    events.onMessage(link, data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    const error = new Error(`Executor ${name} died: ${event.message}`);
    ready.reject(error);
    closed.resolve();
    events.onDeath(link, error);
  };
  link.post({ type: "open", config, busy: shared });
  return link;
}

/** Starts an executor in this thread (`--executors 0`). */
export function startInline(config: ExecutorConfig, events: LinkEvents): ExecutorLink {
  const ready = Promise.withResolvers<LoadedQueries>();
  ready.promise.catch(() => {});
  const host = new ExecutorHost((message) => {
    receive(message, ready);
    events.onMessage(link, message);
  });
  const fail = (error: unknown) => {
    ready.reject(error);
    events.onDeath(link, error instanceof Error ? error : new Error(String(error)));
  };
  const link: ExecutorLink = {
    name: "main thread",
    ready: ready.promise,
    lanes: new Set(),
    quarantined: false,
    post: (message) => void host.handle(message).catch(fail),
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
