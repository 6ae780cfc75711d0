import assert from "node:assert/strict";
import fc from "fast-check";
import { checkJsonState } from "../../../runtime/operators/json_state.ts";
import { stateOperator, type Timers } from "../../../runtime/operators/state.ts";
import { fuzz } from "../../support/fuzz.ts";
import { contextOf, frameOf } from "../../queries/operators/kit.ts";
import type { Frame } from "../../../runtime/mod.ts";

/** Why a state is refused; undefined when it is taken. */
function refusalOf(state: unknown): string | undefined {
  try {
    checkJsonState("alarm", state);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Without what is the same to those who read it: fields that are undefined, negative zeros. */
function normal(value: unknown): unknown {
  if (typeof value === "number") return value + 0;
  if (Array.isArray(value)) return Array.from(value, normal);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(fields.map(([name, part]) => [name, normal(part)]));
}

Deno.test("a state comes back from a checkpoint as it was, or is refused", async () => {
  const values = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSparseArray: true,
    withTypedArray: true,
    withNullPrototype: true,
  });
  let taken = 0;
  await fuzz(
    "states",
    fc.property(fc.oneof(values, fc.object({ withSparseArray: true })), (state) => {
      if (refusalOf(state) !== undefined) return;
      taken++;
      assert.deepEqual(normal(JSON.parse(JSON.stringify(state))), normal(state));
    }),
  );
  assert.ok(taken > 20, `${taken} taken`);
  assert.match(refusalOf({ list: new Array(3) })!, /state\.list\[0\] is undefined/);
  assert.match(refusalOf({ [Symbol("hidden")]: 1 })!, /state has the field Symbol\(hidden\)/);
});

Deno.test("timers that are due before an input fire before it, whatever the first of them registers", async () => {
  const said: string[] = [];
  const operator = stateOperator<object, Frame, never>({
    name: "alarm",
    timeMode: "event",
    init: () => ({}),
    handleInput(_state, { timestamp }, timers) {
      if (timestamp === 0) [10, 20, 30].forEach((time) => timers.register(time));
      said.push(`input ${timestamp}`);
      return [];
    },
    handleExpiredTimer(_state, time, timers) {
      if (time === 10) {
        timers.register(15);
        timers.delete(20);
      }
      said.push(`timer ${time}`);
      return [];
    },
  });
  const task = await operator.open(contextOf());
  for (const time of [0, 40, 41]) await task.process(frameOf(new Uint8Array(), time, time));
  const expected = "input 0, timer 10, timer 30, input 40, timer 15, input 41";
  assert.equal(said.join(", "), expected);
});

Deno.test("timers are a set of times, whatever is done with the list of them", async () => {
  let timers: Timers | undefined;
  const operator = stateOperator<object, number, number>({
    name: "alarm",
    init: () => ({}),
    handleInput: (_state, input, given) => {
      timers = given;
      given.register(input);
      return [];
    },
  });
  const task = await operator.open(contextOf());
  // Many of them, the latest first: each finds its place without sorting all.
  for (let time = 20_000; time > 0; time--) await task.process(time % 5_000 + 1);
  const list = timers!.list() as number[];
  assert.deepEqual(list, Array.from({ length: 5_000 }, (_, i) => i + 1));
  list.length = 0;
  list.push(NaN);
  assert.equal(task.nextTimer!(), 1);
  timers!.delete(1);
  assert.equal(task.nextTimer!(), 2);
});
