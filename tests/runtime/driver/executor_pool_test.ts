import assert from "node:assert/strict";
import type { ExecutorLink, LinkEvents } from "../../../runtime/driver/executor_link.ts";
import { ExecutorPool, type Placement } from "../../../runtime/driver/executor_pool.ts";
import type {
  ExecutorPermissions,
  WorkerPermissions,
} from "../../../runtime/driver/permissions.ts";
import { executorsFor } from "../../../runtime/driver/executor_set.ts";
import type { Pulse } from "../../../runtime/driver/thread_watch.ts";
import {
  type ExecutorConfig,
  type LoadedQuery,
  type QuerySpec,
  SHOWN,
} from "../../../runtime/executor/protocol.ts";

import { settle } from "../../../runtime/testing.ts";

Deno.test("few lanes have an executor each, many share one for each core", () => {
  const executors = (cores: number) => [1, 3, 4, 5, 64].map((lanes) => executorsFor(lanes, cores));
  assert.deepEqual(executors(2), [2, 3, 4, 2, 2]);
  assert.deepEqual(executors(8), [8, 8, 8, 8, 8]);
});

const CONFIG: ExecutorConfig = { log: "", progressIntervalMs: 1000 };
const SPEC: QuerySpec = { name: "q", topic: "T", module: "file:///q.ts", group: "g", sinks: [] };
const LOADED: LoadedQuery = {
  plan: "query q",
  finite: false,
  steps: ["first"],
  onOperatorError: { kind: "restart" },
  access: { read: [], write: [], net: [], libraries: [], open: false },
  remarks: [],
  topics: [],
};

/** An executor of which the test says when its thread turns. */
class FakeExecutor implements ExecutorLink {
  readonly name = "fake";
  readonly opened = Promise.withResolvers<void>();
  readonly ready = this.opened.promise;
  readonly loaded: string[] = [];
  readonly lanes = new Set<number>();
  readonly closing = Promise.withResolvers<void>();
  closed = false;
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
function pool(size: number, permissions?: ExecutorPermissions) {
  const executors: FakeExecutor[] = [];
  const ended: [lane: number, why: string][] = [];
  const stranded: number[] = [];
  const inFunction = new Set<number>();
  const opening = new Set<number>();
  const yielding: number[] = [];
  let heard = Promise.withResolvers<[lane: number, blocked: boolean]>();
  const made = new ExecutorPool(CONFIG, {
    onMessage: () => {},
    onPicture: () => {},
    onStranded: (lanes) => stranded.push(...lanes),
    onBlocked: (lane, by) => heard.resolve([lane, by === "call"]),
    onYields: (lane) => yielding.push(lane),
    onEnded: (lane, why) => ended.push([lane, why]),
    mayMove: (lane) => !inFunction.has(lane),
    runs: (lane) => !opening.has(lane),
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
  const start = (lane: number, placement: Placement = {}) =>
    made.start(SPEC, {
      lane,
      partition: 0,
      runId: "r",
      shown: new SharedArrayBuffer(SHOWN.bytes),
    }, placement);
  return { made, executors, next, start, ended, stranded, inFunction, opening, yielding };
}

Deno.test("an executor that a lane held serves others once it turns and the lane is gone", async () => {
  const { made, executors, next, start } = pool(1);
  start(1);
  for (let lane = 1; lane < 4; lane++) {
    const holding = executors.find(({ lanes }) => lanes.has(lane))!;
    holding.holder = lane;
    assert.deepEqual(await next(), [lane, true]);
    holding.holder = 0;
    assert.deepEqual(await next(), [lane, false]);
    made.ended(lane);
    start(lane + 1);
  }
  assert.equal(executors.length, 1);
  await made.close();
});

Deno.test("an executor that a lane still holds when it is given up is ended", async () => {
  const { made, executors, next, start } = pool(1);
  start(1);
  executors[0]!.holder = 1;
  assert.deepEqual(await next(), [1, true]);
  assert.equal(made.responsive(1), false);
  made.ended(1);
  assert.equal(executors[0]!.closed, true);
  start(2);
  assert.equal(executors.length, 2);
  await made.close();
});

Deno.test("a spare that cannot run is ended", async () => {
  const { made, executors, start } = pool(1);
  start(1);
  start(2);
  while (executors.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  const [, spare] = executors;
  spare!.opened.reject(new Error("no such log"));
  await spare!.closing.promise;
  await made.close();
});

Deno.test("a lane that ends its executor is named, and gets another of its own", async () => {
  const { made, executors, start, ended, stranded } = pool(1);
  for (const lane of [1, 2, 3]) start(lane);
  executors[0]!.die(2);
  assert.deepEqual(stranded, [1, 3]);
  assert.deepEqual(ended, [[2, "Executor fake was ended from within"]]);
  start(4);
  start(5, { alone: true });
  start(6);
  const shared = executors.find(({ lanes }) => lanes.has(4))!;
  assert.deepEqual([...shared.lanes], [4, 6]);
  assert.deepEqual([...executors.find(({ lanes }) => lanes.has(5))!.lanes], [5]);
  await made.close();
});

Deno.test("an executor that is held while a function of another lane waits in it is ended", async () => {
  const { made, executors, next, start, ended, stranded, inFunction } = pool(1);
  for (const lane of [1, 2]) start(lane);
  inFunction.add(2);
  executors[0]!.holder = 1;
  assert.deepEqual(await next(), [1, true]);
  assert.equal(executors[0]!.closed, true);
  assert.deepEqual(stranded, [2]);
  assert.deepEqual(ended.map(([lane]) => lane), [1]);
  await made.close();
});

Deno.test("a lane that holds its thread three times in a minute works behind all others, now and after a restart", async () => {
  const { made, executors, next, start, yielding } = pool(1);
  start(1);
  for (let time = 0; time < 3; time++) {
    assert.deepEqual(yielding, []);
    executors[0]!.holder = 1;
    await next();
    if (time === 2) break;
    executors[0]!.holder = 0;
    await next();
  }
  await settle();
  assert.deepEqual(yielding, [1]);
  assert.equal(executors[0]!.yields, true);
  made.ended(1);
  assert.equal(executors[0]!.closed, true, "a thread cannot be quick again");
  start(2, { alone: true, yields: true });
  assert.equal(executors[1]!.yields, true);
  await made.close();
});

Deno.test("a large picture that Framelane decodes makes others move, and is no fault", async () => {
  const { made, executors, next, start, yielding, stranded, inFunction, ended } = pool(1);
  for (const lane of [1, 2, 3]) start(lane);
  // It ends soon: what may not run twice at once waits for it.
  inFunction.add(3);
  executors[0]!.turn = { input: { step: 1, offset: 7 }, own: true };
  for (let time = 0; time < 4; time++) {
    executors[0]!.holder = 1;
    // Alone it is not even mentioned.
    if (time === 0) assert.deepEqual(await next(), [1, false]);
    else await new Promise((resolve) => setTimeout(resolve, 500));
    executors[0]!.holder = 0;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.deepEqual([stranded, yielding, ended], [[2], [], []]);
  assert.deepEqual([...executors[0]!.lanes], [1, 3]);
  await made.close();
});

Deno.test("a lane that opens a model is no fault: lanes that run move, those that open it too stay", async () => {
  const { made, executors, next, start, ended, stranded, opening, yielding } = pool(1);
  for (const lane of [1, 2, 3]) start(lane);
  for (const lane of [1, 3]) opening.add(lane);
  executors[0]!.turn = { own: false };
  executors[0]!.holder = 1;
  assert.deepEqual(await next(), [1, false]);
  assert.deepEqual([stranded, [...executors[0]!.lanes]], [[2], [1, 3]]);
  executors[0]!.holder = 0;
  // It continues, and its executor serves others again.
  await next();
  start(4);
  assert.deepEqual([...executors[0]!.lanes], [1, 3, 4]);
  made.ended(4);
  // Where none runs, nothing is said; after two seconds all others go.
  executors[0]!.holder = 3;
  assert.deepEqual(await next(), [3, false]);
  assert.deepEqual(stranded, [2, 1]);
  assert.deepEqual([yielding, ended], [[], []]);
  await made.close();
});

Deno.test("lanes whose executor keeps too much memory get one each; what grows alone is named", async () => {
  const { made, executors, start, ended, stranded } = pool(1);
  for (const lane of [1, 2]) start(lane);
  executors[0]!.memory = 900;
  await executors[0]!.closing.promise;
  assert.deepEqual([stranded, ended], [[1, 2], []]);
  start(3, { alone: true });
  executors[1]!.memory = 900;
  await executors[1]!.closing.promise;
  assert.deepEqual(ended.map(([lane]) => lane), [3]);
  assert.match(ended[0]![1], /^fake was ended before it ran out of memory: .* 90 % of \d+ MB$/);
  await made.close();
});

Deno.test("a query that comes later is loaded by each executor, by those that start after it too", async () => {
  const { made, executors } = pool(2);
  assert.deepEqual(await made.load(SPEC), LOADED);
  assert.equal(executors.length, 1);
  const other = { ...SPEC, name: "other" };
  await made.load(other);
  made.prepare(new Map([[SPEC, 1], [other, 1]]));
  assert.deepEqual(executors.map(({ loaded }) => loaded), [["1 q", "2 other"], ["1 q", "2 other"]]);
  made.unload(SPEC);
  await made.load({ ...SPEC, name: "third" });
  assert.deepEqual(executors.map(({ loaded }) => loaded.at(-1)), ["3 third", "3 third"]);
  await made.close();
});

Deno.test("an executor is started with what its queries need, and runs no others", async () => {
  const always = { read: ["/code"], write: ["/log"], net: [], env: [], ffi: [] };
  const { made, executors } = pool(4, {
    always: { ...always, run: false, sys: false, import: false },
    ifNeeded: { write: [{ path: "/out", forms: ["/out"] }], net: [], onnx: [], env: [] },
  });
  const spec = (name: string, ...sinks: string[]): QuerySpec => ({ ...SPEC, name, sinks });
  const [plain, a, b, all] = [
    spec("plain"),
    spec("a", "/out/a"),
    spec("b", "/out/b"),
    spec("all", "/out"),
  ];
  const started = () => executors.map(({ permissions, loaded }) => [permissions?.write, loaded]);
  await made.load(a);
  await executors[0]!.closing.promise;
  assert.deepEqual(started(), [[["/log"], ["1 a"]], [["/log", "/out/a"], ["1 a"]]]);
  await made.load(plain);
  await made.load(b);
  assert.equal(executors[2]!.closed, false, "it runs what needs nothing more");
  await made.load(all);
  await assert.rejects(made.load(spec("greedy", "greedy")), { name: "NotCapable" });
  assert.deepEqual(started().slice(2), [
    [["/log"], ["2 plain", "3 b", "4 all", "5 greedy"]],
    [["/log", "/out/b"], ["3 b"]],
    [["/log", "/out"], ["4 all"]],
  ]);
  made.prepare(new Map([[plain, 1], [a, 2], [b, 1], [all, 1]]));
  assert.deepEqual(executors[5]!.permissions?.write, ["/log", "/out/a"]);
  const start = { partition: 0, runId: "r", shown: new SharedArrayBuffer(SHOWN.bytes) };
  for (const [lane, one] of [plain, a, b, all].entries()) {
    made.start(one, { lane: lane + 1, ...start });
  }
  assert.deepEqual(executors.map(({ lanes }) => [...lanes]), [[], [2], [1], [3], [4], []]);
  made.ended(2);
  made.unload(a);
  assert.deepEqual(executors.map(({ closed }) => closed), [true, true, false, false, false, true]);
  await made.close();
});
