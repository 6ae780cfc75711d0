import assert from "node:assert/strict";
import v8 from "node:v8";
import { type Finding, type Pulse, ThreadState } from "../../../runtime/driver/thread_state.ts";

const CALL = { lane: 1, input: { step: 1, offset: 7 }, own: false };
const OPENS = { lane: 1, own: false };
const HEAP = v8.getHeapStatistics().heap_size_limit;

/** A thread that makes no more progress from 0 ms on, and what is found at these times. */
function stuck(
  turn: Omit<Pulse, "alive" | "memory">,
  { lanes = [1], times = [200, 450, 2_100, 9_900, 10_100, 59_900, 60_100], late = 0, grown = 0 } =
    {},
) {
  const thread = new ThreadState("executor-1");
  const pulse = { ...turn, alive: 1, memory: 0 };
  const known = new Map(lanes.map((lane) => [lane, undefined]));
  let memory = 0;
  const look = (now: number, late = 0) =>
    thread.look({ pulse, lanes: known, now, late, resident: () => memory += grown });
  look(0);
  const found: [time: number, kind: Finding["kind"]][] = [];
  let why = "";
  for (const time of times) {
    const finding = look(time, late);
    if (finding === undefined) continue;
    found.push([time, finding.kind]);
    if (finding.kind === "cut") {
      why = finding.why;
      break;
    }
  }
  return { thread, found, why };
}

Deno.test("a thread is cut after 10 s in a call, and after 60 s in what it opens or what belongs to no query", () => {
  for (
    const [turn, expected, end] of [
      [CALL, [[450, "held"], [2_100, "long"], [10_100, "cut"]], "blocked for 10 s"],
      [OPENS, [[450, "held"], [2_100, "long"], [60_100, "cut"]], "blocked for 60 s"],
      [{ ...OPENS, lane: 0 }, [[60_100, "cut"]], "no query blocked its thread for 60 s"],
      [{ ...CALL, lane: 2 }, [[450, "cut"]], "a query that has left it blocks its thread"],
      // Framelane's own work is only moved away from.
      [{ ...CALL, own: true }, [[450, "held"]], ""],
    ] as const
  ) {
    const { found, why } = stuck(turn);
    assert.deepEqual([found, why.endsWith(end)], [expected, true], why);
  }
  assert.deepEqual(stuck({ ...CALL, lane: 0 }, { lanes: [] }).found, []);
});

Deno.test("a thread that is held again counts anew", () => {
  const { thread, found } = stuck(CALL, { times: [450, 2_100] });
  const again = { lanes: new Map([[1, undefined]]), late: 0, resident: () => 0 };
  const pulse = { ...CALL, alive: 2, memory: 0 };
  const kinds = [3_000, 3_450, 5_100].map((now) => thread.look({ ...again, pulse, now })?.kind);
  assert.deepEqual([found.map(([, kind]) => kind), kinds], [["held", "long"], [
    "turns",
    "held",
    "long",
  ]]);
});

Deno.test("a thread whose call fills the memory of the process is cut", () => {
  const grown = stuck(CALL, { times: [450], grown: 0.5 * HEAP });
  assert.match(grown.why, /^executor-1 was abandoned: while blocked, its thread allocated \d+ MB$/);
  assert.deepEqual(stuck(CALL, { times: [450], grown: 0.3 * HEAP }).found, [[450, "held"]]);
});

Deno.test("looks that come late hold nobody", () => {
  assert.deepEqual(stuck(CALL, { times: [450, 600], late: 250 }).found, []);
});
