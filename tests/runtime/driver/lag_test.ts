import assert from "node:assert/strict";
import type { StreamingQueryProgress } from "../../../runtime/definition/progress.ts";
import { LagMeter } from "../../../runtime/driver/lag.ts";
import { StreamingQuery } from "../../../runtime/driver/streaming_query.ts";
import { FakeClock } from "../../../runtime/testing/fake_clock.ts";

const TOPIC = "VideoStreaming";

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
  };
  const query = new StreamingQuery("q", TOPIC, 0, {
    stop: () => Promise.resolve(),
    explain: () => "",
    latestOffset: () => Promise.resolve(0),
    isTriggerActive: () => false,
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
    } as unknown as StreamingQueryProgress, clock.now());
  return { clock, log, query, lag, progressed };
}

Deno.test("a query that is down falls behind as the log grows", async () => {
  const { clock, log, query, lag, progressed } = measured();
  query.starting("run");
  assert.equal(await lag(), 90, "it may have to read all there is");
  query.started("id", 40);
  assert.equal(await lag(), 60);
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
  log.latest = 130;
  assert.equal(await lag(), 30);
  assert.equal(await lag(), 30);
  assert.equal(log.asked, 1);
});
