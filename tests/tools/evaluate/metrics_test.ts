import assert from "node:assert/strict";
import { evaluate, rocCurve, startsOf, sweep } from "../../../tools/evaluate/metrics.ts";
import type { ScoredClip } from "../../../tools/evaluate/score.ts";

/** A clip with a score every half second. */
function clip(
  positive: boolean,
  scores: readonly number[],
  event: { fromMs?: number; toMs?: number } = {},
): ScoredClip {
  return {
    path: "clip.mp4",
    positive,
    ...event,
    points: scores.map((score, i) => ({ timestamp: 500 * (i + 1), score })),
    frames: 100,
    badFrames: 0,
    durationMs: 500 * (scores.length + 1),
  };
}

const OPTIONS = { label: "fight", enter: 0.6, exit: 0.4 };

Deno.test("rocAuc is the chance that a positive scores higher", () => {
  const aucOf = (positives: number[], negatives: number[]) =>
    evaluate([
      ...positives.map((score) => clip(true, [score])),
      ...negatives.map((score) => clip(false, [score])),
    ], OPTIONS).rocAuc;
  assert.equal(aucOf([0.9, 0.8], [0.1]), 1);
  assert.equal(aucOf([0.1], [0.9]), 0);
  assert.equal(aucOf([0.5], [0.5]), 0.5);
  assert.equal(aucOf([0.9, 0.4], [0.6, 0.2]), 0.75);
});

Deno.test("evaluate counts hits, misses, false alarms and their hours", () => {
  const clips = [
    clip(true, [0.1, 0.7, 0.9, 0.2]),
    clip(true, [0.5, 0.5]),
    clip(false, [0.1, 0.2, 0.1]),
    clip(false, [0.7, 0.1, 0.8, 0.1, 0.1, 0.1]),
  ];
  const result = evaluate(clips, OPTIONS);
  assert.deepEqual(result, {
    clips: 4,
    positives: 2,
    truePositives: 1,
    falseNegatives: 1,
    trueNegatives: 1,
    falsePositives: 1,
    accuracy: 0.5,
    rocAuc: 0.75,
    delayMs: { p50: 1000, p95: 1000 },
    falseAlerts: 2,
    quietHours: 5500 / 3_600_000,
    falseAlertsPerCameraHour: 2 / (5500 / 3_600_000),
  });
});

Deno.test("in a positive clip an alert before the event is a false one", () => {
  const early = clip(true, [0.9, 0.1, 0.1, 0.1, 0.9, 0.1], { fromMs: 2000, toMs: 2600 });
  const result = evaluate([early, clip(false, [0])], OPTIONS);
  assert.equal(result.truePositives, 1);
  assert.equal(result.delayMs.p50, 500);
  assert.equal(result.falseAlerts, 1);
  assert.equal(result.quietHours * 3_600_000, 3500 - 600 + 1000);
  // One that comes a window after the event still tells of it; a later one does not.
  const late = clip(true, [0, 0, 0.9, 0], { fromMs: 0, toMs: 1000 });
  assert.equal(evaluate([late, clip(false, [0])], OPTIONS).truePositives, 1);
  const tooLate = clip(true, [0, 0, 0, 0.9, 0], { fromMs: 0, toMs: 1000 });
  assert.equal(evaluate([tooLate, clip(false, [0])], OPTIONS).truePositives, 0);
});

Deno.test("no alert has no delay", () => {
  const result = evaluate([clip(true, [0.1]), clip(false, [0.1])], OPTIONS);
  assert.deepEqual(result.delayMs, { p50: null, p95: null });
  assert.equal(result.falseAlertsPerCameraHour, 0);
});

Deno.test("rocCurve and sweep go from nothing found to everything", () => {
  const clips = [clip(true, [0.9]), clip(true, [0.4]), clip(false, [0.6]), clip(false, [0.2])];
  const curve = rocCurve(clips, OPTIONS).map((point) => [point.falseAlarmRate, point.hitRate]);
  assert.deepEqual(curve, [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]);
  const found = sweep(clips, OPTIONS, [0.1, 0.5, 0.95]).map((one) => one.truePositives);
  assert.deepEqual(found, [2, 1, 0]);
});

Deno.test("startsOf follows smoothing and k of n", () => {
  const { points } = clip(true, [0.9, 0.1, 0.9, 0.9, 0.9, 0.1]);
  assert.deepEqual(startsOf(points, OPTIONS), [500, 1500]);
  assert.deepEqual(startsOf(points, { ...OPTIONS, of: [2, 2] }), [2000]);
});
