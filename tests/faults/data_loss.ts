// Frames that expire under a query, the same on every log.
import assert from "node:assert/strict";
import { retry } from "../../runtime/base/wait.ts";
import type { TopicLog } from "../../runtime/log/log.ts";
import { judgeTopic } from "../recovery/outputs.ts";
import { GROUP } from "../support/access_units.ts";
import { type Marked, markedRecords, markOf } from "../support/checker.ts";
import { readAll } from "../support/log.ts";
import type { Random } from "../support/random.ts";
import { passthrough, reached } from "./passthrough.ts";

/** Where the trial is made. */
export interface DataLossPlace {
  readonly log: TopicLog;
  readonly url: string;
  readonly topic: string;
  /** What its camera sends over and over in place of images. */
  readonly units?: readonly Uint8Array[] | undefined;
  /** Lets the records below `before` expire. */
  readonly expire: (topic: string, before: number) => Promise<void>;
}

/**
 * By default the query stops and says what to do; opted in it continues and counts each lost frame, and each access unit
 * whose keyframe is among them.
 */
export async function dataLoss(
  { log, url, topic, expire, units }: DataLossPlace,
): Promise<void> {
  const headless = units === undefined ? 0 : GROUP - 47 % GROUP;
  const start = Date.now();
  await log.createTopic(topic, 1);
  const producer = await log.producer();
  const publish = (from: number, count: number) =>
    producer.append(topic, 0, markedRecords(1, count, { from, start, units }));
  const run = async (...more: string[]) => {
    const process = passthrough(url, topic, topic, ["--trigger", "available-now", ...more]);
    const code = await process.ended();
    return { code, process, summary: process.summaries[0]! };
  };
  await publish(0, 30);
  const first = await run();
  assert.deepEqual([first.code, first.summary.outputs], [0, 30], first.process.output());
  await publish(30, 50);
  // Offsets 30 to 46 are lost before the query has read them.
  await expire(topic, 47);
  for (let again = 0; again < 2; again++) {
    const stopped = await run();
    assert.equal(stopped.code, 1, stopped.process.output());
    assert.match(
      stopped.process.output(),
      /from offset 30: 17 frames were deleted .* holds 47 to 80\. .*--no-fail-on-data-loss/,
    );
    assert.equal((await readAll(log, `${topic}-OUT`, 0)).length, 30, "a stop writes nothing");
  }
  const opted = await run("--no-fail-on-data-loss");
  assert.equal(opted.code, 0, opted.process.output());
  assert.deepEqual(
    [opted.summary.dropped, opted.summary.outputs],
    [17 + headless, 33 - headless],
  );
  assert.match(opted.process.output(), /Lost 17 frames .*offsets 30 to 46/);
  await publish(80, 5);
  await producer.close();
  const after = await run();
  assert.deepEqual([after.code, after.summary.dropped, after.summary.outputs], [0, 0, 5]);
  const seqs = (await readAll(log, `${topic}-OUT`, 0)).map(({ headers }) => Number(headers["seq"]));
  const expected = Array.from({ length: 85 }, (_, seq) => seq)
    .filter((seq) => seq < 30 || seq >= 47 + headless);
  assert.deepEqual(seqs, expected);
}

/**
 * The same while the queries run: they are frozen, frames come and expire, they continue. Returns how many frames the
 * one that may lose some has counted, which are those that the checker misses.
 */
export async function dataLossWhileRunning(
  { log, url, topic, expire, units }: DataLossPlace,
  random: Random,
): Promise<number> {
  const start = Date.now();
  await log.createTopic(topic, 1);
  const producer = await log.producer();
  const published: Marked[] = [];
  const publish = async (count: number) => {
    const frames = markedRecords(1, count, { from: published.length, start, units });
    await producer.append(topic, 0, frames);
    published.push(...frames.map(markOf));
  };
  const strict = passthrough(url, topic, `${topic}-strict`);
  const lenient = passthrough(url, topic, `${topic}-lenient`, ["--no-fail-on-data-loss"]);
  const output = `${topic}-lenient-OUT`;
  const both = [strict, lenient];
  try {
    await publish(20);
    await reached(log, output, 19);
    await reached(log, `${topic}-strict-OUT`, 19);
    const signal = (name: "SIGSTOP" | "SIGCONT") => both.forEach((one) => one.signal(name));
    // One that is frozen inside of a transaction of the embedded log keeps others out.
    await retry(async () => {
      signal("SIGSTOP");
      // These answer the fetch that is under way; the rest is not fetched before it expires.
      await publish(5).catch((error) => {
        signal("SIGCONT");
        throw error;
      });
    });
    await publish(random.whole(350, 400));
    await expire(topic, random.whole(290, 340));
    signal("SIGCONT");
    assert.equal(await strict.ended(), 1, strict.output());
    assert.match(
      strict.output(),
      /\d+ frames were deleted before passthrough read them.*--no-fail-on-data-loss/,
    );
    await publish(10);
    await reached(log, output, published.length - 1);
    assert.equal(await lenient.stop(), 0, lenient.output());
    const { dropped } = lenient.summaries[0]!;
    const verdict = await judgeTopic(log, output, 1, published);
    assert.deepEqual(
      [verdict.lost, verdict.doubled, verdict.reordered, verdict.changed],
      [dropped, 0, 0, 0],
      `${verdict.faults.join("; ")}\n${lenient.output()}`,
    );
    assert.ok(dropped > 0, lenient.output());
    return dropped;
  } finally {
    for (const process of both) await process.kill();
    await producer.close();
  }
}

/** Frames expire that only an unfinished video would see again: nothing is lost, and the query continues. */
export async function expiredBehindVideo(
  { log, url, topic, expire }: DataLossPlace,
  folder: string,
): Promise<void> {
  const start = Date.now();
  await log.createTopic(topic, 1);
  const producer = await log.producer();
  const run = async (from: number, to: number) => {
    await producer.append(topic, 0, markedRecords(1, to - from, { from, start }));
    // One group of pictures for all of it: the video wants to see its beginning again.
    const sinks = ["--sink", `video:${folder}?group=60s`];
    const process = passthrough(url, topic, topic, [...sinks, "--trigger", "available-now"]);
    assert.equal(await process.ended(), 0, process.output());
    assert.equal(process.summaries[0]!.dropped, 0);
    return process.output();
  };
  await run(0, 40);
  await expire(topic, 30);
  assert.match(
    await run(40, 60),
    /again from offset 0: the log starts at 30. Nothing is lost/,
  );
  await producer.close();
  const seqs = (await readAll(log, `${topic}-OUT`, 0)).map(({ headers }) => Number(headers["seq"]));
  assert.deepEqual(seqs, Array.from({ length: 60 }, (_, seq) => seq));
}
