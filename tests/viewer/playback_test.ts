import assert from "node:assert/strict";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
import { type Clock, systemClock } from "../../runtime/base/clock.ts";
import { FakeClock } from "../../runtime/testing/fake_clock.ts";
import type { PictureMessage } from "../../viewer/protocol.ts";
import { type FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { recorded, TestPage, until, withViewer } from "./kit.ts";

const TOPIC = "VideoStreaming";
const EVERY_MS = 40;
/** In the past: so that what is played is never live by accident. */
const BEGIN = Date.now() - 600_000;
const time = (offset: number) => BEGIN + offset * EVERY_MS;

/** A viewer with two lanes whose 200 frames are in the log, and a page that watches both. */
async function withPast(
  body: (page: TestPage, log: MemoryLog, lanes: FakeLanes) => Promise<void>,
  clock: Clock = systemClock,
  times = time,
): Promise<void> {
  const value = (...ids: number[]) => new TextEncoder().encode(ids.join(":"));
  const log = await recorded(200, times, value);
  await withViewer({ log, topics: [TOPIC], lanes: { count: 2 }, clock }, async (viewer, lanes) => {
    for (const { id } of lanes.lanes()) lanes.push(id, { offset: 199, timestamp: time(199) });
    const page = await TestPage.open(viewer);
    page.watch("greyscale-0", "greyscale-1");
    await until(() => page.pictures.length === 2);
    await body(page, log, lanes);
    await page.close();
  });
}

/** Waits until the page was told that it is in this mode. */
const was = (page: TestPage, mode: string) =>
  until(() => page.messages.some((each) => each.type === "time" && each.time.mode === mode), mode);

const both = (page: TestPage, offset: number) =>
  until(() => page.newest(0)?.offset === offset && page.newest(1)?.offset === offset);

const said = (page: TestPage, slot: number) => new TextDecoder().decode(page.newest(slot)?.image);

Deno.test("seek and step land on the exact frame; the other lanes on what was there then", async () => {
  await withPast(async (page) => {
    const seek = { action: "seek", lead: "greyscale-0", offset: 73 } as const;
    const { mode, position, problem } = await page.time(seek);
    assert.deepEqual([mode, position, problem], ["paused", time(73), undefined]);
    await until(() => said(page, 0) === "0:73" && said(page, 1) === "1:73");
    for (const [by, offset] of [[1, 74], [1, 75], [-1, 74], [-10, 64], [100, 164]] as const) {
      const from = page.newest(0)!.offset;
      await page.time({ action: "step", lead: "greyscale-0", offset: from, by });
      await until(() => said(page, 0) === `0:${offset}` && said(page, 1) === `1:${offset}`);
    }
    assert.equal(page.newest(0)!.timestamp, time(164));
  });
});

Deno.test("the past of a query is named as the camera's picture, unless the query shows the camera's units", async () => {
  await withPast(async (page, _log, lanes) => {
    lanes.push("greyscale-1", { offset: 200, timestamp: time(200), video: "h264" });
    await until(() => page.newest(1)?.offset === 200);
    await page.time({ action: "seek", lead: "greyscale-0", offset: 73 });
    await until(() => said(page, 0) === "0:73" && said(page, 1) === "1:73");
    assert.deepEqual(page.newest(0)!.source, { grey: false });
    assert.equal(page.newest(1)!.source, undefined);
  });
});

Deno.test("paused, nothing new is shown until the page is live again", async () => {
  await withPast(async (page, _log, lanes) => {
    await page.time({ action: "pause", time: time(199) });
    lanes.push("greyscale-0", { offset: 200 });
    await page.time({ action: "jump", lead: "greyscale-0", time: time(10) + 5 });
    await until(() => said(page, 0) === "0:10" && said(page, 1) === "1:10");
    lanes.push("greyscale-0", { offset: 201 });
    assert.equal((await page.time({ action: "live" })).mode, "live");
    await until(() => page.newest(0)?.offset === 201);
    const { offset } = lanes.push("greyscale-0");
    await until(() => page.newest(0)?.offset === offset);
    assert.ok(!page.pictures.some((picture) => picture.offset === 200));
  });
});

Deno.test("playing shows the frames in order, at the speed asked for", async () => {
  const clock = new FakeClock(BEGIN + 600_000);
  await withPast(async (page) => {
    const { mode } = await page.time({ action: "play", speed: 8, time: time(20) });
    assert.equal(mode, "playing");
    for (let offset = 30; offset <= 120; offset += 10) {
      // Ten frames of 40 ms at eight times the speed.
      await clock.advance(50);
      await until(() => page.newest(0)?.offset === offset);
    }
    const played = page.pictures.flatMap(({ lane, generation, offset }) =>
      lane === "greyscale-0" && generation === 1 ? offset : []
    );
    assert.equal(played[0], 20);
    assert.deepEqual(played, played.toSorted((a, b) => a - b));
    assert.equal((await page.time({ action: "pause", time: time(120) })).mode, "paused");
  }, clock);
});

Deno.test("a lane that could not be played in time is paused where the others are", async () => {
  const clock = new FakeClock(BEGIN + 600_000);
  await withPast(async (page, log) => {
    const reader = log.reader.bind(log);
    let held = Promise.resolve();
    log.reader = async (...options) => {
      const { open, ...rest } = await reader(...options);
      return {
        ...rest,
        open: async (...of) => {
          const opened = await open(...of);
          const { read } = opened;
          opened.read = async (...args) => {
            if (of[1] === 1) await held;
            return await read.call(opened, ...args);
          };
          return opened;
        },
      };
    };
    await page.time({ action: "seek", lead: "greyscale-0", offset: 0 });
    await both(page, 0);
    let come = () => {};
    held = new Promise((resolve) => come = resolve);
    await page.time({ action: "play", speed: 1, time: time(0) });
    for (let offset = 1; offset <= 50; offset++) {
      await clock.advance(EVERY_MS);
      await until(() => page.newest(0)?.offset === offset);
    }
    assert.equal(page.newest(1)!.offset, 0);
    // The page, which is far away, has drawn no more than this.
    const { position } = await page.time({ action: "pause", time: time(30) });
    assert.equal(position, time(50));
    come();
    await until(() => page.newest(1)?.offset === 50);
    // Its first picture may not be there either.
    await page.time({ action: "live" });
    held = new Promise((resolve) => come = resolve);
    await page.time({ action: "play", speed: 1, time: time(20) });
    await until(() => page.newest(0)?.offset === 20);
    await page.time({ action: "pause", time: time(20) });
    come();
    await until(() => page.newest(1)?.offset === 20);
  }, clock);
});

Deno.test("playing from before the first frames begins with them", async () => {
  const clock = new FakeClock(BEGIN + 600_000);
  await withPast(async (page) => {
    const jump = { action: "jump", lead: "greyscale-0", time: time(0) - 86_400_000 } as const;
    await page.time(jump);
    await both(page, 0);
    await page.time({ action: "play", speed: 1, time: jump.time });
    for (const offset of [1, 2, 3, 0, 1, 2]) {
      if (offset === 0) await page.time(jump);
      else await clock.advance(EVERY_MS);
      await both(page, offset);
    }
  }, clock);
});

Deno.test("playing goes on behind frames that retention takes from one camera, or with the other one", async () => {
  const clock = new FakeClock(BEGIN + 600_000);
  await withPast(async (page, log) => {
    await page.time({ action: "play", speed: 1, time: time(0) });
    await both(page, 0);
    log.expire(TOPIC, 0, 100);
    for (let offset = 1; offset < 102; offset++) {
      await clock.advance(EVERY_MS);
      await until(() => page.newest(1)?.offset === offset);
    }
    await until(() => said(page, 0) === "0:101");
    await page.time({ action: "jump", lead: "greyscale-0", time: time(20) });
    await until(() => said(page, 1) === "1:20");
  }, clock);
});

Deno.test("playing on to the end of the log is live again", async () => {
  await withPast(async (page, _log, lanes) => {
    await page.time({ action: "play", speed: 8, time: time(180) });
    await was(page, "live");
    const { offset } = lanes.push("greyscale-0");
    await until(() => page.newest(0)?.offset === offset);
  });
});

Deno.test("playing goes on where the cameras shown have ended, up to the newest frame of the others", async () => {
  const clock = new FakeClock(BEGIN + 600_000);
  await withPast(async (page, _log, lanes) => {
    lanes.push("greyscale-1", { offset: 600, timestamp: time(600) });
    page.watch("greyscale-0");
    const began = await page.time({ action: "play", speed: 8, time: time(199) });
    assert.equal(began.mode, "playing");
    await until(() => said(page, 0) === "0:199");
    const { length } = page.messages;
    const times = () => page.messages.slice(length).filter(({ type }) => type === "time");
    await clock.advance(1_000);
    await until(() => page.messages.length >= length + 2);
    assert.deepEqual(times(), []);
    await clock.advance(1_000);
    await until(() => times().length > 0, "the end");
  }, clock);
});

Deno.test("a page that does not draw is not played to", async () => {
  await withPast(async (page) => {
    page.draws = false;
    await page.time({ action: "play", speed: 1, time: time(0) });
    await was(page, "paused");
    assert.ok(page.pictures.length < 10, `${page.pictures.length} pictures were sent`);
  });
});

Deno.test("what cannot be done is said, and the page is where it was", async () => {
  await withPast(async (page, log) => {
    log.expire(TOPIC, 0, 50);
    const gone = await page.time({ action: "seek", lead: "greyscale-0", offset: 10 });
    assert.equal(gone.problem, "The log does not hold offset 10: showing 50");
    await until(() => said(page, 0) === "0:50");
    const foreign = await page.time({ action: "seek", lead: "greyscale-9", offset: 10 });
    assert.equal(foreign.problem, "No such lane");
    assert.equal(foreign.mode, "paused");
  });
});

Deno.test("a page that asks for many moments at once waits for a few; those it has left are not looked up", async () => {
  await withPast(async (page, log) => {
    const slow = Promise.withResolvers<void>();
    const { offsetForTime } = log;
    let asked = 0;
    log.offsetForTime = async (...moment) => {
      asked++;
      await slow.promise;
      return await offsetForTime.apply(log, moment);
    };
    const jump = { action: "jump", lead: "greyscale-0", time: time(10) } as const;
    for (let generation = 1; generation <= 100; generation++) {
      page.send({ type: "time", generation, command: jump });
    }
    await page.time({ action: "pause", time: time(199) });
    assert.equal(asked, 4);
    slow.resolve();
    await page.time(jump);
    await until(() => said(page, 0) === "0:10");
    assert.ok(asked < 50, `${asked} moments were looked up`);
  });
});

Deno.test("playing looks a few lanes up at once", async () => {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 20);
  await withViewer({ log, topics: [TOPIC], lanes: { count: 20 } }, async (viewer, lanes) => {
    const page = await TestPage.open(viewer);
    const slow = Promise.withResolvers<number>();
    let asked = 0;
    log.offsetForTime = () => {
      asked++;
      return slow.promise;
    };
    page.watch(...lanes.lanes().map(({ id }) => id));
    await page.time({ action: "play", speed: 1, time: BEGIN });
    await page.time({ action: "pause", time: BEGIN });
    assert.equal(asked, 4);
    slow.resolve(0);
    await page.close();
  });
});

Deno.test("without a log there is pausing only", async () => {
  await withViewer({}, async (viewer, lanes) => {
    lanes.push("greyscale-0");
    const page = await TestPage.open(viewer);
    page.watch("greyscale-0");
    await until(() => page.pictures.length === 1);
    assert.equal((await page.time({ action: "pause", time: 5 })).mode, "paused");
    const stepped = await page.time({ action: "step", lead: "greyscale-0", offset: 0, by: 1 });
    assert.equal(stepped.problem, "This viewer has no log to look back into");
    assert.equal((await page.time({ action: "live" })).mode, "live");
    await page.close();
  });
});

Deno.test("a picture that was being scaled when the page moved on is not shown", async () => {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 1);
  const pictures = [0, 1].map((offset) => paintCode(0, offset, 1_280, 720));
  const records = Array.from({ length: 20 }, (_, offset) => ({
    key: null,
    value: pictures[offset % 2]!,
    timestamp: time(offset),
    headers: {},
  }));
  log.append(TOPIC, 0, records);
  await withViewer({ log, topics: [TOPIC], lanes: { count: 1 } }, async (viewer) => {
    const page = await TestPage.open(viewer);
    page.send({ type: "watch", tiles: [{ lane: "greyscale-0", width: 150 }] });
    for (let offset = 0; offset < 10; offset++) {
      await page.time({ action: "seek", lead: "greyscale-0", offset });
      // By now its picture is being scaled; here the page moves on.
      await page.time({ action: "seek", lead: "greyscale-0", offset: offset + 10 });
      await until(() => page.newest(0)?.offset === offset + 10);
    }
    const wrong = ({ generation, offset }: PictureMessage) => generation % 2 === 0 && offset < 10;
    assert.deepEqual(page.pictures.filter(wrong).map(({ offset }) => offset), []);
    await page.close();
  });
});

Deno.test("playing goes on from where it stopped, and over a clock that was set back", async () => {
  const clock = new FakeClock(BEGIN + 600_000);
  // Offset 100 has the time of offset 0 again.
  const twice = (offset: number) => time(offset % 100);
  await withPast(
    async (page, _log, lanes) => {
      const offsets = () => [0, 1].map((slot) => page.newest(slot)?.offset ?? -1);
      /** Plays both lanes from where they are. */
      const plays = async (from: number[], to: number, at = twice(from[0]!)) => {
        await page.time({ action: "play", speed: 1, time: at });
        await until(() => String(offsets()) === String(from), `plays from ${from}`);
        while (offsets()[0]! < to) {
          const before = offsets();
          await clock.advance(EVERY_MS);
          await until(() => offsets().every((offset, slot) => offset > before[slot]!), `${before}`);
          // At the step two frames are due together.
          for (const [slot, offset] of offsets().entries()) assert.ok(offset <= before[slot]! + 2);
        }
      };
      await page.time({ action: "seek", lead: "greyscale-0", offset: 97 });
      await until(() => offsets()[1] === 97);
      await plays([97, 97], 150);
      // A page sends where it is by its own clock, which was not set back.
      await page.time({ action: "pause", time: time(149) });
      await until(() => Math.min(...offsets()) >= 150);
      await plays(offsets(), 155, time(149));
      await page.time({ action: "live" });
      for (const { id } of lanes.lanes()) lanes.push(id, { offset: 150, timestamp: twice(150) });
      await until(async () => {
        await clock.advance(EVERY_MS);
        return String(offsets()) === "150,150";
      });
      await page.time({ action: "pause", time: twice(150) });
      await plays([150, 150], 155);
    },
    clock,
    twice,
  );
});
