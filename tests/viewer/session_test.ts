import assert from "node:assert/strict";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { FakeClock } from "../../runtime/testing/fake_clock.ts";
import { AlertBook } from "../../viewer/alerts.ts";
import { Hub } from "../../viewer/hub.ts";
import { InFlight } from "../../viewer/in_flight.ts";
import { decodePicture, type PictureMessage } from "../../viewer/protocol.ts";
import { Session } from "../../viewer/session.ts";
import { FakeLanes } from "../support/fake_lanes.ts";
import { TestPage, until, withViewer } from "./kit.ts";

Deno.test("a page gets the newest picture of each tile, then each as it comes", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const old = lanes.push("greyscale-2");
    const page = await TestPage.open(viewer);
    page.watch("greyscale-0", "greyscale-2");
    await until(() => page.pictures.length === 1);
    assert.deepEqual(
      [page.pictures[0]!.lane, page.pictures[0]!.offset, page.pictures[0]!.image],
      ["greyscale-2", old.offset, old.bytes],
    );
    assert.deepEqual([page.pictures[0]!.sourceWidth, page.pictures[0]!.sourceHeight], [320, 240]);
    for (let i = 0; i < 5; i++) {
      const pushed = lanes.push("greyscale-0");
      await until(() => page.newest(0)?.offset === pushed.offset);
    }
    lanes.push("greyscale-1"); // not watched
    assert.ok(page.pictures.slice(1).every(({ lane }) => lane === "greyscale-0"));
    assert.equal(page.pictures.length, 6);
    await page.close();
  });
});

Deno.test("what a picture costs does not grow with the lanes of the wall", async () => {
  await withViewer({ lanes: { count: 64 } }, async (viewer, lanes) => {
    const ids = lanes.lanes().map(({ id }) => id);
    for (const id of ids) lanes.push(id);
    const page = await TestPage.open(viewer);
    page.watch(...ids);
    await until(() => page.pictures.length === 64);
    let looks = 0;
    const all = lanes.lanes.bind(lanes);
    lanes.lanes = () => (looks++, all());
    for (let round = 1; round <= 5; round++) {
      for (const id of ids) lanes.push(id);
      await until(() => page.pictures.length === 64 * (round + 1));
    }
    // All lanes are looked at twice a second for their state, and never for a picture.
    assert.ok(looks < 64, `looked ${looks} times at all lanes for 320 pictures`);
    await page.close();
  });
});

Deno.test("a page that does not draw gets two pictures a tile, then the newest", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const page = await TestPage.open(viewer);
    page.draws = false;
    page.watch("greyscale-0");
    await until(() => lanes.subscribers > 1);
    for (let i = 0; i < 50; i++) lanes.push("greyscale-0");
    await until(() => page.pictures.length === 2);
    await settle(page);
    assert.deepEqual(page.pictures.map(({ offset }) => offset), [0, 1]);
    page.draw(page.pictures[1]!);
    await until(() => page.pictures.length === 3);
    await settle(page);
    assert.deepEqual(page.pictures.map(({ offset }) => offset), [0, 1, 49]);
    await page.close();
  });
});

Deno.test("thousands of pages that do not draw share what is on its way", () => {
  let pages = 1;
  const flight = new InFlight(systemClock, () => pages);
  flight.sent("a", 1, 100_000);
  assert.equal(flight.room("a", 2), true);
  pages = 4_000;
  assert.equal(flight.room("a", 2), false);
  flight.drawn("a", 1);
  assert.equal(flight.room("a", 2), true);
});

Deno.test("one page that does not draw leaves the others alone", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const slow = await TestPage.open(viewer);
    slow.draws = false;
    slow.watch("greyscale-0");
    const fast = await TestPage.open(viewer);
    fast.watch("greyscale-0");
    for (let i = 0; i < 20; i++) {
      const { offset } = lanes.push("greyscale-0");
      await until(() => fast.newest(0)?.offset === offset);
    }
    assert.ok(slow.pictures.length <= 2);
    await slow.close();
    await fast.close();
  });
});

Deno.test("a tile that changes its lane or is gone gets no more of the old one", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const idle = lanes.subscribers;
    lanes.push("greyscale-0");
    const page = await TestPage.open(viewer);
    page.watch("greyscale-0");
    await until(() => page.pictures.length === 1);
    page.watch("greyscale-1");
    const { offset } = lanes.push("greyscale-1", { offset: 1_000 });
    await until(() => page.newest(0)?.offset === offset);
    lanes.push("greyscale-0");
    page.watch();
    await until(() => lanes.subscribers === idle);
    lanes.push("greyscale-1");
    await settle(page);
    assert.deepEqual(page.pictures.map((each) => each.offset), [0, 1_000]);
    await page.close();
  });
});

Deno.test("small tiles get small pictures", async () => {
  const lanes = { count: 3, width: 640, height: 480 };
  await withViewer({ lanes }, async (viewer, feed) => {
    const [small, large, medium] = feed.lanes().map(({ id }) => id) as [string, string, string];
    const { bytes } = [small, medium, large].map((id) => feed.push(id))[2]!;
    const page = await TestPage.open(viewer);
    page.send({
      type: "watch",
      tiles: [
        { lane: small, width: 150 },
        { lane: large, width: 600 },
        { lane: medium, width: 300 },
      ],
    });
    await until(() => page.pictures.length >= 3);
    assert.deepEqual(page.newest(1)!.image, bytes);
    const width = (tile: number) => inspectImage(page.newest(tile)!.image).width;
    // Whole ones at first, where the thread that makes them is late.
    await until(() => {
      if (width(0) === 640) feed.push(small);
      if (width(2) === 640) feed.push(medium);
      return width(0) === 160 && width(2) === 320;
    });
    for (const picture of page.pictures) {
      assert.deepEqual([picture.sourceWidth, picture.sourceHeight], [640, 480]);
    }
    await page.close();
  });
});

Deno.test("results travel with their picture", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const result = { scores: { person: 0.9 }, alert: undefined };
    lanes.push("greyscale-0", { result: { scores: result.scores } });
    const page = await TestPage.open(viewer);
    page.watch("greyscale-0");
    await until(() => page.pictures.length === 1);
    assert.deepEqual(page.pictures[0]!.result, { scores: { person: 0.9 } });
    await page.close();
  });
});

Deno.test("state comes by itself: lanes, their errors, stalls, alerts as episodes", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const page = await TestPage.open(viewer);
    lanes.change("greyscale-1", { state: "failed", exception: "Out of luck" });
    lanes.push("greyscale-0");
    lanes.change("greyscale-0", { lastFrameArrival: Date.now() - 60_000 });
    for (const [state, peak] of [["start", 0.7], ["update", 0.9], ["end", 0.8]] as const) {
      lanes.push("greyscale-2", {
        result: { alert: { id: "a", state, label: "fight", peak } },
      });
    }
    await until(
      () =>
        page.messages.some((message) =>
          message.type === "lanes" && message.lanes[1]!.exception === "Out of luck" &&
          message.lanes[0]!.stalledSince !== undefined
        ),
      "the failure and the stall are known",
    );
    await until(() => page.messages.some(({ type }) => type === "alerts"));
    const { alerts } = page.messages.find((message) => message.type === "alerts")!;
    assert.equal(alerts.length, 1);
    const { lane, label, peak, active, fromOffset, toOffset } = alerts[0]!;
    assert.deepEqual(
      { lane, label, peak, active, fromOffset, toOffset },
      { lane: "greyscale-2", label: "fight", peak: 0.9, active: false, fromOffset: 0, toOffset: 2 },
    );
    await page.close();
  });
});

Deno.test("what is not a message of the page ends the socket, and nothing else", async () => {
  await withViewer({}, async (viewer, lanes) => {
    const bystander = await TestPage.open(viewer);
    bystander.watch("greyscale-0");
    const bad = [
      "",
      "{",
      "null",
      "[]",
      '{"type":"other"}',
      '{"type":"watch"}',
      '{"type":"watch","tiles":[{"lane":"x","width":-1}]}',
      '{"type":"watch","tiles":[{"lane":7,"width":1}]}',
      `{"type":"watch","tiles":[${Array(1_025).fill('{"lane":"a","width":1}').join()}]}`,
      '{"type":"watch","tiles":[{"lane":"a","width":1,"video":1}]}',
      `{"type":"watch","tiles":[${Array(9).fill('{"lane":"a","width":1,"video":true}').join()}]}`,
      '{"type":"drawn","tiles":[["a"]]}',
      '{"type":"time","generation":1,"command":{"action":"step","lead":"x","offset":1,"by":1e9}}',
      "x".repeat(300_000),
      new Uint8Array([1, 2, 3]).buffer,
    ];
    for (const data of bad) {
      const page = await TestPage.open(viewer);
      page.sendRaw(data);
      assert.equal((await page.closed).code, 1008, String(data).slice(0, 60));
    }
    const { offset } = lanes.push("greyscale-0");
    await until(() => bystander.newest(0)?.offset === offset);
    // Lanes that are not there are no error: they may have been a moment ago.
    bystander.watch("greyscale-0", "nowhere-7", "__proto__");
    const next = lanes.push("greyscale-0");
    await until(() => bystander.newest(0)?.offset === next.offset);
    await bystander.close();
  });
});

Deno.test("a page on a slow link gets few pictures, none of them old, and forgets no tile", async () => {
  const clock = new FakeClock();
  const count = 12;
  const lanes = new FakeLanes({ count, clock });
  const hub = new Hub(lanes, clock);
  const ids = lanes.lanes().map(({ id }) => id);
  /** What is on the link, which passes one picture in 400 ms. */
  const queue: PictureMessage[] = [];
  const socket = {
    bufferedAmount: 0,
    send: (data: string | ArrayBufferView<ArrayBuffer>) => {
      if (typeof data !== "string") queue.push(decodePicture(data.buffer));
    },
    close: () => {},
  };
  const alerts = new AlertBook({ feed: lanes, lanes: () => [], clock });
  const visitor = { partitions: "all" } as const;
  const session = new Session({ hub, socket, visitor, alerts, history: undefined });
  const tiles = ids.map((lane) => ({ lane, width: 0 }));
  session.receive(JSON.stringify({ type: "watch", tiles }));
  const ages: number[] = [];
  const drawn = new Array<number>(count).fill(0);
  for (let round = 0; round < 300; round++) {
    for (const id of ids) lanes.push(id);
    await clock.advance(400);
    const picture = queue.shift()!;
    if (round >= 100) {
      ages.push(clock.now() - picture.timestamp);
      drawn[ids.indexOf(picture.lane)]!++;
    }
    session.receive(JSON.stringify({ type: "drawn", tiles: [[picture.lane, picture.sequence]] }));
  }
  assert.ok(Math.max(...ages) <= 2_000, `pictures are up to ${Math.max(...ages)} ms old`);
  assert.ok(Math.min(...drawn) >= 200 / count - 2, `tiles have drawn ${drawn.join(" ")}`);
  // A page that needs long for each drawing, whatever there is to draw, gets all it can draw.
  let together = 0;
  for (let round = 0; round < 20; round++) {
    for (const id of ids) lanes.push(id);
    await clock.advance(3_000);
    together = queue.length;
    const tiles = queue.splice(0).map(({ lane, sequence }) => [lane, sequence]);
    session.receive(JSON.stringify({ type: "drawn", tiles }));
  }
  assert.ok(together >= count, `${together} pictures in a drawing`);
  session.close();
  await alerts.close();
  hub.close();
});

/** Waits for one state report: what was to come before it has come. */
async function settle(page: TestPage): Promise<void> {
  const seen = page.messages.length;
  await until(() => page.messages.length > seen, "the next state report");
}

Deno.test("on a busy machine all tiles share a few hundred pictures a second, the newest ones", () => {
  const feed = new FakeLanes({ count: 2 });
  const hub = new Hub(feed, systemClock);
  const ends = Array.from({ length: 200 }, () => hub.listen("greyscale-1", () => {}));
  assert.equal(hub.interval, 0, "there is time for all");
  for (let i = 0; i < 20; i++) hub.pace.add(40);
  assert.equal(hub.interval, 500);
  for (let i = 0; i < 5; i++) hub.pace.add(0);
  assert.equal(hub.interval, 500, "not calm yet");
  for (let i = 0; i < 60; i++) hub.pace.add(0);
  assert.equal(hub.interval, 0);
  ends.forEach((end) => end());
  hub.close();
});

Deno.test("lateness is checked only while pictures are viewed, not for results or access units", () => {
  const hub = new Hub(new FakeLanes({ count: 1 }), systemClock);
  const checks: string[] = [];
  hub.pace.start = () => void checks.push("start");
  hub.pace.stop = () => void checks.push("stop");
  const results = hub.listen("greyscale-0", () => {}, "results");
  assert.deepEqual(checks, []);
  const pictures = hub.listen("greyscale-0", () => {}, "pictures");
  pictures();
  assert.deepEqual(checks, ["start", "stop"]);
  results();
  hub.close();
});

Deno.test("a tile gets its picture whole where there is no time to make it smaller", async () => {
  const clock = new FakeClock();
  const lanes = new FakeLanes({ count: 1, width: 640, height: 480, clock });
  const hub = new Hub(lanes, clock);
  // As where the thread of the lowest priority gets no turn.
  hub.scaler.live = () => new Promise(() => {});
  const sent: PictureMessage[] = [];
  const socket = {
    bufferedAmount: 0,
    send: (data: string | ArrayBufferView<ArrayBuffer>) => {
      if (typeof data !== "string") sent.push(decodePicture(data.buffer));
    },
    close: () => {},
  };
  const alerts = new AlertBook({ feed: lanes, lanes: () => [], clock });
  const visitor = { partitions: "all" } as const;
  const session = new Session({ hub, socket, visitor, alerts, history: undefined });
  const tiles = [{ lane: "greyscale-0", width: 150 }];
  session.receive(JSON.stringify({ type: "watch", tiles }));
  lanes.push("greyscale-0");
  assert.equal(sent.length, 0);
  for (let waited = 0; waited < 1_500; waited += 500) await clock.advance(500);
  const { bytes } = lanes.latest("greyscale-0")!;
  assert.deepEqual(sent.map(({ image }) => image), [bytes]);
  session.close();
  await alerts.close();
  hub.close();
});
