// Detect, follow, count and raise alerts: the same bytes, whatever the batches and the restarts.
import assert from "node:assert/strict";
import { alerts } from "../../../queries/operators/alerts.ts";
import { track } from "../../../queries/operators/track/mod.ts";
import { zones } from "../../../queries/operators/zones/mod.ts";
import { encodeJpeg, type Frame, type Operator, query, topic } from "../../../runtime/mod.ts";
import { type FailurePoint, MemoryLog, runQuery } from "../../../runtime/testing.ts";

const FRAMES = 120, WIDTH = 320, HEIGHT = 240;
const IN = "VideoStreaming", OUT = "found";

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** People who walk to and fro, overlap, and are now and then not seen. */
function people(): { label: string; score: number; box: [number, number, number, number] }[][] {
  const next = randomOf(7);
  const walkers = Array.from({ length: 7 }, () => ({
    x: 300 * next(),
    y: 100 + 60 * next(),
    speed: 12 * next() - 6,
    phase: 100 * next(),
  }));
  return Array.from({ length: FRAMES }, (_, t) =>
    walkers.flatMap(({ x, y, speed, phase }) => {
      const left = 150 + 150 * Math.sin((x + speed * t) / 60),
        top = y + 8 * Math.sin((t + phase) / 9);
      const score = 0.15 + 0.8 * next();
      const box = [left, top, left + 25 + 3 * next(), top + 60] as [number, number, number, number];
      return next() < 0.15 ? [] : [{ label: "person", score, box }];
    }));
}

const seen = people();
const detector: Operator<Frame, Frame> = {
  name: "synthetic",
  open: () => ({
    process(frame) {
      const { offset, timestamp } = frame;
      return [{ ...frame, result: { frames: [{ offset, timestamp, objects: seen[offset]! }] } }];
    },
  }),
};

const places = {
  zones: [{
    name: "middle",
    polygon: [[0.3, 0], [0.7, 0], [0.7, 1], [0.3, 1]] as [number, number][],
    loiterMs: 1500,
  }],
  lines: [{ name: "door", from: [0.5, 0] as [number, number], to: [0.5, 1] as [number, number] }],
};

/** @param most largest batch, frames */
function definition(most: number) {
  return query("determinism")
    .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: most })
    .process(detector)
    .process(track())
    .process(zones(places))
    .process(alerts({ label: "crowd", when: { zone: "middle", atLeast: 4, forMs: 300 } }))
    .writeStream(topic({ name: OUT }))
    .trigger("available-now");
}

async function filledLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  const grey = {
    data: new Uint8Array(WIDTH * HEIGHT),
    width: WIDTH,
    height: HEIGHT,
    channels: 1 as const,
  };
  const value = await encodeJpeg(grey, { quality: 50 });
  await log.createTopic(IN, 1);
  await log.createTopic(OUT, 1);
  // The camera starts anew in the middle.
  const records = seen.map((_, i) => ({
    key: "CAMERA-1",
    value,
    timestamp: 1_000_000 + 100 * i,
    headers: { session: i < 70 ? "a" : "b" },
  }));
  log.append(IN, 0, records);
  return log;
}

function found(log: MemoryLog): string[] {
  const text = new TextDecoder();
  return log.frames(OUT, 0)
    .map(({ key, timestamp, headers, value }) =>
      JSON.stringify([key, timestamp, headers, text.decode(value)])
    );
}

const straight = await filledLog();
await runQuery(definition(FRAMES), { log: straight });
const expected = found(straight);

Deno.test("the run without restarts follows, counts and raises alerts", () => {
  assert.equal(expected.length, FRAMES);
  const all = expected.join("\n");
  for (
    const what of [/\\"track\\":\d/, /\\"middle\\":[1-9]/, /\\"in\\":[2-9]/, /\\"state\\":\\"end/]
  ) {
    assert.match(all, what);
  }
});

/** Runs the query with a new number of frames in a batch after each crash, until it ends. */
async function crashing(
  log: MemoryLog,
  most: () => number,
  crashes: (point: FailurePoint) => boolean,
): Promise<number> {
  log.fail = (point) => {
    if (crashes(point)) throw new Error(`crash at ${point}`);
  };
  for (let restarts = 0;; restarts++) {
    try {
      await runQuery(definition(most()), { log });
      return restarts;
    } catch (error) {
      assert.match((error as Error).message, /crash at/);
    }
  }
}

for (let seed = 1; seed <= 4; seed++) {
  Deno.test(`batches and restarts of seed ${seed} change no byte of what is found`, async () => {
    const log = await filledLog(), next = randomOf(seed);
    const most = () => 1 + Math.floor(next() ** 2 * 20);
    const restarts = await crashing(
      log,
      most,
      (point) => next() < (point === "read" ? 0.02 : 0.12),
    );
    assert.ok(restarts >= 3, `only ${restarts} restarts`);
    assert.deepEqual(found(log), expected);
  });
}

Deno.test("a restart after each frame changes no byte of what is found", async () => {
  const log = await filledLog();
  let commits = 0;
  const crashes = (point: FailurePoint) => point === "after-commit" && commits++ < FRAMES;
  assert.equal(await crashing(log, () => 1, crashes), FRAMES);
  assert.deepEqual(found(log), expected);
});
