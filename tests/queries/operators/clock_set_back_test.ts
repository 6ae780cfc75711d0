/** A camera's clock is set back an hour: what waits for capture time waits no hour longer. */
import assert from "node:assert/strict";
import { alerts } from "../../../queries/operators/alerts.ts";
import { track } from "../../../queries/operators/track/mod.ts";
import { zones } from "../../../queries/operators/zones/mod.ts";
import type { DetectedObject, Frame, Operator, Result } from "../../../runtime/mod.ts";
import { frameOf, run } from "./kit.ts";

const HOUR_MS = 3_600_000;

/** Results at seconds after the start, on a clock that is set back from the `back`th on. */
async function resultsOf(
  operator: Operator<Frame, unknown>,
  back: number,
  seen: readonly (readonly [second: number, result: Result])[],
): Promise<Result[]> {
  const frames = seen.map(([second, result], i): Frame => {
    const at = 10 * HOUR_MS + 1000 * second - (i < back ? 0 : HOUR_MS);
    const frame = frameOf(new Uint8Array(), i, at, { width: "100", height: "100" });
    const frames = result.frames?.map((entry) => ({ ...entry, offset: i, timestamp: at }));
    return { ...frame, result: { ...result, ...(frames === undefined ? {} : { frames }) } };
  });
  return (await run(operator, frames) as Frame[]).map(({ result }) => result!);
}

const scored = (score: number): Result => ({ scores: { door: score } });
const states = (results: readonly Result[]) => results.map(({ alert }) => alert?.state ?? "-");

/** Objects that stand at points; with a track, those of a tracker. */
function standing(...objects: readonly { readonly x: number; readonly track?: number }[]): Result {
  return {
    frames: [{
      offset: 0,
      timestamp: 0,
      objects: objects.map(({ x, ...track }): DetectedObject => ({
        label: "person",
        score: 0.9,
        box: [x - 5, 40, x + 5, 60],
        ...track,
      })),
    }],
  };
}

Deno.test("a cooldown ends", async () => {
  const operator = alerts<Frame>({ label: "door", cooldownMs: 5_000 });
  const seen = ([[0, 0.9], [1, 0.1], [2, 0.9], [6, 0.9], [7, 0.9]] as const)
    .map(([second, score]) => [second, scored(score)] as const);
  const expected = ["start", "end", "-", "start", "update"];
  assert.deepEqual(states(await resultsOf(operator, Infinity, seen)), expected);
  // The cooldown begins anew.
  assert.deepEqual(states(await resultsOf(operator, 2, seen)), ["start", "end", "-", "-", "start"]);
});

Deno.test("a condition counts after forMs", async () => {
  const when = { score: "door", atLeast: 0.5, forMs: 5_000 } as const;
  const seen = [0, 1, 2, 6, 7].map((second) => [second, scored(0.9)] as const);
  const operator = alerts<Frame>({ label: "open", when });
  const expected = ["-", "-", "-", "start", "update"];
  assert.deepEqual(states(await resultsOf(operator, Infinity, seen)), expected);
  assert.deepEqual(states(await resultsOf(operator, 2, seen)), ["-", "-", "-", "-", "start"]);
});

Deno.test("no stay is shorter than nothing, and objects loiter in time", async () => {
  const zone = { name: "all", polygon: [[0, 0], [1, 0], [1, 1], [0, 1]], loiterMs: 3_000 } as const;
  const seen = [0, 1, 2, 3, 4, 5].map((second) => [second, standing({ x: 50, track: 1 })] as const);
  const found = await resultsOf(zones<Frame>({ zones: [zone], lines: [] }), 2, seen);
  const { dwellMs, loitering } = found.at(-1)!.data!;
  assert.deepEqual([dwellMs, loitering], [{ all: { 1: 3_000 } }, { all: [1] }]);
  const dwells = found.map(({ data }) => (data!["dwellMs"] as { all: Record<string, number> }).all);
  assert.deepEqual(dwells.map((dwell) => dwell[1]), [0, 1_000, 0, 1_000, 2_000, 3_000]);
});

Deno.test("an object that was lost before does not come back after", async () => {
  const nothing = standing();
  const seen = [standing({ x: 50 }), nothing, nothing, nothing, standing({ x: 50 })]
    .map((result, second) => [second / 2, result] as const);
  const [other] = (await resultsOf(track<Frame>({ lostMs: 10_000 }), 2, seen)).at(-1)!.frames!;
  assert.equal(other!.objects![0]!.track, undefined);
  const [same] = (await resultsOf(track<Frame>({ lostMs: 10_000 }), 9, seen)).at(-1)!.frames!;
  assert.equal(same!.objects![0]!.track, 1);
});
