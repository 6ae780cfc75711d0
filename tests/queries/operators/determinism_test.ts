// Detect, follow, count and raise alerts: the same bytes, whatever the batches and the restarts.
import assert from "node:assert/strict";
import { alerts } from "../../../queries/operators/alerts.ts";
import { track } from "../../../queries/operators/track/mod.ts";
import { zones } from "../../../queries/operators/zones/mod.ts";
import {
  type DetectedObject,
  encodeJpeg,
  type Frame,
  type FrameResult,
  type Operator,
  query,
  topic,
} from "../../../runtime/mod.ts";
import { type FailurePoint, MemoryLog, runQuery } from "../../../runtime/testing.ts";
import { contextOf, frameOf } from "./kit.ts";

const FRAMES = 120, WIDTH = 320, HEIGHT = 240;
/** Frames that show what the one before showed, and are marked as still. */
const STILL = { from: 30, to: 36 };
/** The camera starts again before this frame. */
const SECOND_SESSION = 70;
const IN = "VideoStreaming", OUT = "found";

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function person(who: number, left: number, top: number, width: number, score: number) {
  const object: DetectedObject = {
    label: "person",
    score,
    box: [left, top, left + width, top + 60],
  };
  identities.set(object, who);
  return object;
}

/** Who an object is in truth. */
const identities = new Map<DetectedObject, number>();

/** People who walk to and fro, overlap, and are now and then not seen. */
function people(): DetectedObject[][] {
  const next = randomOf(7);
  const walkers = Array.from({ length: 7 }, () => ({
    x: 300 * next(),
    y: 100 + 60 * next(),
    speed: 12 * next() - 6,
    phase: 100 * next(),
  }));
  const found: DetectedObject[][] = [];
  for (let t = 0; t < FRAMES; t++) {
    const walking = walkers.flatMap(({ x, y, speed, phase }, who) => {
      const left = 150 + 150 * Math.sin((x + speed * t) / 60),
        top = y + 8 * Math.sin((t + phase) / 9);
      const score = 0.15 + 0.8 * next();
      const width = 25 + 3 * next();
      return next() < 0.15 ? [] : [person(who, left, top, width, score)];
    });
    const pacing = person(7, 145 + 60 * Math.sin(t / 4), 172, 30, 0.9);
    // One stands and is hidden by one who comes, stays for a moment and goes: now the older track
    // is the lost one, now the younger.
    const turn = t % 40, coming = 4 * Math.max(0, 22 - turn) + 3 * Math.max(0, turn - 28);
    const standing = turn < 20 ? [person(8, 20, 5, 30, 0.9)] : [];
    const passing = turn > 8 ? [person(9, 20 + coming, 5, 30, 0.8)] : [];
    const isStill = t > STILL.from && t < STILL.to;
    found.push(isStill ? found[t - 1]! : [...walking, pacing, ...standing, ...passing]);
  }
  return found;
}

const seen = people();

/**
 * A frame with what was found on it and on those before, as of a model whose windows overlap. Some
 * windows end before their last frame.
 */
function detected(frame: Frame, objects: readonly (readonly DetectedObject[])[] = seen): Frame {
  const { offset, timestamp } = frame;
  const last = offset % 10 === 5 ? offset - 1 : offset;
  const frames: FrameResult[] = [];
  for (let at = Math.max(0, offset - 3); at <= last; at++) {
    frames.push({ offset: at, timestamp: timestamp - 100 * (offset - at), objects: objects[at]! });
  }
  const run = offset <= STILL.from || offset >= STILL.to;
  return { ...frame, result: { frames, data: { gate: { run, skipped: 0 } } } };
}

const detector: Operator<Frame, Frame> = {
  name: "synthetic",
  open: () => ({ process: (frame) => [detected(frame)] }),
};

const places = {
  zones: [{
    name: "middle",
    polygon: [[0.3, 0], [0.7, 0], [0.7, 1], [0.3, 1]] as [number, number][],
    loiterMs: 1500,
  }],
  lines: [{
    name: "door",
    from: [0.5, 0.72] as [number, number],
    to: [0.5, 1] as [number, number],
  }],
};
const crowd = { zone: "middle", atLeast: 4, forMs: 300 };

/** @param most largest batch, frames */
function definition(most: number) {
  return query("determinism")
    .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: most })
    .process(detector)
    .process(track())
    .process(zones(places))
    .process(alerts({ label: "crowd", when: crowd }))
    .writeStream(topic({ name: OUT }))
    .trigger("available-now");
}

function cameraOf(offset: number) {
  return {
    timestamp: 1_000_000 + 100 * offset,
    headers: { session: offset < SECOND_SESSION ? "a" : "b" },
  };
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
  log.append(IN, 0, seen.map((_, i) => ({ key: "CAMERA-1", value, ...cameraOf(i) })));
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

for (let seed = 1; seed <= 3; seed++) {
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

/** What an operator says of each frame, and its state then, with a restart after each. */
async function* restarted(
  operator: Operator<Frame, Frame>,
  frames: readonly Frame[],
  restored: (state: unknown) => unknown = (state) => state,
) {
  let task = await operator.open(contextOf());
  for (const frame of frames) {
    const output = JSON.stringify(await task.process(frame));
    const state = decoded(task.snapshot!()!);
    yield { output, state };
    const bytes = new TextEncoder().encode(JSON.stringify(restored(state)));
    task = await operator.open({ ...contextOf(), state: bytes });
  }
}

function decoded(state: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(state));
}

/** Places of the values in a state; `*` is any track, zone, line, or entry of a list. */
function placesIn(state: unknown, path: readonly string[] = []): string[] {
  if (typeof state !== "object" || state === null) return [path.join(".")];
  return Object.entries(state).flatMap(([key, value]) =>
    placesIn(value, [...path, /^(\d+|middle|door)$/.test(key) ? "*" : key])
  );
}

/** A state without the values of one place: they are as in a new task, or empty. */
function without(state: unknown, [key, ...rest]: readonly string[], fresh: unknown): unknown {
  if (key === undefined) return fresh ?? (fresh === null ? null : typeof state === "number" && 0);
  if (typeof state !== "object" || state === null) return state;
  const of = (name: string) => (fresh as Record<string, unknown> | null | undefined)?.[name];
  const entries = Object.entries(state).map(([name, value]) =>
    [name, name === key || key === "*" ? without(value, rest, of(name)) : value] as const
  );
  return Array.isArray(state) ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}

Deno.test("no value of a stored state can be lost without another result", async () => {
  const frames = seen.map((_, i) => {
    const { timestamp, headers } = cameraOf(i), size = { width: "320", height: "240" };
    return frameOf(new Uint8Array(), i, timestamp, { ...headers, ...size });
  });
  // Of those who give objects their tracks some begin again at 1 in each session.
  const known = seen.map((objects) =>
    objects.map((object) => ({ ...object, track: identities.get(object)! }))
  );
  const cases = [
    [track<Frame>(), frames.map((frame) => detected(frame))],
    [zones<Frame>(places), frames.map((frame) => detected(frame, known))],
  ] as const;
  const unnoticed: string[] = [];
  for (const [operator, inputs] of cases) {
    const whole = await Array.fromAsync(restarted(operator, inputs));
    const fresh = decoded((await operator.open(contextOf())).snapshot!()!);
    for (const place of new Set(whole.flatMap(({ state }) => placesIn(state)))) {
      const lost = (state: unknown) => without(state, place.split("."), fresh);
      if (!await isNoticed(restarted(operator, inputs, lost), whole)) {
        unnoticed.push(`${operator.name}: ${place}`);
      }
    }
  }
  assert.deepEqual(unnoticed, []);
});

/** True once a run differs from what it should be, or fails. */
async function isNoticed(
  run: AsyncIterable<{ readonly output: string }>,
  right: readonly { readonly output: string }[],
): Promise<boolean> {
  let at = 0;
  try {
    for await (const { output } of run) if (output !== right[at++]!.output) return true;
  } catch {
    return true;
  }
  return false;
}
