import assert from "node:assert/strict";
import { systemClock } from "../../../runtime/base/clock.ts";

Deno.test("a sleep of more days than a timer can count is made of several timers", async () => {
  const real = globalThis.setTimeout;
  const timers: number[] = [];
  const instead = (run: () => void, ms: number) => {
    timers.push(ms);
    queueMicrotask(run);
    return 0;
  };
  globalThis.setTimeout = instead as unknown as typeof setTimeout;
  const days = 60 * 86_400_000;
  try {
    await systemClock.sleep(days);
  } finally {
    globalThis.setTimeout = real;
  }
  assert.equal(timers.reduce((sum, ms) => sum + ms, 0), days);
  assert.ok(timers.length > 1 && timers.every((ms) => ms < 2 ** 31));
});
