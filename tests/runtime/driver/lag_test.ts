import assert from "node:assert/strict";
import type { StreamingQueryProgress } from "../../../runtime/definition/progress.ts";
import type { Frame } from "../../../runtime/definition/frame.ts";
import type { LogReader, PartitionReader } from "../../../runtime/log/log.ts";
import { LagMeter } from "../../../runtime/driver/lag.ts";
import { newCells } from "../../../runtime/executor/protocol.ts";
import { StreamingQuery } from "../../../runtime/driver/streaming_query.ts";
import { FakeClock } from "../../../runtime/testing/fake_clock.ts";

const TOPIC = "VideoStreaming";

/** Reads a partition of which each tenth offset is a frame and the others are holes. */
class HoleyReader implements LogReader {
  open(topic: string, partition: number, from: number): Promise<PartitionReader> {
    let position = from;
    return Promise.resolve({
      read(_max: number, _signal?: AbortSignal, until = 0) {
        const offsets = Array.from({ length: until - position }, (_, i) => position + i);
        position = until;
        return Promise.resolve(
          offsets.filter((offset) => offset % 10 === 0).map((offset): Frame => ({
            ...{ topic, partition, offset, timestamp: 0, key: null, headers: {} },
            value: new Uint8Array(0),
          })),
        );
      },
      buffered: 0,
      position: from,
      latest: from,
      status: "reading",
      seek() {},
      close: () => Promise.resolve(),
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function measured() {
  const clock = new FakeClock();
  const log = {
    latest: 100,
    away: false,
    asked: 0,
    offsets() {
      log.asked++;
      return log.away
        ? Promise.reject(new Error("away"))
        : Promise.resolve({ earliest: 10, latest: log.latest });
    },
    /** Each tenth offset is a frame, the others are holes. */
    reader: () => Promise.resolve(new HoleyReader()),
  };
  const query = new StreamingQuery("q", TOPIC, 0, {
    stop: () => Promise.resolve(),
    explain: () => "",
    latestOffset: () => Promise.resolve(0),
    cells: newCells(),
  });
  const meter = new LagMeter(log, clock);
  const lag = async () => {
    await meter.measure([query]);
    return meter.of(query);
  };
  const progressed = (next: number, latest: number) =>
    query.progressed({
      sources: [{
        endOffset: { [TOPIC]: { "0": next } },
        latestOffset: { [TOPIC]: { "0": latest } },
      }],
    } as unknown as StreamingQueryProgress, clock);
  return { clock, log, query, lag, progressed };
}

Deno.test("a query that is down falls behind as the log grows", async () => {
  const { clock, log, query, lag, progressed } = measured();
  query.starting("run");
  assert.equal(await lag(), 90, "it may have to read all there is");
  query.started("id", 30);
  assert.equal(await lag(), 70);
  progressed(98, 100);
  assert.equal(await lag(), 2, "as it reports itself");
  query.failed({ name: "Error", message: "no", retryable: false }, 1_000);
  await clock.advance(1_000);
  log.latest = 250;
  assert.equal(await lag(), 152);
  log.away = true;
  await clock.advance(1_000);
  assert.equal(await lag(), 152, "what was known last");
});

Deno.test("a query that runs and reports nothing is measured too, and the log is spared", async () => {
  const { clock, log, query, lag, progressed } = measured();
  query.started("id", 40);
  progressed(100, 100);
  assert.equal(await lag(), 0);
  assert.equal(log.asked, 0);
  await clock.advance(4_000);
  log.latest = 200;
  assert.equal(await lag(), 100);
  assert.equal(await lag(), 100);
  assert.equal(log.asked, 1);
});

Deno.test("what a query that is down has before it is counted where most of it may be holes", async () => {
  const { clock, log, query, lag } = measured();
  query.started("id", 91);
  log.latest = 99;
  await clock.advance(4_000);
  assert.equal(await lag(), 0);
  log.latest = 131;
  await clock.advance(1_000);
  assert.equal(await lag(), 4);
});
