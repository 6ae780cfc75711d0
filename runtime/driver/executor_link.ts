// The driver's end of an executor: a worker, or the main thread.
import { ExecutorHost } from "../executor/host.ts";
import {
  errorOf,
  type ExecutorConfig,
  type FromExecutor,
  type LaneMessage,
  type LoadedQuery,
  type QuerySpec,
  type ToExecutor,
} from "../executor/protocol.ts";
import type { Picture, Watched } from "../executor/pictures.ts";
import { yieldToOthers } from "../image/turbojpeg.ts";
import { SHARED, type Turn, turnOf, type WorkerData } from "../executor/pulse.ts";
import type { WorkerPermissions } from "./permissions.ts";
import { type BlockedBy, type Pulse, ThreadState } from "./thread_state.ts";
import { within } from "./streaming_query.ts";

/**
 * Why lanes lost their executor: another lane holds or ended it (`other`), it died, or it kept too
 * much memory, and each of them may be the reason.
 */
export type StrandedBy = "other" | "death" | "memory";

/** A lane, as the pool knows it by the number of its run. */
export interface PooledLane {
  readonly spec: QuerySpec;
  /** Whether it may start elsewhere while its thread is held: no function of it waits there. */
  readonly mayMove: boolean;
  /** Whether it has opened its operators and sinks. */
  readonly runs: boolean;
  onMessage(message: LaneMessage): void;
  /** It has lost its executor and must start elsewhere. */
  onStranded(why: string, by: StrandedBy): void;
  /** It blocks its thread, or no longer does (undefined). */
  onBlocked(by: BlockedBy | undefined): void;
  /** It has held its thread so often that it has low priority from now on. */
  onYields(): void;
  /**
   * It has ended its executor, or was ended with it; in this turn of the thread.
   *
   * @param cut its thread was blocked and may never end
   */
  onEnded(why: string, turn: Turn, cut: boolean): void;
}

export interface ExecutorLink {
  /** Display name, e.g. `executor-1`. */
  readonly name: string;
  /** Rejects if the executor cannot run at all. */
  readonly ready: Promise<void>;
  /** Its lanes, by the numbers of their runs. */
  readonly lanes: Map<number, PooledLane>;
  /**
   * Loads a query, whose lanes start by the plan's number. Rejects when it cannot be loaded here.
   */
  load(plan: number, spec: QuerySpec): Promise<LoadedQuery>;
  post(message: ToExecutor): void;
  /** Requests pictures of lanes. */
  watch(watched: Watched): void;
  /** Lowers the priority of its thread, also while it is held; see `yieldToOthers`. */
  yieldToOthers(idle?: boolean): void;
  readonly thread: ThreadState;
  /** The pulse of its thread; undefined where it is this one. */
  pulse(): Pulse | undefined;
  /** Closes it, and ends its thread if that takes longer than `graceMs`. */
  close(graceMs: number): Promise<void>;
}

export interface LinkEvents {
  onMessage(message: FromExecutor): void;
  onPicture(picture: Picture): void;
  /** The worker has ended, in this turn of its thread, if that is known. */
  onDeath(link: ExecutorLink, error: Error, turn?: Turn): void;
}

export type StartLink = (
  name: string,
  config: ExecutorConfig,
  events: LinkEvents,
  permissions?: WorkerPermissions,
) => ExecutorLink;

class Answers {
  readonly #ready = Promise.withResolvers<void>();
  readonly #loads = new Map<number, PromiseWithResolvers<LoadedQuery>>();
  #failure: Error | undefined;

  constructor() {
    this.ready.catch(() => {}); // Those who wait for it handle it.
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  load(link: ExecutorLink, plan: number, spec: QuerySpec): Promise<LoadedQuery> {
    link.post({ type: "load", plan, spec });
    const answer = Promise.withResolvers<LoadedQuery>();
    this.#loads.set(plan, answer);
    if (this.#failure !== undefined) answer.reject(this.#failure);
    answer.promise.finally(() => this.#loads.delete(plan)).catch(() => {});
    return answer.promise;
  }

  receive(message: FromExecutor): void {
    switch (message.type) {
      case "ready":
        return this.#ready.resolve();
      case "unusable":
        return this.fail(errorOf(message.error));
      case "loaded":
        return this.#loads.get(message.plan)?.resolve(message.query);
      case "unloadable":
        return this.#loads.get(message.plan)?.reject(errorOf(message.error));
    }
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#ready.reject(error);
    for (const answer of this.#loads.values()) answer.reject(error);
  }
}

export function startWorker(
  name: string,
  config: ExecutorConfig,
  events: LinkEvents,
  permissions?: WorkerPermissions,
): ExecutorLink {
  const shared = new SharedArrayBuffer(SHARED.length * Int32Array.BYTES_PER_ELEMENT);
  const cells = new Int32Array(shared);
  // A separate port, which user code cannot post to.
  const { port1: control, port2 } = new MessageChannel();
  const { port1: pictures, port2: picturesPort } = new MessageChannel();
  const worker = new Worker(new URL("../executor/worker.ts", import.meta.url), {
    type: "module",
    name,
    ...(permissions === undefined ? {} : { deno: { permissions } }),
  });
  const parts: WorkerData = { control: port2, pictures: picturesPort, shared };
  worker.postMessage(parts, [port2, picturesPort]);
  const answers = new Answers();
  const closed = Promise.withResolvers<void>();
  const link: ExecutorLink = {
    name,
    ready: answers.ready,
    lanes: new Map(),
    thread: new ThreadState(name),
    load: (plan, spec) => answers.load(link, plan, spec),
    post: (message) => control.postMessage(message),
    watch: (watched) => pictures.postMessage(watched),
    pulse: () => ({
      ...turnOf(cells),
      memory: Atomics.load(cells, SHARED.memory),
      // A call that does not end blocks: many short ones are only a busy thread.
      alive: Atomics.load(cells, SHARED.heartbeats) + Atomics.load(cells, SHARED.calls),
    }),
    yieldToOthers(idle = false) {
      Atomics.store(cells, SHARED.yields, 1);
      const thread = Atomics.load(cells, SHARED.thread);
      if (thread !== 0) yieldToOthers({ thread, idle });
    },
    async close(graceMs) {
      link.post({ type: "close" });
      await within(graceMs, () => closed.promise);
      control.close();
      pictures.close();
      worker.terminate();
    },
  };
  const died = (error: Error) => {
    answers.fail(error);
    closed.resolve();
    events.onDeath(link, error, turnOf(cells));
  };
  pictures.onmessage = ({ data }: MessageEvent<Picture>) => events.onPicture(data);
  control.onmessage = ({ data }: MessageEvent<FromExecutor>) => {
    answers.receive(data);
    if (data.type === "closed") closed.resolve();
    if (data.type === "exited") died(new Error(`Executor ${name} was ended from within`));
    else events.onMessage(data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    died(new Error(`Executor ${name} died: ${event.message}`));
  };
  link.post({ type: "open", config });
  return link;
}

export function startInline(
  _name: string,
  config: ExecutorConfig,
  events: LinkEvents,
): ExecutorLink {
  const answers = new Answers();
  const host = new ExecutorHost({
    send(message) {
      answers.receive(message);
      events.onMessage(message);
    },
    sendPicture: (picture) => events.onPicture(picture),
  });
  const link: ExecutorLink = {
    name: "main thread",
    ready: answers.ready,
    lanes: new Map(),
    thread: new ThreadState("main thread"),
    load: (plan, spec) => answers.load(link, plan, spec),
    post: (message) => void host.handle(message),
    watch: (watched) => host.watch(watched),
    yieldToOthers() {},
    pulse: () => undefined,
    // A sink's function may never end, and this thread cannot be terminated.
    close: async (graceMs) => void await within(graceMs, () => host.handle({ type: "close" })),
  };
  link.post({ type: "open", config });
  return link;
}
