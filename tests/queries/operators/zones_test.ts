import assert from "node:assert/strict";
import { parseZones, readZones } from "../../../queries/operators/zones/file.ts";
import { isInside } from "../../../queries/operators/zones/geometry.ts";
import { detect } from "../../../queries/operators/detect.ts";
import { track } from "../../../queries/operators/track/mod.ts";
import { zones } from "../../../queries/operators/zones/mod.ts";
import { type DetectedObject, display, type Frame, query } from "../../../runtime/mod.ts";
import { contextOf, frameOf } from "./kit.ts";

const SIZE = { width: "100", height: "100" };

/** A frame with objects that stand at points, in a picture of 100x100 pixels; boxes are 10 by 20. */
function frame(
  offset: number,
  standing: Readonly<Record<number, readonly [number, number]>>,
  { label = "person", session = "a" } = {},
): Frame {
  const objects = Object.entries(standing).map(([track, [x, y]]): DetectedObject => ({
    label,
    score: 0.9,
    box: [x - 5, y - 20, x + 5, y],
    track: Number(track),
  }));
  const timestamp = 100 * offset;
  return {
    ...frameOf(new Uint8Array(), offset, timestamp, { ...SIZE, session }),
    result: { frames: [{ offset, timestamp, objects }] },
  };
}

type Places = Parameters<typeof zones>[0];

/** Runs over frames with restarts before some offsets. */
async function results(
  places: Places,
  frames: readonly Frame[],
  restartAt: readonly number[] = [],
) {
  const operator = zones<Frame>(places);
  let task = await operator.open(contextOf());
  const found = [];
  for (const input of frames) {
    if (restartAt.includes(input.offset)) {
      task = await operator.open({ ...contextOf(), state: task.snapshot!()! });
    }
    found.push((await task.process(input))[0]!.result!);
  }
  return found;
}

const LINE = { zones: [], lines: [{ name: "door", from: [0.2, 0.5], to: [0.8, 0.5] }] } as const;

/** One object that walks through points, a frame each. */
const walk = (...points: readonly (readonly [number, number])[]) =>
  points.map((point, i) => frame(i, { 1: point }));

async function crossings(frames: readonly Frame[], places: Places = LINE) {
  return (await results(places, frames)).at(-1)!.counts!["door"];
}

Deno.test("in is from the left hand of from→to to the right, out the way back", async () => {
  assert.deepEqual(await crossings(walk([50, 30], [50, 45], [50, 60])), { in: 1, out: 0 });
  assert.deepEqual(await crossings(walk([50, 70], [50, 55], [50, 40])), { in: 0, out: 1 });
  const flipped = {
    zones: [],
    lines: [{ name: "door", from: [0.8, 0.5], to: [0.2, 0.5] }],
  } as const;
  assert.deepEqual(await crossings(walk([50, 30], [50, 60]), flipped), { in: 0, out: 1 });
});

Deno.test("an object that trembles on a line counts once, and so does one that comes back again", async () => {
  const points = [30, 48, 50.5, 49.5, 50.9, 49.2, 50.3, 52, 70] as const;
  const trembling = walk(...points.map((y) => [50, y] as const));
  assert.deepEqual(await crossings(trembling), { in: 1, out: 0 });
  const restless = walk([50, 30], [50, 70], [50, 30], [50, 70], [50, 30]);
  assert.deepEqual(await crossings(restless), { in: 1, out: 1 });
});

Deno.test("an object that goes around a line does not cross it, one that jumps over it does", async () => {
  const around = walk([50, 30], [90, 40], [95, 60], [50, 70]);
  assert.deepEqual(await crossings(around), { in: 0, out: 0 });
  assert.deepEqual(await crossings(walk([30, 10], [70, 90])), { in: 1, out: 0 });
});

const DOOR = {
  zones: [{
    name: "door",
    polygon: [[0.1, 0.2], [0.4, 0.2], [0.4, 0.9]],
    labels: ["person"],
    loiterMs: 300,
  }],
  lines: [],
} as const;

Deno.test("zones say who is in, for how long, and who loiters", async () => {
  const inside = [35, 40] as const, outside = [80, 40] as const;
  const found = await results(DOOR, [
    frame(0, { 1: outside, 2: inside }),
    frame(1, { 1: inside, 2: inside }),
    frame(2, { 1: inside, 2: inside }),
    frame(3, { 1: outside, 2: inside }),
    frame(4, { 3: inside }, { label: "dog" }),
  ]);
  assert.deepEqual(found.map(({ zones }) => zones!["door"]), [1, 2, 2, 1, 0]);
  assert.deepEqual(found[2]!.data, {
    dwellMs: { door: { 1: 100, 2: 200 } },
    loitering: {},
  });
  assert.deepEqual(found[3]!.data, {
    dwellMs: { door: { 2: 300 } },
    loitering: { door: [2] },
  });
});

Deno.test("a stay ends where its object is seen outside, not where it is out of sight for a moment", async () => {
  const inside = [35, 40] as const, outside = [80, 40] as const;
  const dwell = async (between: Parameters<typeof frame>[1]) => {
    const frames = [frame(0, { 1: inside }), frame(1, between), frame(2, { 1: inside })];
    return (await results(DOOR, frames)).at(-1)!.data!["dwellMs"];
  };
  assert.deepEqual(await dwell({}), { door: { 1: 200 } });
  assert.deepEqual(await dwell({ 1: outside }), { door: { 1: 0 } });
});

Deno.test("frames that windows repeat count once", async () => {
  const [a, b, c] = walk([50, 30], [50, 70], [50, 75]);
  const window = (...frames: Frame[]): Frame => ({
    ...frames.at(-1)!,
    result: { frames: frames.flatMap(({ result }) => result!.frames!) },
  });
  assert.deepEqual(await crossings([window(a!, b!), window(a!, b!, c!)]), { in: 1, out: 0 });
});

Deno.test("an object that stays on a line keeps the side that it came from", async () => {
  const waiting = Array.from({ length: 900 }, () => [50, 50.2] as const);
  assert.deepEqual(await crossings(walk([50, 30], ...waiting, [50, 70])), { in: 1, out: 0 });
});

Deno.test("counts and stays continue after a restart at any frame", async () => {
  const places = { zones: DOOR.zones, lines: LINE.lines } as const;
  const frames = Array.from(
    { length: 30 },
    (_, i) => frame(i, { 1: [35, 30 + i], 2: [50, 80 - 2 * i], 3: [30 + i, 45] }),
  );
  const straight = await results(places, frames);
  assert.deepEqual(straight.at(-1)!.counts, { door: { in: 1, out: 1 } });
  for (const restart of frames.keys()) {
    assert.deepEqual(await results(places, frames, [restart]), straight, `restart at ${restart}`);
  }
});

Deno.test("a new session of the camera forgets who is where, and keeps the counts", async () => {
  const frames = [
    ...walk([50, 30], [50, 70]),
    frame(2, { 1: [50, 30] }, { session: "b" }),
    frame(3, { 1: [50, 70] }, { session: "b" }),
  ];
  assert.deepEqual(await crossings(frames), { in: 2, out: 0 });
});

Deno.test("a point is inside a polygon or not", () => {
  const star = [[0, 0], [1, 0], [1, 1], [0.5, 0.5], [0, 1]] as const;
  assert.ok(isInside([0.2, 0.4], star) && isInside([0.8, 0.4], star));
  assert.ok(!isInside([0.5, 0.8], star) && !isInside([1.1, 0.5], star));
});

Deno.test("who stands at the edge of the picture is in a zone that reaches it", async () => {
  const whole = { name: "yard", polygon: [[0, 0], [1, 0], [1, 1], [0, 1]] } as const;
  const edges = [[50, 100], [0, 50], [100, 50], [50, 0]] as const;
  for (const edge of edges) {
    const [found] = await results({ zones: [whole], lines: [] }, [frame(0, { 1: edge })]);
    assert.deepEqual(found!.zones, { yard: 1 }, `at ${edge}`);
  }
});

Deno.test("names that mean something to JavaScript are names like others", async () => {
  const [zone] = DOOR.zones, [line] = LINE.lines;
  for (const name of ["__proto__", "constructor", "toString"]) {
    const places = { zones: [{ ...zone, name }], lines: [{ ...line, name }] };
    // It stands in the zone for long enough, then crosses the line.
    const frames = walk([35, 40], [35, 40], [35, 40], [35, 40], [35, 70]);
    const straight = await results(places, frames);
    const { zones, counts, data } = JSON.parse(JSON.stringify(straight.at(-2)));
    const named = <T>(value: T) => Object.fromEntries([[name, value]]);
    assert.deepEqual(zones, named(1));
    assert.deepEqual(data, { dwellMs: named({ 1: 300 }), loitering: named([1]) });
    assert.deepEqual(counts, named({ in: 0, out: 0 }));
    assert.deepEqual(straight.at(-1)!.counts, named({ in: 1, out: 0 }));
    assert.deepEqual(await results(places, frames, [1, 2, 3, 4]), straight);
  }
});

Deno.test("a file may leave its list of zones or of lines empty", () => {
  const [zone] = DOOR.zones, [line] = LINE.lines;
  assert.deepEqual(parseZones({ zones: [], lines: [line] }).lines, [line]);
  assert.deepEqual(parseZones({ zones: [zone], lines: [] }).zones, [zone]);
  assert.throws(
    () => parseZones({ zones: [], lines: [] }),
    /expected zones or lines, given \[\]/,
  );
});

Deno.test("a file of zones names all its faults", () => {
  const bad = {
    zones: [{ name: "a", polygon: [[0, 0], [1, 2]] }, { name: "a", polygon: "x", loiter: 1 }],
    lines: [{ name: "", from: [0, 0], to: [0, 0] }],
  };
  assert.throws(() => parseZones(bad), (error) => {
    const { message } = error as Error;
    for (
      const fault of [
        /zones\[0\].polygon\[1\]: expected \[x, y\], fractions .*, given \[1,2\]/,
        /zones\[0\].polygon: expected three corners or more/,
        /zones\[1\].loiter: unknown; expected name, polygon, labels, loiterMs/,
        /zones: expected different names, given "a" twice/,
        /lines\[0\].to: expected another point than from/,
      ]
    ) assert.match(message, fault);
    return true;
  });
  const flat = [
    [[0, 0], [0.5, 0.5], [1, 1]],
    [[0.1, 0.2], [0.3, 0.6], [0.7, 1], [0.2, 0.4]].map(([x]) => [x, 0.1 + 0.7 * x!]),
    new Array(50_000).fill([0.5, 0.5]),
  ];
  for (const polygon of flat) {
    assert.throws(
      () => parseZones({ zones: [{ name: "a", polygon }] }),
      /not all on one line, given/,
    );
  }
  for (const zone of ["door", null, [], 7]) {
    assert.throws(
      () => parseZones({ zones: [zone] }),
      /^ZonesError: .*\n {2}zones\[0\]: expected an object with name, .*, given [^\n]+$/,
    );
  }
  assert.throws(() => parseZones({}), /expected zones or lines, given nothing/);
  assert.throws(
    () => readZones("no/zones.json"),
    /^ZonesError: Cannot use zones no\/zones.json:\n {2}there is no such file$/,
  );
  const zone = { name: "door", polygon: [[0, 0], [1, 0], [1, 1]] };
  assert.deepEqual(readZones(JSON.stringify({ zones: [zone] })).zones, [zone]);
  assert.throws(
    () => readZones('{"zones": ['),
    /^ZonesError: Cannot use zones given inline:\n {2}expected JSON: /,
  );
});

Deno.test("labels that the model does not know are named beside those that it knows", () => {
  const polygon = [[0, 0], [1, 0], [1, 1]] as const;
  const places = {
    zones: [
      { name: "all", polygon },
      { name: "yard", polygon, labels: ["person", "fork lift", "persn"] },
    ],
    lines: [{ ...LINE.lines[0], labels: ["car"] }],
  };
  const remarksAfter = (labels?: readonly string[]) => {
    const found = detect(undefined, labels === undefined ? {} : { labels });
    const { plan } = query("q").readStream().process(found).process(track())
      .process(zones(places)).writeStream(display());
    return plan.operators.at(-1)!.remarks ?? [];
  };
  const [yard, ...others] = remarksAfter();
  assert.match(
    yard!,
    /yard never counts "fork lift", "persn": the model knows person, bicycle, car,/,
  );
  assert.deepEqual(others, []);
  assert.equal(
    remarksAfter(["person"]).at(-1),
    'Zone or line door never counts "car": the model knows person',
  );
});
