import assert from "node:assert/strict";
import fc from "fast-check";
import type { Frame, Window } from "../../../runtime/definition/frame.ts";
import { coreMsOf } from "../../support/core_ms.ts";
import { createWindower } from "../../../runtime/windows/window.ts";
import { checkWindowOptions, type WindowOptions } from "../../../runtime/windows/window_options.ts";

function frame(offset: number, timestamp: number, headers: Record<string, string> = {}): Frame {
  return {
    topic: "VideoStreaming",
    partition: 0,
    offset,
    timestamp,
    key: "CAMERA-1",
    headers,
    value: new Uint8Array(),
  };
}

const at = (times: readonly number[]) => times.map((time, offset) => frame(offset, time));
const every = (count: number, ms: number) => at(Array.from({ length: count }, (_, i) => i * ms));

function cut(options: WindowOptions, frames: readonly Frame[]): Window[] {
  const windower = createWindower(options);
  return frames.flatMap((one) => windower.push(one));
}

const offsets = (windows: readonly Window[]) =>
  windows.map(({ frames }) => frames.map(({ offset }) => offset));

Deno.test("tumbling windows follow one another", () => {
  assert.deepEqual(offsets(cut({ frames: 3 }, every(8, 100))), [[0, 1, 2], [3, 4, 5]]);
});

Deno.test("sliding windows start every hop frames", () => {
  assert.deepEqual(offsets(cut({ frames: 4, hop: 2 }, every(8, 100))), [
    [0, 1, 2, 3],
    [2, 3, 4, 5],
    [4, 5, 6, 7],
  ]);
});

Deno.test("a hop beyond the window leaves frames out", () => {
  assert.deepEqual(offsets(cut({ frames: 2, hop: 3 }, every(8, 100))), [[0, 1], [3, 4], [6, 7]]);
});

Deno.test("every takes each n-th frame", () => {
  assert.deepEqual(offsets(cut({ frames: 2, every: 3 }, every(10, 100))), [[0, 3], [6, 9]]);
});

Deno.test("without maxGapMs a gap is longer than four ticks of fps, and than a second", () => {
  const most = (fps?: number) =>
    checkWindowOptions(fps === undefined ? { frames: 2 } : { frames: 2, fps }).maxGapMs;
  assert.deepEqual([most(0.5), most(2), most(8), most()], [8_000, 2_000, 1_000, undefined]);
});

Deno.test("fps takes the frame nearest to each tick: gaps are even from the first on", () => {
  const gapsOf = (camera: number, fps: number) => {
    const [{ frames }] = cut({ frames: 8, fps }, every(130, 1000 / camera)) as [Window];
    return frames.slice(1).map(({ timestamp }, i) => timestamp - frames[i]!.timestamp);
  };
  for (
    const [camera, fps] of [[15, 5], [30, 10], [29.97, 2.5], [25, 8], [24, 2.5], [30, 8]] as const
  ) {
    const gaps = gapsOf(camera, fps);
    const [even, frame] = [1000 / fps, 1000 / camera];
    assert.ok(gaps.every((gap) => Math.abs(gap - even) < frame), `${camera} to ${fps}: ${gaps}`);
  }
  assert.deepEqual(gapsOf(15, 5).map(Math.round), [200, 200, 200, 200, 200, 200, 200]);
});

Deno.test("fps holds the frame before where the camera is slower", () => {
  // 2 frames/s to 4: each twice, the held one before the next arrives.
  assert.deepEqual(offsets(cut({ frames: 4, fps: 4 }, every(4, 500))), [[0, 0, 1, 1]]);
});

Deno.test("a jittery camera at the model's own rate loses and doubles nothing", () => {
  const times = [0, 126, 249, 376, 499, 626, 751, 874];
  assert.deepEqual(offsets(cut({ frames: 8, fps: 8 }, at(times))), [[0, 1, 2, 3, 4, 5, 6, 7]]);
});

Deno.test("gap reset: open windows go, the next frame starts afresh", () => {
  const times = [0, 100, 200, 5000, 5100, 5200, 5300];
  assert.deepEqual(offsets(cut({ frames: 4, maxGapMs: 500 }, at(times))), [[3, 4, 5, 6]]);
});

Deno.test("gap drop: only windows with the gap inside go, the grid stays", () => {
  const times = [0, 100, 200, 5000, 5100, 5200, 5300, 5400];
  assert.deepEqual(
    offsets(cut({ frames: 2, maxGapMs: 500, gap: "drop" }, at(times))),
    [[0, 1], [4, 5], [6, 7]],
  );
});

Deno.test("gap pad: open windows are filled with their last frame and say so", () => {
  const windows = cut({ frames: 4, maxGapMs: 500, gap: "pad" }, at([0, 100, 5000]));
  assert.deepEqual(offsets(windows), [[0, 1, 1, 1]]);
  assert.equal(windows[0]!.gaps, 1);
});

Deno.test("a clock that jumps back is a gap", () => {
  const times = [10_000, 10_100, 0, 100, 200, 300];
  assert.deepEqual(offsets(cut({ frames: 4, maxGapMs: 500 }, at(times))), [[2, 3, 4, 5]]);
  assert.deepEqual(offsets(cut({ frames: 3, fps: 10 }, at(times))), [[2, 3, 4]]);
});

Deno.test("time windows hold what was captured in them, whatever the number of frames", () => {
  const times = [0, 400, 900, 1100, 1500, 2050, 3200];
  assert.deepEqual(offsets(cut({ durationMs: 1000 }, at(times))), [[0, 1, 2], [3, 4], [5]]);
  assert.deepEqual(
    offsets(cut({ durationMs: 2000, hopMs: 1000 }, at([1000, 1500, 2500, 3500, 5000]))),
    [[0, 1], [0, 1, 2], [2, 3], [3]],
  );
});

Deno.test("a late frame joins while its window is open, and is counted after", () => {
  const windower = createWindower({ durationMs: 1000, latenessMs: 300 });
  const windows = [0, 500, 1100, 900, 1400, 800].flatMap((time, offset) =>
    windower.push(frame(offset, time))
  );
  assert.deepEqual(offsets(windows), [[0, 1, 3]]);
  assert.equal(windower.late, 1);
});

Deno.test("a frame may be in 10,000 time windows, after a restart too: the work does not grow with their square", () => {
  const options = { durationMs: 10_000, hopMs: 1, maxStepMs: 1e9 };
  const frames = at(Array.from({ length: 600 }, (_, i) => i * 100));
  const windows: Window[] = [];
  const ms = coreMsOf(() => {
    const windower = createWindower(options);
    for (const frame of frames.slice(0, 300)) windower.push(frame);
    const again = createWindower(options, windower.state());
    for (const frame of frames.slice(300)) windows.push(...again.push(frame));
  });
  // Those from 29,901 on, which the first run had not begun, to 49,900, which the last frame ends.
  assert.equal(windows.length, 20_000);
  assert.ok(ms < 5_000, `${ms} ms of a core`);
});

Deno.test("more windows may be open than a call can have arguments", () => {
  const options = { durationMs: 10_000, hopMs: 1, latenessMs: 1e6 };
  const windower = createWindower(options);
  for (const frame of every(20, 10_000)) assert.deepEqual(windower.push(frame), []);
  assert.equal(windower.restartPoint()?.offset, 0);
  assert.equal(windower.flush().length, 200_000);
});

Deno.test("missing sequence numbers inside a window are counted as gaps", () => {
  const frames = [0, 1, 4, 5].map((seq, offset) =>
    frame(offset, offset * 100, { session: "s", seq: String(seq) })
  );
  assert.equal(cut({ frames: 4 }, frames)[0]!.gaps, 1);
});

Deno.test("wrong options are named together, with what was given and what is accepted", () => {
  assert.throws(
    () => checkWindowOptions({ frames: 0, fps: -1, every: 2, gap: "skip" as "drop" }),
    (error: Error) => {
      for (
        const part of ["frames", "fps", "fps, every", "gap", "given 0", "given -1", 'given "skip"']
      ) {
        assert.ok(error.message.includes(part), `${part} in ${error.message}`);
      }
      return true;
    },
  );
  assert.throws(() => checkWindowOptions({}), /exactly one/);
  assert.throws(() => checkWindowOptions({ frames: 2, durationMs: 5 }), /exactly one/);
});

const stream = fc.array(
  fc.record({
    step: fc.oneof(
      { weight: 12, arbitrary: fc.integer({ min: 20, max: 120 }) },
      { weight: 1, arbitrary: fc.integer({ min: -400, max: 0 }) },
      { weight: 1, arbitrary: fc.integer({ min: 600, max: 20_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: -20_000, max: -600 }) },
    ),
    hole: fc.boolean(),
  }),
  { minLength: 1, maxLength: 150 },
).map((steps) => {
  let time = 1_700_000_000_000;
  let offset = 0;
  return steps.map(({ step, hole }) => {
    time += step;
    offset += hole ? 2 : 1;
    return frame(offset, time);
  });
});

const windowOptions: fc.Arbitrary<WindowOptions> = fc.oneof(
  fc.record({
    frames: fc.integer({ min: 1, max: 9 }),
    hop: fc.integer({ min: 1, max: 12 }),
    maxGapMs: fc.constantFrom(300, 1000),
    gap: fc.constantFrom("reset", "drop", "pad"),
  }),
  fc.record({
    frames: fc.integer({ min: 1, max: 9 }),
    hop: fc.integer({ min: 1, max: 12 }),
    fps: fc.constantFrom(3, 8, 15, 40),
    gap: fc.constantFrom("reset", "drop", "pad"),
  }),
  fc.record({
    frames: fc.integer({ min: 1, max: 9 }),
    hop: fc.integer({ min: 1, max: 12 }),
    every: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({
    durationMs: fc.constantFrom(200, 500, 1000),
    hopMs: fc.constantFrom(100, 200, 500),
    latenessMs: fc.constantFrom(0, 150),
    maxGapMs: fc.constantFrom(2000, 5000),
    gap: fc.constantFrom("reset", "drop"),
  }),
) as fc.Arbitrary<WindowOptions>;

/** As the engine does it: stop anywhere, go back to the restart point, ignore what was emitted. */
function withRestarts(
  options: WindowOptions,
  frames: readonly Frame[],
  stops: ReadonlySet<number>,
): Window[] {
  const out: Window[] = [];
  let windower = createWindower(options);
  for (let i = 0; i < frames.length; i++) {
    out.push(...windower.push(frames[i]!));
    if (!stops.has(i)) continue;
    const point = windower.restartPoint();
    const state = JSON.parse(JSON.stringify(point?.state ?? windower.state()));
    windower = createWindower(options, state);
    if (point === undefined) continue;
    for (const again of frames.slice(0, i + 1)) {
      if (again.offset >= point.offset) windower.push(again);
    }
  }
  return out;
}

Deno.test("windows are the same whatever the batches and restarts: 1,000 streams", () => {
  fc.assert(
    fc.property(stream, windowOptions, fc.array(fc.nat(149)), (frames, options, stops) => {
      assert.deepEqual(
        offsets(withRestarts(options, frames, new Set(stops))),
        offsets(cut(options, frames)),
      );
    }),
    { numRuns: 1000 },
  );
});

Deno.test("every window is in offset order, of the declared length, of nearby frames", () => {
  fc.assert(
    fc.property(stream, windowOptions, (frames, options) => {
      for (const window of cut(options, frames)) {
        const list = window.frames.map(({ offset }) => offset);
        assert.deepEqual(list, [...list].sort((a, b) => a - b));
        if (options.frames !== undefined) assert.equal(list.length, options.frames);
        assert.equal(window.firstOffset, list[0]);
        assert.equal(window.lastOffset, list.at(-1));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("what is held for open windows stays bounded", () => {
  const windower = createWindower({ frames: 16, hop: 8, fps: 8 });
  let most = 0;
  for (const one of every(10_000, 66)) {
    windower.push(one);
    most = Math.max(most, windower.held);
  }
  assert.ok(most <= 64, `held ${most}`);
});

Deno.test("gaps are those of the camera, not those that sampling makes", () => {
  const numbered = (seqs: readonly number[]) =>
    seqs.map((seq, offset) => frame(offset, seq * 40, { session: "a", seq: String(seq) }));
  const whole = numbered(Array.from({ length: 40 }, (_, i) => i));
  const holed = numbered(Array.from({ length: 40 }, (_, i) => i < 10 ? i : i + 2));
  for (const options of [{ frames: 4, every: 5 }, { frames: 4, fps: 5 }]) {
    assert.equal(cut(options, whole)[0]!.gaps, 0);
    assert.equal(cut(options, holed)[0]!.gaps, 1);
  }
});

Deno.test("wants says which frames will be sampled", () => {
  for (const options of [{ frames: 2 }, { frames: 2, every: 3 }, { frames: 2, fps: 7 }]) {
    const windower = createWindower({ ...options, maxGapMs: 1000 });
    const wanted = [...every(20, 40), frame(20, 9000)].filter((one) => {
      const wants = windower.wants(one);
      windower.push(one);
      return wants;
    });
    const used = new Set(
      offsets(cut({ ...options, hop: 1, maxGapMs: 1000 }, every(20, 40))).flat(),
    );
    const before = wanted.map(({ offset }) => offset).filter((offset) => offset < 20);
    for (const offset of used) assert.ok(before.includes(offset), `${offset} is used`);
    assert.ok(before.length <= used.size + 1, `${before} for ${[...used]}`);
    assert.equal(wanted.at(-1)!.offset, 20, "the frame after a pause begins anew");
  }
});

Deno.test("gap drop: a pause wants no frame that the grid leaves out", () => {
  const windower = createWindower({ frames: 2, every: 3, maxGapMs: 500, gap: "drop" });
  for (const one of at([0, 100, 5000, 5100, 5200, 200, 300])) {
    const wants = windower.wants(one);
    const { samples } = windower.state();
    windower.push(one);
    assert.equal(wants, windower.state().samples > samples, `at ${one.timestamp}`);
  }
});

Deno.test("gaps are those of one session of the camera", () => {
  const numbered = (session: string, seq: number) => ({ session, seq: String(seq) });
  const [same] = cut({ frames: 2 }, [
    frame(0, 0, numbered("a", 0)),
    frame(1, 40, numbered("a", 5)),
  ]);
  const [other] = cut({ frames: 2 }, [
    frame(0, 0, numbered("a", 0)),
    frame(1, 40, numbered("b", 5)),
  ]);
  assert.deepEqual([same!.gaps, other!.gaps], [1, 0]);
});

Deno.test("the state of time windows names those begun before it, until they are over", () => {
  const options = { durationMs: 1000, hopMs: 250 };
  let windower = createWindower(options);
  for (let i = 0; i < 100; i++) {
    windower.push(frame(i, i * 250));
    windower = createWindower(options, windower.state());
    assert.ok((windower.state().begun ?? []).length <= 4);
  }
});
