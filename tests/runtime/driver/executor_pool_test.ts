import assert from "node:assert/strict";
import { executorsFor } from "../../../runtime/driver/executor_set.ts";
import { settle } from "../../../runtime/testing.ts";
import { pool, SPEC } from "./fake_pool.ts";
import { until } from "../../support/until.ts";

Deno.test("few lanes have an executor each, many share one for each core", () => {
  const executors = (cores: number) => [1, 3, 4, 5, 64].map((lanes) => executorsFor(lanes, cores));
  assert.deepEqual(executors(2), [2, 3, 4, 2, 2]);
  assert.deepEqual(executors(8), [8, 8, 8, 8, 8]);
});

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

Deno.test("a query is not loaded by an executor that is held: another one is started", async () => {
  const { made, executors, next, start } = pool(1);
  start(1);
  executors[0]!.holder = 1;
  await next();
  await made.executors.load(SPEC);
  assert.deepEqual(executors.map(({ loaded }) => loaded), [[], ["1 q"]]);
  await made.close();
});

Deno.test("a spare that cannot run is ended", async () => {
  const { made, executors, start } = pool(1);
  start(1);
  start(2);
  await until("a spare", () => executors.length === 2);
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
  assert.deepEqual([...shared.lanes.keys()], [4, 6]);
  assert.deepEqual([...executors.find(({ lanes }) => lanes.has(5))!.lanes.keys()], [5]);
  await made.close();
});

Deno.test("what an executor still says of a run that has left it reaches nobody", async () => {
  const { made, executors, next, start, messages, reports } = pool(1);
  for (const lane of [1, 2]) start(lane);
  const [held] = executors;
  held!.holder = 1;
  await next();
  for (const lane of [0, 1, 2]) held!.say({ type: "report", lane, message: `of ${lane}` });
  for (const lane of [1, 2]) held!.say({ type: "stopped", lane });
  assert.deepEqual([messages, reports], [[[1, "report"], [1, "stopped"]], ["of 0"]]);
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
  executors[0]!.holder = 0;
  await next();
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
  assert.deepEqual([...executors[0]!.lanes.keys()], [1, 3]);
  await made.close();
});

Deno.test("a thread whose large picture ends in a long call, alone but open to others, keeps its priority", async () => {
  const { made, executors, start, yielding } = pool(2);
  for (const lane of [1, 2]) start(lane);
  const [mixed, called] = executors;
  mixed!.turn = { input: { step: 1, offset: 7 }, own: true };
  mixed!.holder = 1;
  await until("the thread is held", () => !made.responsive(1));
  mixed!.turn = { input: { step: 1, offset: 7 }, own: false };
  called!.holder = 2;
  await until("the other one is held for long", () => yielding.includes(2));
  assert.deepEqual([mixed!.yields, yielding], [false, [2]]);
  await made.close();
});

Deno.test("a call of a lane that has moved away does not hold those that stayed", async () => {
  const { made, executors, next, start, ended, stranded } = pool(1);
  for (const lane of [1, 2]) start(lane);
  executors[0]!.holder = 1;
  await next();
  assert.deepEqual([stranded, [...executors[0]!.lanes.keys()]], [[2], [1]]);
  executors[0]!.holder = 0;
  await next();
  // What lane 2 had begun there gets its turn.
  executors[0]!.holder = 2;
  await executors[0]!.closing.promise;
  assert.deepEqual([stranded, ended], [[2, 1], []]);
  await made.close();
});

Deno.test("a lane that opens a model is no fault: lanes that run move, those that open it too stay", async () => {
  const { made, executors, next, start, ended, stranded, opening, yielding } = pool(1);
  for (const lane of [1, 2, 3]) start(lane);
  for (const lane of [1, 3]) opening.add(lane);
  executors[0]!.turn = { own: false };
  executors[0]!.holder = 1;
  assert.deepEqual(await next(), [1, false]);
  assert.deepEqual([stranded, [...executors[0]!.lanes.keys()]], [[2], [1, 3]]);
  executors[0]!.holder = 0;
  // It continues, and its executor serves others again.
  await next();
  start(4);
  assert.deepEqual([...executors[0]!.lanes.keys()], [1, 3, 4]);
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
