import assert from "node:assert/strict";
import { CaptureTimes } from "../../cameras/capture_times.ts";
import { Decimator, LiveTime } from "../../cameras/live_time.ts";
import { pace } from "../../cameras/pacing.ts";
import { Punctuality } from "../../cameras/pacing.ts";
import type { SourceImage, SourceKind } from "../../cameras/source.ts";
import type { Clock } from "../../runtime/base/clock.ts";

/** A clock that jumps to the end of each sleep. */
class JumpingClock implements Clock {
  time = 1_000_000;
  readonly sleeps: number[] = [];
  now(): number {
    return this.time;
  }
  monotonic(): number {
    return this.time;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleeps.push(ms);
    this.time += ms;
    return Promise.resolve();
  }
}

async function* images(times: readonly number[]): AsyncGenerator<SourceImage> {
  for (const timestamp of times) {
    yield await Promise.resolve({
      value: new Uint8Array(1),
      contentType: "image/jpeg",
      timestamp,
    });
  }
}

async function paced(
  kind: SourceKind,
  times: readonly number[],
  options: {
    readonly fps?: number | "max";
    readonly clock?: JumpingClock;
    readonly onImage?: (clock: JumpingClock, index: number) => void;
    readonly onLate?: (ms: number, heldMs: number) => void;
  } = {},
) {
  const { clock = new JumpingClock(), fps, onImage, onLate } = options;
  const given: number[] = [];
  const at: number[] = [];
  const { signal } = new AbortController();
  for await (
    const { timestamp } of pace(images(times), {
      kind,
      times: new CaptureTimes(clock),
      signal,
      ...(onLate === undefined ? {} : { onLate }),
      ...(fps === undefined ? {} : { fps }),
    })
  ) {
    given.push(timestamp - 1_000_000);
    at.push(clock.time - 1_000_000);
    onImage?.(clock, given.length - 1);
  }
  return { given, at, clock };
}

Deno.test("a recording plays at its own times, which are the capture times", async () => {
  const times = [0, 40, 80, 200, 201.5, 1000];
  const { given, at } = await paced("recorded", times);
  assert.deepEqual(given, times);
  assert.deepEqual(at, times);
});

Deno.test("--fps spaces a recording and a collection evenly", async () => {
  for (const kind of ["recorded", "collection"] as const) {
    const { given } = await paced(kind, [0, 1, 2, 3], { fps: 20 });
    assert.deepEqual(given, [0, 50, 100, 150]);
  }
});

Deno.test("max waits for nothing and keeps a recording's spacing", async () => {
  const { given, at } = await paced("recorded", [0, 40, 80], { fps: "max" });
  assert.deepEqual(given, [0, 40, 80]);
  assert.deepEqual(at, [0, 0, 0]);
});

Deno.test("a collection without a rate goes at once", async () => {
  const { given, clock } = await paced("collection", [0, 0, 0]);
  assert.deepEqual(given, [0, 0, 0]);
  assert.deepEqual(clock.sleeps, []);
});

Deno.test("a live source is left alone", async () => {
  const { given, clock } = await paced("live", [1_000_007, 1_000_003], { fps: 5 });
  assert.deepEqual(given, [7, 3]);
  assert.deepEqual(clock.sleeps, []);
});

Deno.test("small delays are caught up, long ones move the rest of the recording", async () => {
  const late: number[] = [];
  const { given, at } = await paced("recorded", [0, 40, 80, 120, 160, 200], {
    onLate: (ms) => void late.push(ms),
    onImage(clock, index) {
      if (index === 0) clock.time += 90;
      if (index === 3) clock.time += 5_000;
    },
  });
  assert.deepEqual(given.slice(0, 4), [0, 40, 80, 120]);
  assert.deepEqual(at.slice(0, 4), [0, 90, 90, 120]);
  assert.deepEqual(given.slice(4), [5120, 5160]);
  assert.deepEqual(at.slice(4), [5120, 5160]);
  // Only the delay that could not be caught up is reported: 5 s less the 40 ms until the next frame.
  assert.deepEqual(late, [4960]);
});

Deno.test("a recording that falls behind is counted, and told ever more rarely", () => {
  const punctuality = new Punctuality();
  const told: string[] = [];
  for (let i = 0; i < 100; i++) punctuality.fallBehind(300, 0, (line) => void told.push(line));
  assert.deepEqual([punctuality.late, punctuality.behindMs], [100, 30_000]);
  assert.equal(told.length, 7);
  assert.match(
    told[0]!,
    /^The recording is 0\.3 s behind its own times: it was held up for a moment/,
  );
  assert.match(told.at(-1)!, /19\.2 s behind its own times: .*too slow.*lower --fps/);
});

Deno.test("an outage of the log is told as such, and so is a process that was stopped once", async () => {
  const told: string[] = [];
  const punctuality = new Punctuality();
  const tell = (line: string) => void told.push(line);
  await paced("recorded", [0, 40, 80, 120, 160], {
    onLate: (ms, heldMs) => punctuality.fallBehind(ms, heldMs, tell),
    // The log takes the second frame after three seconds.
    onImage(clock, index) {
      if (index === 1) clock.time += 3_000;
    },
  });
  punctuality.fallBehind(9_000, 10, tell);
  assert.equal(told.length, 2);
  assert.match(told[0]!, /3\.0 s behind its own times: the log was slow or unreachable$/);
  assert.match(told[1]!, /12\.0 s behind its own times: it was held up for a moment/);
});

Deno.test("stops in the middle of a wait", async () => {
  const stop = new AbortController();
  const clock = new JumpingClock();
  clock.sleep = () => {
    stop.abort();
    return Promise.reject(stop.signal.reason);
  };
  const given: number[] = [];
  for await (
    const { timestamp } of pace(images([0, 1000, 2000]), {
      kind: "recorded",
      times: new CaptureTimes(clock),
      signal: stop.signal,
    })
  ) given.push(timestamp);
  assert.equal(given.length, 1);
});

Deno.test("live times: jitter stays out, no frame comes from the future, pauses are followed", () => {
  const clock = new JumpingClock();
  const live = new LiveTime(new CaptureTimes(clock));
  const jitter = [30, 0, 12, 45, 3, 0, 22, 8];
  const stamps = jitter.map((delay, i) => {
    clock.time = 1_000_000 + i * 40 + delay;
    live.arrived(i * 40);
    const stamp = live.of(i * 40);
    assert.ok(stamp <= clock.time);
    return stamp;
  });
  // Once the fastest frame came through, the spacing is that of the camera, within a millisecond.
  const steps = stamps.slice(2).map((stamp, i) => stamp - stamps[i + 1]!);
  assert.ok(steps.every((step) => Math.abs(step - 40) < 1), String(steps));
  // Frames late by a minute may be a burst that catches up; after two seconds it was a pause.
  clock.time += 60_000;
  for (let i = 8; i < 70; i++, clock.time += 40) live.arrived(i * 40);
  live.arrived(70 * 40);
  assert.equal(live.of(70 * 40), clock.time);
});

Deno.test("a live source is thinned out evenly", () => {
  const decimator = new Decimator(10);
  const kept = Array.from({ length: 50 }, (_, i) => i * 40).filter((time) =>
    decimator.accepts(time)
  );
  assert.equal(kept.length, 20);
  const all = new Decimator(undefined);
  assert.ok([0, 0, -5].every((time) => all.accepts(time)));
  // The clock of a camera that was restarted may go back.
  assert.ok(decimator.accepts(-1_000_000));
});
