import assert from "node:assert/strict";
import fc from "fast-check";
import { type AlertOptions, alerts } from "../../../queries/operators/alerts.ts";
import {
  type Alert,
  type Finding,
  firstOffsetOf,
  type Frame,
  type Output,
} from "../../../runtime/mod.ts";
import { FakeClock } from "../../../runtime/testing.ts";
import { contextOf, frameOf, open, run, runWithRestarts } from "./kit.ts";

/** Frames with a score each, ten a second. */
function scored(scores: readonly (number | undefined)[]): Frame[] {
  return scores.map((score, i) => ({
    ...frameOf(new Uint8Array(), i, 100 * i),
    ...(score === undefined ? {} : { result: { scores: { door: score } } }),
  }));
}

async function alertsOf(
  options: Omit<AlertOptions, "label">,
  scores: readonly (number | undefined)[],
): Promise<(Alert | undefined)[]> {
  const outputs = await run(alerts<Frame>({ label: "door", ...options }), scored(scores));
  return outputs.map(({ result }) => result?.alert);
}

const states = (list: readonly (Alert | undefined)[]) =>
  list.map((alert) => alert?.state[0] ?? "-").join("");

Deno.test("an episode starts, continues and ends under one id, with its peak", async () => {
  const list = await alertsOf({}, [0.1, 0.7, 0.9, 0.5, 0.39, 0.1, 0.8]);
  assert.equal(states(list), "-suue-s");
  assert.deepEqual(list[1], { id: "test-0-door-1", state: "start", label: "door", peak: 0.7 });
  assert.deepEqual(list[4], { id: "test-0-door-1", state: "end", label: "door", peak: 0.9 });
  assert.equal(list[6]!.id, "test-0-door-6");
});

Deno.test("k of n windows must count", async () => {
  const options = { of: [2, 3] as const };
  assert.equal(states(await alertsOf(options, [0.7, 0, 0, 0.7, 0, 0, 0])), "-------");
  assert.equal(states(await alertsOf(options, [0.7, 0, 0.7, 0.1])), "--se");
  assert.equal(states(await alertsOf(options, [0.7, 0.7, 0.1, 0.7, 0.1])), "-se--");
});

Deno.test("fewer windows count at once where a restart says so", async () => {
  const before = await open(alerts<Frame>({ label: "door", of: [5, 6] }));
  for (const frame of scored([0.7, 0.7, 0, 0, 0])) await before.process(frame);
  const after = await open(alerts<Frame>({ label: "door", of: [2, 2] }), before.snapshot!());
  const [output] = await after.process(scored([0.7])[0]!);
  assert.equal(output!.result!.alert, undefined);
});

Deno.test("smoothing keeps a part of the score before", async () => {
  const options = { smoothing: 0.5, enter: 0.6, exit: 0.3 };
  const list = await alertsOf(options, [0, 1, 1, 0, 0, 0]);
  // Smoothed: 0, 0.5, 0.75, 0.375, 0.1875.
  assert.equal(states(list), "--sue-");
  assert.equal(list[4]!.peak, 0.75);
});

Deno.test("within the cooldown no episode starts", async () => {
  const list = await alertsOf({ cooldownMs: 400 }, [1, 0, 1, 1, 1, 1, 0]);
  // It ended at 100 ms, so the next may start at 500 ms.
  assert.equal(states(list), "se---se");
});

Deno.test("an output without the score counts as 0", async () => {
  assert.equal(states(await alertsOf({}, [0.9, undefined, undefined])), "se-");
});

Deno.test("alerts mark findings too, by the first offset of their window", async () => {
  const finding = (firstOffset: number, score: number): Finding => ({
    topic: "T",
    partition: 0,
    key: null,
    firstOffset,
    lastOffset: firstOffset + 15,
    timestamp: 40 * firstOffset,
    result: { scores: { fight: score }, inferMs: 3 },
  });
  const task = await open(alerts<Finding>({ label: "fight" }) as never);
  const outputs: Output[] = [];
  for (const [i, score] of [0.2, 0.8, 0.1].entries()) {
    outputs.push(...await task.process(finding(8 * i, score) as never) as Output[]);
  }
  assert.deepEqual(outputs.map(({ result }) => result!.alert?.id), [
    undefined,
    "test-0-fight-8",
    "test-0-fight-8",
  ]);
  assert.equal(outputs[1]!.result!.inferMs, 3);
});

Deno.test("alerts continue after any restart as if there had been none", async () => {
  const anything = fc.record({
    smoothing: fc.constantFrom(0, 0.3, 0.9),
    of: fc.constantFrom<readonly [number, number]>([1, 1], [2, 3], [3, 3]),
    cooldownMs: fc.constantFrom(0, 500),
  });
  const scores = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(anything, scores, fc.array(fc.nat(40)), async (options, list, restarts) => {
      const operator = alerts<Frame>({ label: "door", ...options });
      const straight = await run(operator, scored(list));
      const { outputs } = await runWithRestarts(operator, scored(list), new Set(restarts));
      assert.deepEqual(outputs, straight);
      const open = straight.reduce((count, { result }) => {
        const state = result?.alert?.state;
        if (state === "start") assert.equal(count, 0, "an episode starts inside another");
        if (state === "update" || state === "end") assert.equal(count, 1, `${state} of nothing`);
        return state === "start" ? 1 : state === "end" ? 0 : count;
      }, 0);
      assert.ok(open <= 1);
    }),
    { numRuns: 200 },
  );
});

Deno.test("alerts names all faults of its options", () => {
  assert.throws(
    () => alerts({ label: "", enter: 0.3, exit: 0.5, of: [0, 1] }),
    /label: .*; of: expected .*; exit: expected a number up to enter, which is 0.3, given 0.5/,
  );
  const unknown = { label: "x", cooldown: 5 };
  assert.throws(() => alerts(unknown), /^RangeError: Cannot use alert options: cooldown: unknown/);
});

/** What ends an episode that nothing more comes of. */
const END = {
  topic: "T",
  partition: 0,
  key: "CAMERA-1",
  firstOffset: 2,
  lastOffset: 2,
  timestamp: 200,
  result: { alert: { id: "test-0-door-1", state: "end", label: "door", peak: 0.9 } },
};

Deno.test("an episode ends when its camera falls silent: by the clock, also after a restart", async () => {
  const operator = alerts<Frame>({ label: "door", silenceMs: 5_000 });
  for (const restart of [false, true]) {
    let task = await open(operator);
    assert.equal(task.nextTimer!(), undefined);
    for (const frame of scored([0.1, 0.9, 0.7])) await task.process(frame);
    const { clock } = contextOf();
    assert.equal(task.nextTimer!(), clock.now() + 5_000);
    if (restart) task = await open(operator, task.snapshot!());
    assert.equal(task.nextTimer!(), clock.now() + 5_000);
    assert.deepEqual(await task.onTimer!(clock.now() + 5_000), [END]);
    assert.equal(task.nextTimer!(), undefined);
    assert.deepEqual(await task.onTimer!(clock.now() + 9_000), []);
  }
});

Deno.test("an episode goes on after a restart, however long nothing ran, and whatever the clock says", async () => {
  const operator = alerts<Frame>({ label: "door", silenceMs: 5_000 });
  const clock = new FakeClock(), context = { ...contextOf(), clock };
  let task = await operator.open(context);
  for (const frame of scored([0.1, 0.9, 0.7])) await task.process(frame);
  const state = task.snapshot!()!;
  await clock.advance(60_000);
  task = await operator.open({ ...context, state });
  assert.equal(task.nextTimer!(), clock.now() + 5_000);
  // Frames were waiting: the camera was not silent.
  const outputs = await task.process(scored([0.1, 0.9, 0.7, 0.8])[3]!);
  assert.deepEqual(outputs.map(({ result }) => result?.alert?.state), ["update"]);
  const set = { now: () => clock.now() - 3_600_000, monotonic: () => clock.monotonic() };
  task = await operator.open({
    ...context,
    clock: { ...set, sleep: () => Promise.resolve() },
    state,
  });
  await clock.advance(5_000);
  assert.equal(task.nextTimer!(), set.now());
});

Deno.test("a pause in capture time ends an episode too, and nothing is carried over it", async () => {
  const operator = alerts<Frame>({ label: "door", silenceMs: 5_000, smoothing: 0.5, of: [2, 2] });
  const frames = scored([0.9, 0.9, 0.9, 0.9, 0.9]).map((frame, i) => ({
    ...frame,
    timestamp: i < 3 ? frame.timestamp : frame.timestamp + 60_000,
  }));
  const outputs = await run(operator, frames);
  assert.equal(states(outputs.map(({ result }) => result?.alert)), "-sue-s");
  assert.deepEqual(
    outputs.map((output) => firstOffsetOf(output)),
    [0, 1, 2, 2, 3, 4],
    "the end stands on the last frame before the pause",
  );
});

Deno.test("an episode ends with its query; without one there is nothing to say", async () => {
  const task = await open(alerts<Frame>({ label: "door" }));
  assert.deepEqual(await task.finish!(), []);
  for (const frame of scored([0.1, 0.9, 0.7])) await task.process(frame);
  assert.deepEqual(await task.finish!(), [END]);
  assert.deepEqual(await task.finish!(), []);
});
