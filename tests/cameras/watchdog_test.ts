/** How long a camera waits for a source that sends nothing. */
import assert from "node:assert/strict";
import { Patience } from "../../cameras/watchdog.ts";
import type { Clock } from "../../runtime/base/clock.ts";

/** A clock whose sleeps last as long as the test says: longer ones than asked for are a process that stands still. */
function laggingClock(lag: (now: number) => number): Clock {
  let now = 0;
  return {
    now: () => now,
    monotonic: () => now,
    async sleep(ms, signal) {
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      now += ms + lag(now);
    },
  };
}

/** When the patience of 20 s is over, milliseconds. */
async function endOf(clock: Clock): Promise<number> {
  using patience = new Patience(20_000, clock, new Error("silent"));
  await new Promise((resolve) => patience.signal.addEventListener("abort", resolve));
  assert.equal(patience.signal.reason.message, "silent");
  return clock.monotonic();
}

Deno.test("a silent source is left when its time is over, though each timer is late", async () => {
  assert.equal(await endOf(laggingClock(() => 0)), 20_000);
  const late = await endOf(laggingClock(() => 300));
  assert.ok(late >= 20_000 && late < 21_300, `${late}`);
});

Deno.test("a process that stood still gives the source all its time again", async () => {
  for (const stop of [2_000, 30_000, 1e9]) {
    const clock = laggingClock((now) => now === 15_000 ? stop : 0);
    assert.equal(await endOf(clock), 16_000 + stop + 20_000);
  }
});
