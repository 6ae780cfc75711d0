import assert from "node:assert/strict";
import { Random } from "../../support/random.ts";
import { assign } from "../../../queries/operators/track/assignment.ts";
import { track, type TrackOptions } from "../../../queries/operators/track/mod.ts";
import type { Frame } from "../../../runtime/mod.ts";
import { contextOf, frameOf } from "./kit.ts";
import reference from "./track/track_reference.json" with { type: "json" };
import { coreMsOf } from "../../support/core_ms.ts";

type Row = readonly [number, number, number, number, number];

/** Frames with what a detector saw: left, top, right, bottom, score. */
function framesOf(rows: readonly (readonly Row[])[], fps: number, session = "a"): Frame[] {
  return rows.map((found, offset) => {
    const timestamp = Math.round(offset * 1000 / fps);
    const objects = found.map(([left, top, right, bottom, score]) => ({
      label: "person",
      score,
      box: [left, top, right, bottom] as const,
    }));
    return {
      ...frameOf(new Uint8Array(), offset, timestamp, { session }),
      result: { frames: [{ offset, timestamp, objects }] },
    };
  });
}

/** The track of each object of each frame, with restarts before some offsets; 0 for none. */
async function follow(
  frames: readonly Frame[],
  options: TrackOptions = {},
  restartAt: ReadonlySet<number> = new Set(),
): Promise<number[][]> {
  const operator = track<Frame>(options);
  let task = await operator.open(contextOf());
  const found: number[][] = [];
  for (const frame of frames) {
    if (restartAt.has(frame.offset)) {
      task = await operator.open({ ...contextOf(), state: task.snapshot!()! });
    }
    const [output] = await task.process(frame);
    found.push(output!.result!.frames![0]!.objects!.map((object) => object.track ?? 0));
  }
  return found;
}

const sequences = reference.sequences.map(({ name, frames, tracks }) => ({
  name,
  tracks,
  frames: framesOf(frames as unknown as Row[][], reference.fps),
}));

for (const { name, frames, tracks } of sequences) {
  Deno.test(`track follows "${name}" as the reference does`, async () => {
    const own = await follow(frames);
    // The same detections belong together, whatever the numbers are.
    const pairs = new Map<string, number>();
    for (const [f, ids] of tracks.entries()) {
      for (const [i, id] of ids.entries()) {
        const key = `${id} ${own[f]![i]}`;
        pairs.set(key, (pairs.get(key) ?? 0) + 1);
      }
    }
    const best = new Map<string, number>(), taken = new Set<string>();
    let same = 0, all = 0;
    for (const [key, count] of [...pairs].sort((a, b) => b[1] - a[1])) {
      const [theirs, ours] = key.split(" ") as [string, string];
      all += count;
      if (best.has(theirs) || taken.has(ours)) continue;
      best.set(theirs, count);
      taken.add(ours);
      same += count;
    }
    assert.ok(same / all >= 0.98, `${same} of ${all} detections have the same track`);
  });
}

Deno.test("track gives the same numbers after a restart at any frame", async () => {
  const { frames } = sequences[0]!;
  const straight = await follow(frames);
  assert.deepEqual(await follow(frames, {}, new Set(frames.keys())), straight);
});

Deno.test("the state of a crowd fits into a checkpoint", async () => {
  const task = await track<Frame>().open(contextOf());
  for (const frame of sequences[1]!.frames) await task.process(frame);
  const { items } = task.stateSize!();
  assert.ok(items > 3 && task.snapshot!()!.length < 300 * items + 100, `${items} tracks`);
});

const STILL: Row = [10, 10, 50, 90, 0.9];

Deno.test("an object out of sight for less than lostMs keeps its number", async () => {
  const gone = (frames: number) => [
    ...new Array(5).fill([STILL]),
    ...new Array(frames).fill([]),
    ...new Array(3).fill([STILL]),
  ];
  const options = { lostMs: 500 };
  assert.deepEqual((await follow(framesOf(gone(4), 10), options)).at(-1), [1]);
  assert.deepEqual((await follow(framesOf(gone(9), 10), options)).at(-1), [2]);
});

Deno.test("a detection is certain from `sure` on, and keeps a track alive from 0.1 on", async () => {
  const at = (score: number): Row => [10, 10, 50, 90, score];
  const options = { sure: 0.5, begin: 0.5, lostMs: 0 };
  const frames = framesOf([[at(0.5)], [at(0.5)], [at(0.1)], [at(0.5)]], 10);
  assert.deepEqual(await follow(frames, options), [[1], [1], [1], [1]]);
});

Deno.test("an object that still frames show is visible until the last of them", async () => {
  const frames = framesOf([...new Array(30).fill([STILL]), [], [STILL]], 10)
    .map((frame, i): Frame => {
      const data = { gate: { run: i < 2 || i >= 30, skipped: 0 } };
      return { ...frame, result: { ...frame.result, data } };
    });
  assert.deepEqual((await follow(frames, { lostMs: 500 })).at(-1), [1]);
});

Deno.test("still frames that show a detection again do not confirm it", async () => {
  const seen = [[], [STILL], [STILL], [STILL], [STILL], [STILL]];
  const frames = framesOf(seen, 10).map((frame, i): Frame => {
    const data = { gate: { run: i < 2 || i > 3, skipped: 0 } };
    return { ...frame, result: { ...frame.result, data } };
  });
  assert.deepEqual(await follow(frames), [[], [0], [0], [0], [1], [1]]);
});

Deno.test("a new session begins new tracks and uses no number twice", async () => {
  const first = framesOf(new Array(3).fill([STILL]), 10);
  const second = framesOf(new Array(3).fill([STILL]), 10, "b")
    .map((frame, i): Frame => {
      const [entry] = frame.result!.frames!;
      return { ...frame, offset: 3 + i, result: { frames: [{ ...entry!, offset: 3 + i }] } };
    });
  assert.deepEqual(await follow([...first, ...second]), [[1], [1], [1], [2], [2], [2]]);
});

Deno.test("only objects of the same label are taken for the same", async () => {
  const frames = framesOf(new Array(4).fill([STILL]), 10).map((frame, i): Frame => {
    const [entry] = frame.result!.frames!;
    const objects = entry!.objects!.map((object) => ({ ...object, label: i < 2 ? "cat" : "dog" }));
    return { ...frame, result: { frames: [{ ...entry!, objects }] } };
  });
  // A track that begins later counts from its second frame on.
  assert.deepEqual(await follow(frames), [[1], [1], [0], [2]]);
});

Deno.test("what belongs to no track may be left out", async () => {
  const noise: Row = [200, 10, 220, 50, 0.2];
  const frames = framesOf([[STILL, noise]], 10);
  assert.deepEqual(await follow(frames), [[1, 0]]);
  assert.deepEqual(await follow(frames, { keepOthers: false }), [[1]]);
});

Deno.test("a thousand objects in one place are paired in a moment, each with one", () => {
  let random = 7;
  const next = () => (random = (random * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  const count = 1_000;
  const costs = Float64Array.from({ length: count * count }, next);
  let pairs: Int32Array = new Int32Array();
  const ms = coreMsOf(() => pairs = assign(costs, count, count, 0.8));
  assert.ok(ms < 2_000, `${ms} ms of a core`);
  const columns = [...pairs].filter((column) => column >= 0);
  assert.equal(new Set(columns).size, columns.length);
  assert.ok(columns.length > 900, `${columns.length} pairs`);
  for (const [row, column] of pairs.entries()) {
    assert.ok(column < 0 || costs[row * count + column]! <= 0.8);
  }
});

Deno.test("in a large group no one stays alone beside a free partner", () => {
  const random = new Random(7), count = 600, limit = 0.8;
  const near = (cost: number | undefined) => cost! <= limit;
  for (let round = 0; round < 5; round++) {
    const costs = Float64Array.from(
      { length: count * count },
      () => random.next() < 0.01 ? random.next() * limit : 1,
    );
    const pairs = assign(costs, count, count, limit), taken = new Set(pairs);
    for (const [row, column] of pairs.entries()) {
      const free = Array.from({ length: count }, (_, one) => one).filter((one) => !taken.has(one));
      assert.ok(column >= 0 || !free.some((one) => near(costs[row * count + one])), `row ${row}`);
    }
  }
});

Deno.test("pairs cost the least that is possible", () => {
  let random = 7;
  const next = () => (random = (random * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  for (let round = 0; round < 300; round++) {
    const rows = 1 + Math.floor(next() * 5), columns = 1 + Math.floor(next() * 5);
    const costs = Float64Array.from({ length: rows * columns }, next);
    const limit = 0.8;
    const cost = (row: number, column: number) => {
      const own = costs[row * columns + column]!;
      return own <= limit ? own : limit + 1e-4;
    };
    const least = (row: number, free: readonly number[], skips: number): number => {
      if (row === rows) return 0;
      const options = free.map((column) =>
        cost(row, column) + least(row + 1, free.filter((other) => other !== column), skips)
      );
      if (skips > 0) options.push(least(row + 1, free, skips - 1));
      return Math.min(...options);
    };
    const found = assign(costs, rows, columns, limit);
    assert.equal(new Set(found.filter((c) => c >= 0)).size, found.filter((c) => c >= 0).length);
    // Pairs beyond the limit cost the limit each, as many as must be.
    const made = [...found].filter((column) => column >= 0).length;
    const total = [...found].reduce((sum, c, row) => c < 0 ? sum : sum + cost(row, c), 0) +
      (Math.min(rows, columns) - made) * (limit + 1e-4);
    const all = Array.from({ length: columns }, (_, column) => column);
    assert.ok(Math.abs(total - least(0, all, Math.max(0, rows - columns))) < 1e-9);
  }
});

Deno.test("a track begins with a sure detection, so begin is at least sure", () => {
  assert.throws(
    () => track({ sure: 0.4, begin: 0.3 }),
    /^RangeError: Cannot use track options: begin: expected a number from 0.4 to 1, given 0.3$/,
  );
  assert.equal(track({ sure: 0.4, begin: 0.4 }).settings, "sure=0.4 begin=0.4 lostMs=1000");
});
