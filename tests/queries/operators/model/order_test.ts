import assert from "node:assert/strict";
import { model } from "../../../../queries/operators/model/model.ts";
import { query, type Result, topic } from "../../../../runtime/mod.ts";
import { MemoryLog, runQuery } from "../../../../runtime/testing.ts";
import { numberedJpeg, orderModel } from "./order_kit.ts";

const FRAMES = 1000;
const PARTITIONS = 3;
const TOPIC = "VideoStreaming";
/** As in the manifests. */
const WINDOW = 8;
const HOP = 3;

/** A log whose frames are numbered: partition p holds 20,000 p, 20,000 p + 1, … */
async function numberedLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, PARTITIONS);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const records = Array.from({ length: FRAMES }, (_, i) => ({
      key: null,
      value: numberedJpeg(20_000 * partition + i),
      timestamp: 40 * i,
      headers: {},
    }));
    log.append(TOPIC, partition, records);
  }
  return log;
}

const expectedWindows = Array.from(
  { length: Math.floor((FRAMES - WINDOW) / HOP) + 1 },
  (_, i) => Array.from({ length: WINDOW }, (_, t) => HOP * i + t),
);

const log = await numberedLog();

for (const name of ["nthwc", "ntchw", "ncthw", "nhwc", "nchw", "bytes", "halves"]) {
  Deno.test(`the ${name} model sees every window's frames in order, across restarts`, async () => {
    const out = `seen-${name}`;
    await log.createTopic(out, PARTITIONS);
    let commits = 0;
    log.fail = (point) => {
      // Every sixth commit fails, half of them before it counts and half of them after.
      if (point === "before-commit" && ++commits % 12 === 5) throw new Error("crash before");
      if (point === "after-commit" && commits % 12 === 11) throw new Error("crash after");
    };
    const definition = query(`order-${name}`)
      .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 50 })
      .process(model(orderModel(name)))
      .writeStream(topic({ name: out }))
      .trigger("available-now");
    let restarts = 0;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      let ended = false;
      while (!ended) {
        try {
          await runQuery(definition, { log, partition });
          ended = true;
        } catch (error) {
          assert.match((error as Error).message, /crash (before|after)/);
          restarts++;
        }
      }
    }
    log.fail = () => {};
    assert.ok(restarts >= 8, `only ${restarts} restarts`);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const results = log.frames(out, partition)
        .map(({ value }) => JSON.parse(new TextDecoder().decode(value)) as Result);
      const seen = results.map(({ frames }) => frames!.map(({ scores }) => scores!["seen"]!));
      const numbers = expectedWindows
        .map((window) => window.map((number) => 20_000 * partition + number));
      assert.deepEqual(seen, numbers);
      assert.deepEqual(
        results.map(({ frames }) => frames!.map(({ offset }) => offset)),
        expectedWindows,
      );
      for (const [i, { window, scores }] of results.entries()) {
        assert.equal(window!.firstOffset, HOP * i);
        assert.equal(window!.lastOffset, HOP * i + WINDOW - 1);
        assert.deepEqual(scores, { last: numbers[i]!.at(-1) });
      }
    }
  });
}
