import assert from "node:assert/strict";
import { DriverFeed } from "../../../runtime/driver/feed.ts";
import type { LagMeter } from "../../../runtime/driver/lag.ts";
import type { StreamingQueryManager } from "../../../runtime/driver/manager.ts";
import { FakeClock } from "../../../runtime/testing/fake_clock.ts";

const LAG = { of: () => 0 } as unknown as LagMeter;
const NO_BYTES = new Uint8Array(0);

Deno.test("Beside what was found in later access units a picture keeps its own offset and time", () => {
  const streams = { all: [] } as unknown as StreamingQueryManager;
  const feed = new DriverFeed(streams, new FakeClock(), LAG, () => undefined, () => {});
  const delivered: number[] = [];
  feed.subscribe(({ offset }) => delivered.push(offset));
  const show = (offset: number, change: { bytes?: Uint8Array<ArrayBuffer>; video?: "h264" }) =>
    feed.show({
      ...{ query: "q", partition: 0, run: 1, offset, timestamp: offset * 40, headers: {} },
      ...{ bytes: NO_BYTES, ...change },
    });
  show(0, { bytes: new Uint8Array([1]), video: "h264" });
  show(25, { video: "h264" });
  assert.equal(feed.latest("q-0")?.offset, 0);
  show(30, {});
  assert.equal(feed.latest("q-0")?.offset, 30, "a finding on the picture before it");
  assert.deepEqual(delivered, [0, 25, 30]);
});

Deno.test("A picture decoded for a late viewer is no sign of life", async () => {
  const clock = new FakeClock();
  const query = {
    ...{ query: "q", partition: 0, topic: "T", state: "running", totals: {}, reportedAt: 0 },
    lastCommit: clock.now() + 500,
    lastProgress: { eventTime: { max: new Date(clock.now()).toISOString() }, sink: {} },
  };
  const streams = { all: [query] } as unknown as StreamingQueryManager;
  const feed = new DriverFeed(streams, clock, LAG, () => undefined, () => {});
  const show = (timestamp: number) =>
    feed.show({
      ...{ query: "q", partition: 0, run: 1, offset: 0, timestamp },
      ...{ headers: {}, bytes: new Uint8Array([1]) },
    });
  const arrival = () => feed.lanes()[0]?.lastFrameArrival;
  const captured = clock.now();
  await clock.advance(100);
  show(captured);
  const { lastProgress } = query;
  Object.assign(query, { lastProgress: undefined });
  assert.equal(feed.lanes()[0]?.lastFrameTimestamp, captured, "before its first progress");
  Object.assign(query, { lastProgress });
  assert.equal(arrival(), captured + 100, "before its commit");
  await clock.advance(60_000);
  for (const timestamp of [captured, captured - 40]) {
    show(timestamp);
    assert.equal(arrival(), query.lastCommit);
  }
  show(captured + 40);
  assert.equal(arrival(), clock.now(), "a newer frame");
});

Deno.test("A lane shows no picture of a run before the newest, nor a finding without any picture", () => {
  const streams = { all: [] } as unknown as StreamingQueryManager;
  const feed = new DriverFeed(streams, new FakeClock(), LAG, () => undefined, () => {});
  const delivered: number[] = [];
  feed.subscribe(({ offset }) => delivered.push(offset));
  const show = (run: number, offset: number, bytes = new Uint8Array([1])) =>
    feed.show({ query: "q", partition: 0, run, offset, timestamp: 0, headers: {}, bytes });
  show(1, 0, NO_BYTES);
  show(2, 7);
  show(1, 6);
  assert.deepEqual(delivered, [7]);
});
