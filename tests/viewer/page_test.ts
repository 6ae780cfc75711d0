import assert from "node:assert/strict";
import fc from "fast-check";
import {
  clock,
  count,
  day,
  duration,
  formatNumbers,
  rate,
  span,
} from "../../viewer/page/format.ts";
import { tickLabel, tickStep, tickTimes } from "../../viewer/page/ticks.ts";
import { conditionOf, noticeOf } from "../../viewer/page/condition.ts";
import { layOut } from "../../viewer/page/layout.ts";
import {
  formatState,
  groupName,
  groupsWith,
  parseCameras,
  parseGroups,
  parseState,
  reorder,
  selectLanes,
  type WallState,
} from "../../viewer/page/state.ts";
import { parseWhen } from "../../viewer/page/when.ts";
import { decodePicture, encodePicture, type PictureMessage } from "../../viewer/protocol.ts";
import { FakeLanes } from "../support/fake_lanes.ts";

/** The wall as it is at first. */
const INITIAL_STATE = parseState("");

Deno.test("a picture comes out of its message as it went in", () => {
  fc.assert(fc.property(
    fc.record({
      lane: fc.string(),
      sequence: fc.nat(0xffffffff),
      generation: fc.nat(0xffffffff),
      contentType: fc.constantFrom("image/jpeg", "image/png", "image/webp"),
      offset: fc.maxSafeNat(),
      timestamp: fc.maxSafeNat(),
      sourceWidth: fc.nat(0xffff),
      sourceHeight: fc.nat(0xffff),
      image: fc.uint8Array(),
    }),
    fc.option(fc.record({ scores: fc.dictionary(fc.string(), fc.integer()) }), { nil: undefined }),
    (plain, result) => {
      const picture: PictureMessage = result === undefined ? plain : { ...plain, result };
      const decoded = decodePicture(encodePicture(picture).buffer);
      assert.deepEqual(
        JSON.parse(JSON.stringify({ ...decoded, image: [...decoded.image] })),
        JSON.parse(JSON.stringify({ ...picture, image: [...picture.image] })),
      );
    },
  ));
});

Deno.test("a layout comes out of its link as it went in", () => {
  const name = fc.string({ minLength: 1 }).map(groupName).filter((text) => text !== "");
  const id = fc.stringMatching(/^[a-z]+-\d{1,3}$/);
  fc.assert(fc.property(
    fc.record({
      groups: fc.uniqueArray(
        fc.record({
          name,
          cameras: fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { minLength: 1 }),
        }),
        { selector: (group) => group.name },
      ),
      group: name,
      search: fc.string(),
      view: fc.constantFrom("", "raw", "greyscale"),
      condition: fc.constantFrom("", "failed"),
      order: fc.uniqueArray(id),
      focus: fc.oneof(fc.constant(""), id),
      lead: fc.constantFrom("", "greyscale-2"),
      overlay: fc.boolean(),
      columns: fc.nat(12),
      time: fc.boolean(),
      offset: fc.oneof(fc.constant(-1), fc.nat()),
    }),
    (state) => {
      const groups = state.groups.map(({ name, cameras }) => ({
        name,
        cameras: cameras.toSorted((a, b) => a - b),
      }));
      assert.deepEqual(parseState(formatState(state)), { ...state, groups });
    },
  ));
  assert.equal(formatState(INITIAL_STATE), "");
  assert.deepEqual(parseState("?columns=99&groups=:1~x:0~Gate:1,2~Gate:3&overlay=maybe"), {
    ...INITIAL_STATE,
    groups: [{ name: "Gate", cameras: [1, 2] }],
  });
});

Deno.test("cameras are written as people do", () => {
  assert.deepEqual(parseCameras("1, 3-5;9 x -2 7-6"), [1, 3, 4, 5, 9]);
  assert.equal(formatNumbers([5, 3, 4, 9, 1]), "1, 3-5, 9");
  assert.deepEqual(parseGroups("a:b:1,2"), [{ name: "a b", cameras: [1, 2] }]);
});

Deno.test("lanes are chosen by view, group, condition and search, in their order", () => {
  const feed = new FakeLanes({ count: 4 });
  for (const partition of [0, 1, 2, 3]) {
    feed.add({ ...feed.lanes()[partition]!, id: `raw-${partition}`, query: "raw" });
  }
  feed.change("greyscale-2", { state: "failed" });
  const chosen = (change: Partial<WallState>, cameras?: number[]) =>
    selectLanes(feed.lanes(), { ...INITIAL_STATE, ...change }, cameras)
      .map(({ id }) => id);
  assert.deepEqual(chosen({}), ["greyscale-0", "greyscale-1", "greyscale-2", "greyscale-3"]);
  assert.deepEqual(chosen({ view: "raw" }), ["raw-0", "raw-1", "raw-2", "raw-3"]);
  assert.deepEqual(chosen({}, [4, 1]), ["greyscale-3", "greyscale-0"]);
  assert.deepEqual(chosen({ condition: "failed" }), ["greyscale-2"]);
  assert.deepEqual(chosen({ search: "camera-3" }), ["greyscale-2"]);
  assert.deepEqual(chosen({ search: "CAM grey 2" }), ["greyscale-1", "greyscale-2"]);
  const groups = [{ name: "Gate", cameras: [2, 3] }];
  assert.deepEqual(chosen({ groups, group: "Gate" }), ["greyscale-1", "greyscale-2"]);
  assert.deepEqual(chosen({ groups, group: "Gone" }).length, 4);
  const order = reorder(["a", "b", "c", "d"], "d", "b", false);
  assert.deepEqual(order, ["a", "d", "b", "c"]);
  assert.deepEqual(reorder(order, "a", "c", true), ["d", "b", "c", "a"]);
  assert.deepEqual(chosen({ order: ["greyscale-3", "greyscale-1"] }), [
    "greyscale-3",
    "greyscale-1",
    "greyscale-0",
    "greyscale-2",
  ]);
  feed.add({ ...feed.lanes().at(-1)!, id: "raw-4", partition: 4 });
  assert.deepEqual(chosen({}).at(-1), "raw-4", "raw, if no query reads the partition");
  assert.deepEqual(chosen({}, [5, 1]), ["raw-4", "greyscale-0"]);
  const only = new FakeLanes({ count: 1, query: "raw" }).lanes();
  assert.equal(selectLanes(only, INITIAL_STATE).length, 1, "raw, if that is all");
});

Deno.test("partitions that no camera used are not shown unless they are asked for", () => {
  const fake = new FakeLanes({ count: 3 });
  for (const id of ["greyscale-0", "greyscale-2"]) fake.change(id, { unused: true });
  fake.change("greyscale-1", { cameraName: "Loading dock", place: "Hall 2" });
  const shown = (change: Partial<WallState>, cameras?: number[]) =>
    selectLanes(fake.lanes(), { ...INITIAL_STATE, ...change }, cameras).map(({ id }) => id);
  assert.deepEqual(shown({}), ["greyscale-1"]);
  assert.deepEqual(shown({}, [3, 2]), ["greyscale-2", "greyscale-1"]);
  assert.deepEqual(shown({ search: "dock hall" }), ["greyscale-1"]);
});

Deno.test("a notice says what keeps frames away", () => {
  const fake = new FakeLanes({ count: 1 });
  const [lane] = fake.lanes();
  const stalled = {
    ...lane!,
    stalledSince: 1_000,
    lastFrameArrival: 1_000,
    trouble: "Wrong password",
  };
  assert.deepEqual(noticeOf(stalled, 61_000), { title: "Wrong password", detail: "" });
  const { trouble: _, ...silent } = stalled;
  assert.equal(noticeOf(silent, 61_000).detail, "1 min ago");
  // Frames that have come since say that the trouble is over.
  const over = {
    ...lane!,
    trouble: "Wrong password",
    troubleSince: 1_000,
    lastFrameArrival: 9_000,
  };
  assert.equal(conditionOf(over), "live");
  assert.equal(conditionOf({ ...over, troubleSince: 8_500 }), "stalled");
  // A query that is behind gets frames from before the trouble long after it.
  assert.equal(conditionOf({ ...over, lastFrameTimestamp: 900 }), "stalled");
  const starting = { ...lane!, state: "starting" as const };
  assert.equal(noticeOf(starting, 0).title, "Query is starting");
});

const wide = (count: number) => new Array<number>(count).fill(16 / 9);

Deno.test("tiles are as large as their pictures, in rows without holes, in whatever space", () => {
  fc.assert(fc.property(
    fc.array(fc.double({ min: 0.5, max: 2.5, noNaN: true }), { minLength: 1, maxLength: 100 }),
    fc.integer({ min: 300, max: 4_000 }),
    fc.integer({ min: 200, max: 3_000 }),
    fc.integer({ min: 0, max: 8 }),
    (aspects, width, height, columns) => {
      const layout = layOut({ aspects, width, height, columns });
      const { gap, caption } = layout.dense ? { gap: 2, caption: 0 } : { gap: 6, caption: 32 };
      assert.equal(layout.rows.reduce((sum, count) => sum + count, 0), aspects.length);
      let at = 0, bottom = 0;
      for (const [row, count] of layout.rows.entries()) {
        const cells = layout.cells.slice(at, at + count);
        const across = cells.reduce((sum, cell) => sum + cell.width, 0) + gap * (count - 1);
        assert.ok(across <= layout.width && layout.width <= width, "the row is too wide");
        // No tile of the next row would go up into this one.
        const isLast = row === layout.rows.length - 1;
        assert.ok(isLast || across > layout.width - count - 1, "the row has a hole");
        for (const [index, cell] of cells.entries()) {
          const picture = cell.height - caption - 2;
          const off = Math.abs(cell.width - 2 - picture * aspects[at + index]!);
          assert.ok(off <= 1 + aspects[at + index]!, "bars beside the picture");
        }
        at += count;
        bottom += cells[0]!.height + (isLast ? 0 : gap);
      }
      assert.ok(!layout.fits || bottom <= height + layout.rows.length, "too tall");
    },
  ));
});

Deno.test("three cameras fill the space, a phone has two columns, columns can be asked for", () => {
  const rows = (count: number, width: number, height: number, columns = 0) =>
    layOut({ aspects: wide(count), width, height, columns }).rows;
  assert.deepEqual(rows(1, 1600, 900), [1]);
  assert.deepEqual(rows(3, 1600, 900), [1, 2]);
  assert.deepEqual(rows(4, 1600, 900), [2, 2]);
  assert.deepEqual(rows(16, 1440, 850), [4, 4, 4, 4]);
  assert.deepEqual(rows(3, 400, 900), [1, 1, 1]);
  assert.deepEqual(rows(5, 1600, 900, 2), [2, 2, 1]);
  assert.deepEqual(new Set(rows(64, 390, 700)), new Set([2]));
  const { dense, fits } = layOut({ aspects: wide(64), width: 1440, height: 850 });
  assert.deepEqual([dense, fits], [true, true]);
  const many = layOut({ aspects: wide(300), width: 1440, height: 850 });
  assert.equal(many.fits, false);
  assert.ok(many.smallest >= 200);
});

Deno.test("moments are understood as people type them", () => {
  const now = new Date(2026, 10, 21, 14, 30, 0).getTime();
  const at = (...parts: [number, number, number?]) =>
    new Date(2026, 10, 21, parts[0], parts[1], parts[2] ?? 0).getTime();
  assert.deepEqual(parseWhen("14:03", now), { time: at(14, 3) });
  assert.deepEqual(parseWhen(" 14:03:22.5 ", now), { time: at(14, 3, 22) + 500 });
  assert.deepEqual(parseWhen("23:00", now), { time: at(23, 0) - 86_400_000 }, "yesterday");
  assert.deepEqual(parseWhen("2026-11-20 08:00", now), {
    time: new Date(2026, 10, 20, 8, 0).getTime(),
  });
  assert.deepEqual(parseWhen("-90s", now), { time: now - 90_000 });
  assert.deepEqual(parseWhen("-5m", now), { time: now - 300_000 });
  assert.deepEqual(parseWhen("1234", now), { offset: 1234 });
  assert.deepEqual(parseWhen("#1795254550490", now), { offset: 1795254550490 });
  assert.deepEqual(parseWhen("1795254550490", now), { time: 1795254550490 });
  const wrong = [
    "",
    "noon",
    "25:00",
    "14:99",
    "1.5",
    "-3x",
    "2026-02-29 08:00",
    "2026-13-01 08:00",
  ];
  for (const nonsense of wrong) {
    assert.equal(parseWhen(nonsense, now), undefined, nonsense);
  }
});

/** Runs `body` where clocks are set on 14 March and 7 November 2027. */
function inNewYork(
  body: (at: (month: number, day: number, hour?: number) => number) => void,
): void {
  const before = Deno.env.get("TZ");
  Deno.env.set("TZ", "America/New_York");
  try {
    body((month, day, hour = 12) => new Date(2027, month - 1, day, hour).getTime());
  } finally {
    if (before === undefined) Deno.env.delete("TZ");
    else Deno.env.set("TZ", before);
  }
}

Deno.test("yesterday is the day before, also where clocks were set in between", () => {
  inNewYork((at) => {
    const spring = [at(3, 15), at(3, 14), at(3, 13)].map((time) => day(time, at(3, 15, 0)));
    assert.deepEqual(spring, ["Today", "Yesterday", "Sat, 13 Mar 2027"]);
    assert.equal(day(at(11, 6), at(11, 7, 23)), "Yesterday");
  });
});

Deno.test("ticks of a track are at round local times, also where clocks are set in between", () => {
  inNewYork((at) => {
    const labels = (from: number, to: number, most: number) => {
      const step = tickStep(to - from, most);
      return tickTimes(from, to, step).map((time) => tickLabel(time, step));
    };
    const nights = (first: string, second: string) =>
      `12:00 18:00 ${first} 06:00 12:00 18:00 ${second} 06:00 12:00`.split(" ");
    assert.deepEqual(labels(at(3, 13), at(3, 15), 9), nights("03-14", "03-15"));
    assert.deepEqual(labels(at(11, 6), at(11, 8), 9), nights("11-07", "11-08"));
    assert.deepEqual(
      labels(at(3, 14, 0), at(3, 14, 6), 6),
      ["03-14", "01:00", "03:00", "04:00", "05:00", "06:00"],
      "an hour that is not there has no tick",
    );
    assert.deepEqual(labels(at(6, 1, 1), at(6, 4, 1), 3), ["06-02", "06-03", "06-04"]);
    assert.deepEqual(tickTimes(NaN, NaN, 1_000), []);
  });
});

Deno.test("numbers are as short as they can be read", () => {
  assert.deepEqual([rate(0), rate(14.96), rate(99.94), rate(240.2)], [
    "0.0",
    "15.0",
    "99.9",
    "240",
  ]);
  assert.deepEqual([duration(12.4), duration(1_440), duration(75_000)], [
    "12 ms",
    "1.4 s",
    "1 min 15 s",
  ]);
  assert.deepEqual([span(59_999), span(3_600_000), span(7_500_000), span(180_000_000)], [
    "59 s",
    "1 h",
    "2 h 5 min",
    "2 d 2 h",
  ]);
  assert.deepEqual([count(999), count(12_345), count(250_000), count(3_100_000)], [
    "999",
    "12.3k",
    "250k",
    "3.1M",
  ]);
  assert.match(clock(0), /^\d\d:\d\d:\d\d$/);
});

Deno.test("each place is a group, unless people made one of that name", () => {
  const [one, two, three] = new FakeLanes({ count: 3 }).lanes();
  const lanes = [{ ...one!, place: "Hall 2" }, { ...two!, place: "Yard" }, {
    ...three!,
    place: "Hall 2",
  }];
  const yard = { name: "Yard", cameras: [9] };
  const groups = groupsWith([yard], lanes);
  assert.deepEqual(groups, [yard, { name: "Hall 2", cameras: [1, 3] }]);
  const shown = selectLanes(lanes, { ...INITIAL_STATE, groups, group: "Hall 2" });
  assert.deepEqual(shown.map(({ partition }) => partition), [0, 2]);
});
