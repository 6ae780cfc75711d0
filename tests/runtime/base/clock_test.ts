import assert from "node:assert/strict";
import { systemClock } from "../../../runtime/base/clock.ts";

/** Runs `body` with timers that fire at once; returns their times. */
async function timersOf(body: () => Promise<void>): Promise<number[]> {
  const real = globalThis.setTimeout;
  const timers: number[] = [];
  const instead = (run: () => void, ms: number) => {
    timers.push(ms);
    queueMicrotask(run);
    return 0;
  };
  globalThis.setTimeout = instead as unknown as typeof setTimeout;
  try {
    await body();
  } finally {
    globalThis.setTimeout = real;
  }
  return timers;
}

Deno.test("a sleep until a time that is over asks for no negative timer", async () => {
  assert.deepEqual(await timersOf(() => systemClock.sleep(-5)), [0]);
});

Deno.test("a sleep of more days than a timer can count is made of several timers", async () => {
  const days = 60 * 86_400_000;
  const timers = await timersOf(() => systemClock.sleep(days));
  assert.equal(timers.reduce((sum, ms) => sum + ms, 0), days);
  assert.ok(timers.length > 1 && timers.every((ms) => ms < 2 ** 31));
});
