/// <reference lib="deno.worker" />
// Says for each road on which code gets the thread whose turn it is there.
import process from "node:process";
import timers from "node:timers";
import { promisify } from "node:util";
import { callsOf, SHARED, turnOf, watchTurns } from "../../../runtime/executor/pulse.ts";

const cells = new Int32Array(new SharedArrayBuffer(4 * SHARED.length));
watchTurns(cells, () => {});

const roads: Readonly<Record<string, (work: () => void) => unknown>> = {
  "at once": (work) => work(),
  "after an await": async (work) => {
    await undefined;
    work();
  },
  "setTimeout": (work) => setTimeout(work, 0),
  "setInterval": (work) => {
    const timer = setInterval(() => {
      clearInterval(timer);
      work();
    }, 1);
  },
  "setImmediate": (work) => setImmediate(work),
  "queueMicrotask": (work) => queueMicrotask(work),
  "process.nextTick": (work) => process.nextTick(work),
  "node:timers setTimeout": (work) => timers.setTimeout(work, 0),
  "node:timers setImmediate": (work) => timers.setImmediate(work),
  "a timer as a promise": async (work) => {
    await promisify(timers.setTimeout)(1);
    work();
  },
};

const numberOf = (i: number) => i % 2 === 0 ? i : -1;
const seen: Record<string, number> = {};
for (const [i, [name, road]] of Object.entries(roads).entries()) {
  const lane = i + 1;
  await new Promise<void>((resolve) => {
    callsOf(lane, cells)(
      () =>
        road(() => {
          const turn = turnOf(cells);
          // Only every other call is of a window.
          const { offset, number = -1 } = turn.input!;
          seen[name] = Math.abs(turn.lane - lane) + Math.abs(offset - i) +
            Math.abs(number - numberOf(i));
          resolve();
        }),
      { step: 1, offset: i, ...(numberOf(i) < 0 ? {} : { number: numberOf(i) }) },
    );
    // Another lane has the thread in between.
    callsOf(99, cells)(() => {}, { step: 1, offset: 88 });
  });
  // What waited for the call is no part of it.
  seen[`behind ${name}`] = turnOf(cells).lane;
}
self.postMessage(seen);
