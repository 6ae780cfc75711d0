import assert from "node:assert/strict";
import { alerts } from "../../../queries/operators/alerts.ts";
import { checkCondition, type Condition } from "../../../queries/operators/condition.ts";
import { faultText, Fields } from "../../../runtime/base/fields.ts";
import type { Finding, Result } from "../../../runtime/mod.ts";
import { contextOf } from "./kit.ts";

const finding = (offset: number, result: Result): Finding => ({
  topic: "T",
  partition: 0,
  key: null,
  firstOffset: offset,
  lastOffset: offset,
  timestamp: 1000 * offset,
  result,
});

const person = { label: "person", score: 0.9, box: [0, 0, 1, 1] } as const;
const inView = (count: number): Result => ({
  frames: [{ offset: 0, timestamp: 0, objects: new Array(count).fill(person) }],
});

/** What the alert says of each result, one a second; with a restart before each. */
async function states(when: Condition, results: readonly Result[]): Promise<string[]> {
  const operator = alerts<Finding>({ label: "it", when });
  const said: string[] = [];
  let state: Uint8Array | undefined;
  for (const [i, result] of results.entries()) {
    const task = await operator.open({ ...contextOf(), ...(state ? { state } : {}) });
    const outputs = await task.process(finding(i, result));
    said.push(outputs.at(-1)!.result?.alert?.state ?? "-");
    state = task.snapshot!()!;
  }
  return said;
}

Deno.test("alerts on objects, zones and scores", async () => {
  assert.deepEqual(
    await states({ objects: "person", atLeast: 2 }, [0, 1, 2, 3, 1, 0].map(inView)),
    ["-", "-", "start", "update", "end", "-"],
  );
  const door = (present: number): Result => ({ zones: { door: present } });
  assert.deepEqual(await states({ zone: "door" }, [0, 1, 0].map(door)), ["-", "start", "end"]);
  const score = (x: number): Result => ({ scores: { x } });
  assert.deepEqual(
    await states({ score: "x", atLeast: 0.7 }, [0.6, 0.7, 0.1].map(score)),
    ["-", "start", "end"],
  );
});

Deno.test("alerts on crossings and counts", async () => {
  const counted = (inward: number, out = 0): Result => ({ counts: { gate: { in: inward, out } } });
  assert.deepEqual(
    await states({ line: "gate", direction: "in" }, [counted(0), counted(1), counted(1, 1)]),
    ["-", "start", "end"],
  );
  assert.deepEqual(
    await states({ count: "gate", direction: "in", atLeast: 2 }, [1, 2, 3].map((n) => counted(n))),
    ["-", "start", "update"],
  );
  // Added to a query that has counted before.
  assert.deepEqual(await states({ line: "gate" }, [3, 3, 4].map((n) => counted(n))), [
    ...["-", "-", "start"],
  ]);
});

Deno.test("alerts on dwelling, and on absence for some time", async () => {
  const stays = (ms: number): Result => ({ data: { dwellMs: { door: { 7: ms } } } });
  assert.deepEqual(
    await states({ zone: "door", dwellMs: 2000 }, [stays(1000), stays(2000), {}]),
    ["-", "start", "end"],
  );
  const three = (...ms: number[]): Result => ({ data: { dwellMs: { door: { ...ms } } } });
  assert.deepEqual(
    await states({ zone: "door", atLeast: 2, dwellMs: 2000 }, [three(3000, 1), three(3000, 2000)]),
    ["-", "start"],
  );
  assert.deepEqual(
    await states({ absent: "person", forMs: 2000 }, [1, 0, 0, 0, 1, 0, 0].map(inView)),
    ["-", "-", "-", "start", "end", "-", "-"],
  );
});

Deno.test("conditions are combined, and each part remembers since when it holds", async () => {
  const both: Condition = {
    all: [{ zone: "door", forMs: 1000 }, { not: { objects: "person" } }],
  };
  const result = (present: number, people: number): Result => ({
    ...inView(people),
    zones: { door: present },
  });
  assert.deepEqual(
    await states(both, [result(1, 1), result(1, 0), result(1, 1), result(1, 0), result(0, 0)]),
    ["-", "start", "end", "start", "end"],
  );
  const either: Condition = { any: [{ zone: "door" }, { objects: "*", atLeast: 3 }] };
  assert.deepEqual(
    await states(either, [result(0, 2), result(0, 3), result(1, 0), result(0, 0)]),
    ["-", "start", "update", "end"],
  );
});

function conditionFaults(when: unknown): string[] {
  const fields = new Fields({ when }, ["when"]);
  checkCondition(fields, "when");
  return fields.faults.map(faultText);
}

Deno.test("a condition that a changed query watches has not held before; one that it moves has", async () => {
  const nobody = { absent: "person", forMs: 2000 } as const, dog = { objects: "dog" } as const;
  const other = { absent: "cat", forMs: 2000 } as const;
  const before = await alerts<Finding>({ label: "it", when: { any: [nobody, dog] } })
    .open(contextOf());
  for (const i of [0, 1]) await before.process(finding(i, {}));
  const after = async (when: Condition) => {
    const state = before.snapshot!()!;
    const task = await alerts<Finding>({ label: "it", when }).open({ ...contextOf(), state });
    return (await task.process(finding(2, {})))[0]!.result?.alert?.state;
  };
  assert.equal(await after({ any: [dog, nobody] }), "start");
  assert.equal(await after({ any: [other, dog] }), undefined);
});

Deno.test("a condition names all its faults", () => {
  assert.deepEqual(conditionFaults({ zone: "door", forMs: 10 }), []);
  assert.match(conditionFaults({}).join(), /^when: expected one of score, objects, absent, zone/);
  const bad = { all: [{ zone: "" }, { line: "a", direction: "up" }, { score: "x", most: 1 }] };
  const faults = conditionFaults(bad).join("\n");
  assert.match(faults, /when.all\[0\].zone: expected text that is not empty, given ""/);
  assert.match(faults, /when.all\[1\].direction: expected in or out, given "up"/);
  assert.match(faults, /when.all\[2\].most: unknown; expected forMs, score, atLeast/);
  assert.match(faults, /when.all\[2\].atLeast: expected a number from 0 up, given nothing/);
  assert.throws(
    () => alerts({ label: "x", when: {} as Condition }),
    /Cannot use alert options: when/,
  );
});

Deno.test("a score that a model names as invalid ends nothing; the alert ends with the low ones", async () => {
  const task = await alerts<Finding>({ label: "x", enter: 0.6, exit: 0.4, smoothing: 0.5 })
    .open(contextOf());
  const said = [];
  for (const [i, x] of [0.9, 0.9, 0.9, undefined, 0.05, 0.05, 0.05].entries()) {
    const result = x === undefined ? { data: { invalidScores: ["x"] } } : { scores: { x } };
    const [output] = await task.process(finding(i, result));
    said.push(output!.result!.alert);
  }
  assert.deepEqual(said.map((alert) => alert?.state), [
    "start",
    "update",
    "update",
    "update",
    "update",
    "end",
    undefined,
  ]);
  assert.equal(said[5]!.peak, 0.9);
  assert.ok(said.every((alert) => alert === undefined || Number.isFinite(alert.peak)));
  assert.ok(!new TextDecoder().decode(task.snapshot!()!).includes('null,"hits"'));
});

Deno.test("an invalid score is no second one of two, and hides no valid one of the same window", async () => {
  const data = { invalidScores: ["x"] };
  const operator = alerts<Finding>({ label: "x", enter: 0.6, of: [2, 3] });
  const states = async (...results: Result[]) => {
    const task = await operator.open(contextOf());
    const outputs = [];
    for (const [i, result] of results.entries()) {
      outputs.push(...await task.process(finding(i, result)));
    }
    return outputs.map(({ result }) => result!.alert?.state);
  };
  const high = { scores: { x: 0.9 } }, frames = [{ offset: 0, timestamp: 0, ...high }];
  assert.deepEqual(await states(high, { data }, { data }), [undefined, undefined, undefined]);
  assert.deepEqual(await states(high, { data }, high), [undefined, undefined, "start"]);
  assert.deepEqual(await states({ frames, data }, { frames, data }), [undefined, "start"]);
});

Deno.test("scores of frames alone can be watched: the highest counts", async () => {
  const task = await alerts<Finding>({ label: "cut", enter: 0.6 }).open(contextOf());
  const frames = (...scores: number[]): Result => ({
    frames: scores.map((cut, offset) => ({ offset, timestamp: 0, scores: { cut } })),
  });
  const [first] = await task.process(finding(0, frames(0.1, 0.7, 0.2)));
  const [second] = await task.process(finding(1, frames(0.1, 0.2)));
  assert.deepEqual([first!.result!.alert?.state, second!.result!.alert?.state], ["start", "end"]);
});

Deno.test("objects alone can be watched by their label, as a model on windows finds them", async () => {
  const task = await alerts<Finding>({ label: "person", enter: 0.6 }).open(contextOf());
  const found = (score: number): Result => ({
    frames: [{ offset: 0, timestamp: 0, objects: [{ ...person, score }] }],
  });
  const [first] = await task.process(finding(0, found(0.9)));
  const [second] = await task.process(finding(1, found(0.2)));
  assert.deepEqual([first!.result!.alert?.state, second!.result!.alert?.state], ["start", "end"]);
});
