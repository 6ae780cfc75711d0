/** What becomes of a runtime whose queries come and go, on the embedded log. */
import assert from "node:assert/strict";
import "../../../runtime/driver/driver.ts";
import "../../../runtime/image/mod.ts";
import { display, type Frame, query, start } from "../../../runtime/mod.ts";
import { foreachBatch } from "../../../runtime/sinks/mod.ts";
import type { TopicLog } from "../../../runtime/log/log.ts";
import { records } from "../../support/frames.ts";
import { withLog } from "../../support/log.ts";
import { until } from "../../support/until.ts";

async function append(log: TopicLog, topic: string, partitions: number, frames: number) {
  const producer = await log.producer();
  for (let partition = 0; partition < partitions; partition++) {
    await producer.append(topic, partition, records(partition + 1, frames));
  }
  await producer.close();
}

const of = (name: string) => query(name).readStream({ startingOffsets: "earliest" });
const quiet = (log: string) => ({ log, progressIntervalMs: 0, report: () => {} });

Deno.test("a query on another topic, and one that ends and is added again", () =>
  withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    await log.createTopic("Other", 2);
    await append(log, "Other", 2, 2);
    await using streams = await start(of("live").writeStream(display()), quiet(url));
    const all = of("all").writeStream(display()).trigger("available-now");
    for (const frames of [2, 3]) {
      const [one] = await streams.add(all, { topic: "Other", partitions: [1] });
      assert.equal(await one!.awaitTermination(), true);
      assert.deepEqual([one!.topic, one!.partition, one!.totals.frames], ["Other", 1, frames]);
      await append(log, "Other", 2, 3);
    }
    assert.deepEqual(streams.active.map(({ query }) => query), ["live"]);
  }));

Deno.test("a query that waits for its topic can be removed, and none is added after the end", () =>
  withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const streams = await start(of("live").writeStream(display()), quiet(url));
    const adding = assert.rejects(
      streams.add(of("late").writeStream(display()), { topic: "Later" }),
      /Query late stops/,
    );
    await until("it is there", () => streams.remove("late").then(() => true, () => false));
    await adding;
    await streams.stop();
    await assert.rejects(streams.add(of("x").writeStream(display())), /the driver is stopping/);
  }));

Deno.test("a query that is removed while it is replaced is gone, and of two replacements one is refused", () =>
  withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const streams = await start(of("live").writeStream(display()), quiet(url));
    const other = of("other").writeStream(display());
    // The removal comes at every moment of the replacement.
    for (let turns = 0; turns < 60; turns += 3) {
      await streams.add(other);
      const replacing = streams.replace(other).then(() => "replaced", String);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await streams.remove("other");
      await replacing;
      assert.deepEqual(streams.all.map(({ query }) => query), ["live"], `after ${turns} turns`);
    }
    await streams.add(other);
    const outcomes = await Promise.allSettled([streams.replace(other), streams.replace(other)]);
    const reasons = outcomes.flatMap((one) => one.status === "rejected" ? [`${one.reason}`] : []);
    assert.equal(reasons.length, 1);
    assert.match(reasons[0]!, /Cannot replace query "other": it was removed or replaced meanwhile/);
    await streams.stop();
  }));

Deno.test("two runtimes of a group: one replaces the query, then removes it, and no frame is lost or doubled", () =>
  withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 4);
    const seen: string[] = [];
    const by = (who: string) =>
      of("shared").writeStream(foreachBatch<Frame>((frames) => {
        for (const { partition, offset } of frames) seen.push(`${who} ${partition}:${offset}`);
      }));
    await using a = await start(by("a"), quiet(url));
    await using b = await start(by("b"), quiet(url));
    const frames = async (count: number) => {
      const wanted = seen.length + 4 * count;
      await append(log, "VideoStreaming", 4, count);
      await until("all frames", () => seen.length >= wanted);
    };
    await frames(3);
    await a.replace(by("a2"));
    // The other one may have all partitions until it is back.
    const isBack = () => seen.some((line) => line.startsWith("a2 "));
    let rounds = 4;
    await until("it is back", async () => {
      if (isBack()) return true;
      await frames(1);
      rounds++;
      return false;
    });
    await a.remove("shared");
    await frames(1);
    assert.equal(new Set(seen.map((line) => line.split(" ")[1])).size, 4 * rounds);
    assert.equal(seen.length, 4 * rounds);
    assert.equal(b.active.length, 4);
  }));
