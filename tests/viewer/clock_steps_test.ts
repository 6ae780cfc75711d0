/** A wall clock that is set while a viewer runs: nothing ends, stalls or comes back because of it. */
import assert from "node:assert/strict";
import type { Frame } from "../../runtime/definition/frame.ts";
import { NO_NUMBERS } from "../../runtime/lanes.ts";
import { FakeClock } from "../../runtime/testing/fake_clock.ts";
import { AlertBook } from "../../viewer/alerts.ts";
import { Hub } from "../../viewer/hub.ts";
import { KnownCameras } from "../../viewer/known_cameras.ts";
import { PartitionLane } from "../../viewer/partition_lane.ts";
import { FakeLanes } from "../support/fake_lanes.ts";

const EPOCH = 1_700_000_000_000;
const HOUR = 3_600_000;

class SettableClock extends FakeClock {
  set = EPOCH;
  override now = () => this.monotonic() + this.set;
}

const everything = { partitions: "all" } as const;

for (const step of [HOUR, -HOUR]) {
  const way = step > 0 ? "ahead" : "back";

  Deno.test(`clock set ${way}: a lane stalls after its silence, not because of the clock`, async () => {
    const clock = new SettableClock();
    const lanes = new FakeLanes({ count: 1, clock });
    const hub = new Hub(lanes, clock);
    const stalledSince = () => hub.lanes(everything)[0]!.stalledSince;
    lanes.push("greyscale-0");
    assert.equal(stalledSince(), undefined);
    clock.set += step;
    assert.equal(stalledSince(), undefined);
    await clock.advance(30_000);
    assert.equal(stalledSince(), clock.now() - 30_000);
    lanes.push("greyscale-0");
    assert.equal(stalledSince(), undefined);
    hub.close();
    lanes.stop();
  });

  Deno.test(`clock set ${way}: an alert stays active until its runtime is silent`, async () => {
    const clock = new SettableClock();
    const lanes = new FakeLanes({ count: 1, clock });
    const book = new AlertBook({ feed: lanes, lanes: () => lanes.lanes(), clock });
    const active = () => book.since(0, everything).map((alert) => alert.active);
    lanes.push("greyscale-0", {
      result: { alert: { id: "a", state: "start", label: "fight", peak: 0.7 } },
    });
    clock.set += step;
    await clock.advance(5_000);
    assert.deepEqual(active(), [true]);
    await clock.advance(60_000);
    assert.deepEqual(active(), [false]);
    await book.close();
    lanes.stop();
  });

  Deno.test(`clock set ${way}: the rate of a lane is that of its frames`, async () => {
    const clock = new SettableClock();
    const lane = new PartitionLane("raw-0", "t", 0);
    const frame = (offset: number): Frame => ({
      topic: "t",
      partition: 0,
      offset,
      timestamp: clock.now(),
      key: null,
      headers: {},
      value: new Uint8Array(),
    });
    for (let offset = 0; offset < 20; offset++) {
      if (offset === 10) clock.set += step;
      await clock.advance(100);
      lane.arrived([frame(offset)], clock);
    }
    lane.seen(frame(20), clock, true);
    assert.ok(Math.abs(lane.lane.framesPerSecondIn - 10) < 1, `${lane.lane.framesPerSecondIn}`);
  });

  Deno.test(`clock set ${way}: a removed camera is shown again with its next frame`, async () => {
    const clock = new SettableClock();
    let registered = [{ number: 1, name: "Gate" }];
    const known = new KnownCameras(() => Promise.resolve(registered), clock);
    const lane = (lastFrameArrival: number) => ({
      ...new PartitionLane("raw-0", "t", 0).lane,
      ...NO_NUMBERS,
      lastFrameArrival,
    });
    await known.refresh();
    registered = [];
    await clock.advance(2_000);
    await known.refresh();
    const last = clock.now() + 500;
    clock.set += step;
    assert.equal(known.describe(lane(last)).removed, true);
    await clock.advance(5_000);
    assert.equal(known.describe(lane(last)).removed, true);
    assert.equal(known.describe(lane(clock.now())).removed, undefined);
  });
}
