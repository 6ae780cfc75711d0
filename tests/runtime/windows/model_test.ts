/** Windows beside an independent definition of them, over every combination of options. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Frame, Window } from "../../../runtime/definition/frame.ts";
import { createWindower } from "../../../runtime/windows/window.ts";
import { checkWindowOptions, type WindowOptions } from "../../../runtime/windows/window_options.ts";
import { type ModelOutcome, windowsOf } from "./model.ts";

const YEARS = 10 * 365 * 86_400_000;

const frame = (offset: number, timestamp: number): Frame => ({
  topic: "VideoStreaming",
  partition: 0,
  offset,
  timestamp,
  key: "CAMERA-1",
  headers: {},
  value: new Uint8Array(),
});

/** Steady, jittering, late, pausing, and with single frames far ahead of their neighbours. */
const stream = fc.array(
  fc.record({
    step: fc.oneof(
      { weight: 16, arbitrary: fc.integer({ min: 5, max: 130 }) },
      { weight: 1, arbitrary: fc.integer({ min: -400, max: 0 }) },
      { weight: 1, arbitrary: fc.integer({ min: 600, max: 20_000 }) },
      { weight: 1, arbitrary: fc.constantFrom(-3_600_000, -20_000, 70_000, 3_600_000) },
    ),
    far: fc.oneof(
      { weight: 30, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.constantFrom(90_000, YEARS) },
    ),
    hole: fc.boolean(),
  }),
  { minLength: 1, maxLength: 120 },
).map((steps) => {
  let time = 1_700_000_000_000;
  let offset = 0;
  return steps.map(({ step, far, hole }) => frame(offset += hole ? 2 : 1, (time += step) + far));
});

/** Every combination: by count or time, sampled how, which gaps, how late, how far ahead. */
const COMBINATIONS: WindowOptions[] = [];
for (const sampling of [{}, { every: 3 }, { fps: 4 }, { fps: 15 }, { fps: 40 }]) {
  for (const maxGap of [{}, { maxGapMs: 300 }, { maxGapMs: 5000 }]) {
    for (const gap of ["reset", "drop", "pad"] as const) {
      for (
        const size of [{ frames: 1 }, { frames: 5 }, { frames: 6, hop: 2 }, { frames: 2, hop: 5 }]
      ) {
        COMBINATIONS.push({ ...size, ...sampling, ...maxGap, gap });
      }
      if (gap === "pad") continue;
      const sizes = [{}, { hopMs: 250 }, { hopMs: 700 }];
      for (const size of sizes) {
        const times = "fps" in sampling ? [{}] : [{}, { latenessMs: 150 }, { latenessMs: 3000 }];
        for (const time of times) {
          for (const step of [{}, { maxStepMs: 2000 }]) {
            COMBINATIONS.push({
              durationMs: 500,
              ...size,
              ...sampling,
              ...maxGap,
              ...time,
              ...step,
              gap,
            });
          }
        }
      }
    }
  }
}

const view = ({ firstOffset, number = 0, frames }: Window) => ({
  first: firstOffset,
  number,
  offsets: frames.map(({ offset }) => offset),
});

/** As the engine does it: stops anywhere, goes back to the restart point, ignores what was emitted. */
function cut(
  options: WindowOptions,
  frames: readonly Frame[],
  stops: ReadonlySet<number>,
): ModelOutcome {
  const windows: Window[] = [];
  let windower = createWindower(options);
  let late = 0;
  let ahead = 0;
  frames.forEach((one, index) => {
    const before = [windower.late, windower.ahead] as const;
    windows.push(...windower.push(one));
    late += windower.late - before[0];
    ahead += windower.ahead - before[1];
    if (!stops.has(index)) return;
    const point = windower.restartPoint();
    const state = JSON.parse(JSON.stringify(point?.state ?? windower.state()));
    windower = createWindower(options, state);
    for (const again of frames.slice(0, index + 1)) {
      if (point !== undefined && again.offset >= point.offset) windower.push(again);
    }
  });
  return { windows: windows.map(view), late, ahead };
}

/** A few restarts, or one after each frame: what is lost at a single one adds up. */
const stopsAt = fc.oneof(
  fc.array(fc.nat(119), { maxLength: 8 }),
  fc.constant(Array.from({ length: 120 }, (_, index) => index)),
);

for (const restarted of [false, true]) {
  const how = restarted ? "with restarts anywhere" : "in one go";
  Deno.test(`${COMBINATIONS.length} combinations of options give the model's windows ${how}`, () => {
    let windows = 0;
    for (const options of COMBINATIONS) {
      const checked = checkWindowOptions(options);
      fc.assert(
        fc.property(stream, stopsAt, (frames, stops) => {
          const expected = windowsOf(frames, checked);
          windows += expected.windows.length;
          assert.deepEqual(cut(options, frames, new Set(restarted ? stops : [])), expected);
        }),
        { numRuns: 25 },
      );
    }
    assert.ok(windows > 8_000, `only ${windows} windows were compared`);
  });
}

Deno.test("each window has an identity of its own", () => {
  for (const options of COMBINATIONS) {
    fc.assert(
      fc.property(stream, (frames) => {
        const { windows } = cut(options, frames, new Set());
        const names = windows.map(({ first, number }) => `${first}.${number}`);
        assert.equal(new Set(names).size, names.length);
      }),
      { numRuns: 3 },
    );
  }
});
