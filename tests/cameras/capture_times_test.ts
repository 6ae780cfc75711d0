import assert from "node:assert/strict";
import { CaptureTimes } from "../../cameras/capture_times.ts";
import { Decimator, LiveTime } from "../../cameras/live_time.ts";
import { pace } from "../../cameras/pacing.ts";
import type { SourceImage } from "../../cameras/source.ts";
import { ticks } from "../../cameras/ticker.ts";
import { StreamTimes } from "../../cameras/video/stream_times.ts";

const EPOCH = 1_700_000_000_000;

/** A clock whose sleeps end at once, and whose wall time can be set. */
class SettableClock {
  passed = 0;
  set = 0;
  now = () => EPOCH + this.passed + this.set;
  monotonic = () => this.passed;
  sleep = (ms: number) => {
    this.passed += ms;
    return Promise.resolve();
  };
}

function stepsOf(stamps: readonly number[]): number[] {
  return stamps.slice(1).map((stamp, i) => Math.round(stamp - stamps[i]!));
}

const { signal } = new AbortController();
const STEPS = [3_600_000, -3_600_000, 10_000, -10_000];

Deno.test("a wall clock that is set: capture times follow it once, the beat continues", async () => {
  for (const step of STEPS) {
    const clock = new SettableClock();
    const reports: string[] = [];
    const times = new CaptureTimes(clock, (line) => reports.push(line));
    const stamps: number[] = [];
    for await (const stamp of ticks(25, { times, signal })) {
      stamps.push(stamp);
      if (stamps.length === 10) clock.set = step;
      if (stamps.length === 20) break;
    }
    assert.equal(clock.passed, 19 * 40);
    assert.deepEqual(
      stepsOf(stamps),
      Array.from({ length: 19 }, (_, i) => i === 9 ? 40 + step : 40),
    );
    assert.equal(times.clockSteps, 1);
    assert.match(reports.join(), /^This machine's clock was set .* (?:back|forward)/);
  }
});

Deno.test("a wall clock that is set: recordings neither wait nor hurry", async () => {
  for (const step of STEPS) {
    for (const fps of [undefined, 10, "max"] as const) {
      const clock = new SettableClock();
      const times = new CaptureTimes(clock);
      const images = async function* (): AsyncGenerator<SourceImage> {
        for (let i = 0; i < 20; i++) {
          if (i === 10) clock.set = step;
          const image = { value: new Uint8Array(1), contentType: "image/jpeg", timestamp: i * 40 };
          yield await Promise.resolve(image);
        }
      };
      const stamps: number[] = [];
      const paced = pace(images(), {
        kind: "recorded",
        times,
        signal,
        ...(fps === undefined ? {} : { fps }),
      });
      for await (const { timestamp } of paced) stamps.push(timestamp);
      const interval = fps === 10 ? 100 : 40;
      assert.equal(clock.passed, fps === "max" ? 0 : 19 * interval);
      const jump = fps === "max" ? 0 : step;
      assert.deepEqual(
        stepsOf(stamps),
        Array.from({ length: 19 }, (_, i) => i === 9 ? interval + jump : interval),
      );
    }
  }
});

Deno.test("a slow beat keeps its time, and says meanwhile that it is alive: its pause is no silence", async () => {
  const clock = new SettableClock();
  let [last, silence] = [0, 0];
  const stamps: number[] = [];
  const onActivity = () => {
    silence = Math.max(silence, clock.monotonic() - last);
    last = clock.monotonic();
  };
  for await (const stamp of ticks(0.02, { times: new CaptureTimes(clock), signal, onActivity })) {
    stamps.push(stamp);
    if (stamps.length === 3) break;
  }
  assert.deepEqual(stepsOf(stamps), [50_000, 50_000]);
  assert.ok(last > 99_000 && silence <= 200, `${silence}`);
});

/** A stream of 40 ms frames whose times are as given. */
function streamTimes(live: boolean, clock: SettableClock) {
  const times = new CaptureTimes(clock);
  const input = { frameMs: 40, milliseconds: (stamp: bigint) => Number(stamp) };
  return { times, stream: new StreamTimes(input, times, live) };
}

/** The time of a frame that comes now. */
function dated(live: LiveTime, streamMs: number): number {
  live.arrived(streamMs);
  return live.of(streamMs);
}

Deno.test("the first frame has no time: the second is dated from it, or from itself; a time-lapse does not jump", () => {
  const of = (frameMs: number, stamps: readonly (number | undefined)[]) => {
    const times = new CaptureTimes(new SettableClock());
    const milliseconds = (index: bigint) => stamps[Number(index)];
    const stream = new StreamTimes({ frameMs, milliseconds }, times);
    return [stamps.map((_, i) => stream.of(BigInt(i))), times.timeJumps];
  };
  assert.deepEqual(of(40, [undefined, 66, 132]), [[0, 66, 132], 0]);
  assert.deepEqual(of(40, [undefined, 0, 66]), [[0, 40, 106], 0]);
  assert.deepEqual(of(60_000, [0, 60_000, 180_000]), [[0, 60_000, 180_000], 0]);
});

Deno.test("a live stream whose time jumps, stands still or goes back keeps its spacing", () => {
  const cases: Record<string, (i: number) => number> = {
    "60 s back once": (i) => i * 40 - (i >= 50 ? 60_000 : 0),
    "9 800 s forward once": (i) => i * 40 + (i >= 50 ? 9_800_000 : 0),
    "one far in the past": (i) => i * 40 - (i % 50 === 49 ? 9_800_000 : 0),
    "constant": () => 7,
    "reset": (i) => i < 50 ? i * 40 : (i - 50) * 40,
  };
  for (const [name, of] of Object.entries(cases)) {
    const clock = new SettableClock();
    const { times, stream } = streamTimes(true, clock);
    const live = new LiveTime(times);
    const decimator = new Decimator(5);
    let kept = 0;
    const stamps = Array.from({ length: 100 }, (_, i) => {
      clock.passed = i * 40;
      const stamp = dated(live, stream.of(BigInt(of(i))));
      if (decimator.accepts(stamp)) kept++;
      return stamp;
    });
    assert.ok(stepsOf(stamps).every((step) => step === 40), `${name}: ${stepsOf(stamps)}`);
    assert.equal(kept, 20, name);
    assert.ok(times.timeJumps > 0, name);
  }
});

Deno.test("a live stream that comes in a burst keeps its spacing; after a pause it is up to date", () => {
  const clock = new SettableClock();
  const live = new LiveTime(new CaptureTimes(clock));
  // Of 40 ms frames, 50 to 99 come together when the network is back.
  const burst = Array.from({ length: 150 }, (_, i) => {
    clock.passed = i < 50 || i >= 100 ? i * 40 : 99 * 40;
    return dated(live, i * 40);
  });
  assert.deepEqual(burst, burst.map((_, i) => EPOCH + i * 40));
  // The stream's own time stands still for 5 s.
  const delays = Array.from({ length: 100 }, (_, i) => {
    clock.passed = 150 * 40 + 5_000 + i * 40;
    return clock.now() - dated(live, (150 + i) * 40);
  });
  assert.equal(delays[0], 5_000);
  assert.ok(delays.slice(60).every((delay) => delay === 0), `${delays}`);
});

Deno.test("jumps are reported by their size, ever more rarely", () => {
  const reports: string[] = [];
  const times = new CaptureTimes(new SettableClock(), (line) => reports.push(line));
  for (const ms of [0, -40, 3_600_000, 0]) times.jumped(ms);
  const told = (what: string, count: number) =>
    `The stream's time ${what} (${count} times so far); frames keep their spacing`;
  assert.deepEqual(reports, [
    told("stood still", 1),
    told("jumped 40 ms back", 2),
    told("stood still", 4),
  ]);
});

Deno.test("a recording joined of two: the jump is counted and not slept through", () => {
  for (const jump of [3_600_000, -3_600_000, 15_000, -2_000, -200]) {
    const { times, stream } = streamTimes(false, new SettableClock());
    const stamps = Array.from(
      { length: 20 },
      (_, i) => stream.of(BigInt(5_000_000 + i * 40 + (i >= 10 ? jump : 0))),
    );
    assert.deepEqual(stamps, stamps.map((_, i) => i * 40));
    assert.equal(times.timeJumps, 1);
  }
  // A pause that a variable rate may have is kept.
  const { times, stream } = streamTimes(false, new SettableClock());
  assert.deepEqual([0, 40, 8_000, 8_040].map((ms) => stream.of(BigInt(ms))), [0, 40, 8_000, 8_040]);
  assert.equal(times.timeJumps, 0);
});
