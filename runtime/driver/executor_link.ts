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
import type { ExecutorPermissions } from "../executor/narrow.ts";
import type { Picture } from "../executor/pictures.ts";
import { SHARED, type Turn, turnOf, type WorkerData } from "../executor/pulse.ts";
import type { Pulse } from "./thread_watch.ts";

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
  /** What its thread shows; undefined where it is this one. */
  pulse(): Pulse | undefined;
  /** Ends it: kindly, or at once when it does not listen within `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Whom a link tells. */
export interface LinkEvents {
  onMessage(link: ExecutorLink, message: FromExecutor): void;
  onPicture(picture: Picture): void;
  /** The worker has ended, by whatever was done in this turn of its thread, where that is known. */
  onDeath(link: ExecutorLink, error: Error, turn?: Turn): void;
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
  permissions?: ExecutorPermissions,
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
  { permissions, ifNeeded }: Partial<ExecutorPermissions> = {},
): ExecutorLink {
  const shared = new SharedArrayBuffer(SHARED.length * Int32Array.BYTES_PER_ELEMENT);
  const cells = new Int32Array(shared);
  // A port of its own: what code of users posts by itself is not taken for the executor's.
  const { port1: control, port2 } = new MessageChannel();
  const { port1: pictures, port2: picturesPort } = new MessageChannel();
  const worker = new Worker(new URL("../executor/worker.ts", import.meta.url), {
    type: "module",
    name,
    ...(permissions === undefined ? {} : { deno: { permissions } }),
  });
  const parts: WorkerData = { control: port2, pictures: picturesPort, shared };
  worker.postMessage(parts, [port2, picturesPort]);
  const ready = Promise.withResolvers<LoadedQueries>();
  ready.promise.catch(() => {});
  const closed = Promise.withResolvers<void>();
  const link: ExecutorLink = {
    name,
    ready: ready.promise,
    lanes: new Set(),
    post: (message) => control.postMessage(message),
    watch: (watched) => pictures.postMessage(watched),
    pulse: () => ({
      ...turnOf(cells),
      memory: Atomics.load(cells, SHARED.memory),
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
      worker.terminate();
    },
  };
  const died = (error: Error) => {
    ready.reject(error);
    closed.resolve();
    events.onDeath(link, error, turnOf(cells));
  };
  pictures.onmessage = ({ data }: MessageEvent<Picture>) => events.onPicture(data);
  control.onmessage = ({ data }: MessageEvent<FromExecutor>) => {
    receive(data, ready);
    if (data.type === "closed") closed.resolve();
    if (data.type === "exited") died(new Error(`Executor ${name} was ended from within`));
    else events.onMessage(link, data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    died(new Error(`Executor ${name} died: ${event.message}`));
  };
  link.post({
    type: "open",
    config: { ...config, ...(ifNeeded === undefined ? {} : { ifNeeded }) },
  });
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
    events.onDeath(link, error instanceof Error ? error : new Error(String(error)));
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
