// A pool of executors that are none: the test says when their threads turn.
import type {
  ExecutorLink,
  LinkEvents,
  PooledLane,
} from "../../../runtime/driver/executor_link.ts";
import { ExecutorPool, type Placement } from "../../../runtime/driver/executor_pool.ts";
import type {
  ExecutorPermissions,
  WorkerPermissions,
} from "../../../runtime/driver/permissions.ts";
import { type Pulse, ThreadState } from "../../../runtime/driver/thread_state.ts";
import {
  type ExecutorConfig,
  type FromExecutor,
  type LoadedQuery,
  newCells,
  type QuerySpec,
} from "../../../runtime/executor/protocol.ts";

export const CONFIG: ExecutorConfig = { log: "", progressIntervalMs: 1000 };
export const SPEC: QuerySpec = {
  name: "q",
  topic: "T",
  module: "file:///q.ts",
  group: "g",
  sinks: [],
};
export const LOADED: LoadedQuery = {
  plan: "query q",
  finite: false,
  steps: ["first"],
  onOperatorError: { kind: "restart" },
  access: { read: [], write: [], net: [], libraries: [], open: false },
  remarks: [],
  topics: [],
};

/** An executor of which the test says when its thread turns. */
export class FakeExecutor implements ExecutorLink {
  readonly name = "fake";
  readonly opened = Promise.withResolvers<void>();
  readonly ready = this.opened.promise;
  readonly loaded: string[] = [];
  readonly lanes = new Map<number, PooledLane>();
  readonly thread = new ThreadState("fake");
  readonly closing = Promise.withResolvers<void>();
  closed = false;
  /** A lane in it ends it while the next query is loaded. */
  dies = false;
  holder = 0;
  /** What the call that holds the thread was given, whether it is ours, and what memory it takes. */
  turn: Pick<Pulse, "input" | "own"> = { input: { step: 1, offset: 7 }, own: false };
  memory = 0;
  yields = false;
  readonly permissions: WorkerPermissions | undefined;
  readonly #events: LinkEvents;
  #turns = 0;

  constructor(events: LinkEvents, permissions?: WorkerPermissions) {
    this.#events = events;
    this.permissions = permissions;
  }

  say(message: FromExecutor): void {
    this.#events.onMessage(message);
  }

  /** The worker ends while this lane has its thread. */
  die(lane: number): void {
    this.#events.onDeath(this, new Error("Executor fake was ended from within"), {
      ...this.turn,
      lane,
    });
  }

  post(): void {}

  yieldToOthers(): void {
    this.yields = true;
  }

  load(plan: number, { name, sinks }: QuerySpec): Promise<LoadedQuery> {
    this.loaded.push(`${plan} ${name}`);
    if (this.dies || name === "deadly") {
      const died = Promise.reject(new Error("Executor fake was ended from within"));
      this.die(0);
      return died;
    }
    if (sinks.includes("greedy")) {
      return Promise.reject(Object.assign(new Error("write"), { name: "NotCapable" }));
    }
    return Promise.resolve({ ...LOADED, access: { ...LOADED.access, write: sinks } });
  }

  watch(): void {}

  pulse(): Pulse {
    const { holder: lane, memory } = this;
    return { ...this.turn, lane, memory, alive: lane === 0 ? ++this.#turns : this.#turns };
  }

  close(): Promise<void> {
    this.closed = true;
    this.closing.resolve();
    return Promise.resolve();
  }
}

/** A pool of such executors, and what it says of blocked lanes. */
export function pool(size: number, permissions?: ExecutorPermissions) {
  const executors: FakeExecutor[] = [];
  const ended: [lane: number, why: string][] = [];
  const stranded: number[] = [];
  const inFunction = new Set<number>();
  const opening = new Set<number>();
  const yielding: number[] = [];
  const messages: [lane: number, type: string][] = [];
  const reports: string[] = [];
  let heard = Promise.withResolvers<[lane: number, blocked: boolean]>();
  const made = new ExecutorPool(CONFIG, {
    onPicture: () => {},
    report: (line) => reports.push(line),
  }, {
    size,
    permissions,
    startLink(_name, _config, events, permissions) {
      const executor = new FakeExecutor(events, permissions);
      executors.push(executor);
      return executor;
    },
  });
  const next = async () => {
    const event = await heard.promise;
    heard = Promise.withResolvers();
    return event;
  };
  const start = (lane: number, placement: Placement = {}, spec = SPEC) =>
    made.start(
      {
        spec,
        get mayMove() {
          return !inFunction.has(lane);
        },
        get runs() {
          return !opening.has(lane);
        },
        onMessage: ({ type }) => messages.push([lane, type]),
        onStranded: () => stranded.push(lane),
        onBlocked: (by) => heard.resolve([lane, by === "call"]),
        onYields: () => yielding.push(lane),
        onEnded: (why) => ended.push([lane, why]),
      },
      { lane, partition: 0, runId: "r", cells: newCells() },
      placement,
    );
  return {
    made,
    executors,
    next,
    start,
    ended,
    stranded,
    inFunction,
    opening,
    yielding,
    messages,
    reports,
  };
}
