import assert from "node:assert/strict";
import { FakeClock, settle } from "../../runtime/testing/fake_clock.ts";
import { Hub } from "../../viewer/hub.ts";
import { FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { recorded, TestPage, until, withViewer } from "./kit.ts";

const VIDEO = { video: "h264" } as const;
const BYTES = new Uint8Array([1]);
const LANE = "greyscale-0";

function videoLane() {
  const clock = new FakeClock();
  const feed = new FakeLanes({ count: 1, clock });
  const hub = new Hub(feed, clock);
  feed.push(LANE, { ...VIDEO, bytes: BYTES });
  return { clock, feed, hub, newest: () => hub.newest(feed.lanes()[0]!) };
}

Deno.test("A snapshot of video waits for the picture of a frame that is newer than the known one", async () => {
  const { feed, hub, newest } = videoLane();
  feed.change(LANE, { lastFrameTimestamp: 1 });
  const snapshot = newest();
  await settle();
  feed.push(LANE, { ...VIDEO, bytes: BYTES }); // a result on the same picture
  feed.push(LANE, { ...VIDEO, bytes: new Uint8Array([2]) });
  assert.deepEqual((await snapshot)?.bytes, new Uint8Array([2]));
  assert.equal(feed.subscribers, 0);
  hub.close();
});

Deno.test("A snapshot is the known picture where it is the newest, and where no other comes", async () => {
  const { clock, feed, hub, newest } = videoLane();
  assert.equal((await newest())?.bytes, BYTES);
  feed.change(LANE, { lastFrameTimestamp: 1 });
  const snapshot = newest();
  await settle();
  await clock.advance(1_000);
  assert.equal((await snapshot)?.bytes, BYTES);
  assert.equal((await newest())?.bytes, BYTES, "at once, as no frame has come since");
  assert.equal(feed.subscribers, 0);
  hub.close();
});

Deno.test("the newest picture of a lane that a page shows is there while the log does not answer", async () => {
  const log = await recorded(3, (offset) => offset, (...ids) => paintCode(...ids, 64, 48));
  const options = { log, topics: ["VideoStreaming"], lanes: { count: 1 } };
  const answers = Promise.withResolvers<number>();
  await withViewer(options, async (viewer) => {
    const page = await TestPage.open(viewer);
    try {
      page.watch("raw-1");
      await until(() => page.newest(0)?.offset === 2);
      let asked = false;
      log.partitionCount = () => {
        asked = true;
        return answers.promise;
      };
      await until(() => asked);
      let shown: string | null | undefined;
      void fetch(`${viewer.url}cam/2.jpg`).then(async ({ headers, body }) => {
        shown = headers.get("x-framelane-offset");
        await body!.cancel();
      });
      await until(() => shown === "2", "a picture");
      await page.close();
    } finally {
      answers.resolve(2);
    }
  });
});
