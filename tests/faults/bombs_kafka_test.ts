/**
 * Record batches of a few kilobytes that unpack to gigabytes: each costs its record, which becomes a dead
 * letter, and hardly any memory; the frames beside it and the other lanes continue.
 */
import assert from "node:assert/strict";
import type { Compression, LogRecord } from "../../runtime/log/log.ts";
import { judgeTopic } from "../recovery/outputs.ts";
import { assertFlawless, markedRecords, markOf } from "../support/checker.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { appendBatches, kafkaUrl, openPatiently, uniqueName } from "../support/kafka.ts";
import { readAll } from "../support/log.ts";
import { bomb } from "../support/packed_batches.ts";
import { peakMiB } from "../support/processes.ts";
import { say } from "../support/trial_report.ts";

const MOST_MIB = 64;
const MIB = 2 ** 20;
const CODECS = ["gzip", "zstd", "lz4", "snappy"] as const;
/** LZ4 packs 255 to 1, snappy 21 to 1: a gigabyte of theirs is not small. */
const BOMBS: readonly [Compression, number][] = [
  ["gzip", 1024 * MIB],
  ["zstd", 2047 * MIB],
  ["lz4", 128 * MIB],
  ["snappy", 96 * MIB],
  // Small enough for one answer to bring several.
  ...Array.from({ length: 8 }, (): [Compression, number] => ["zstd", 128 * MIB]),
];
const LANES = 2;
/** Frames of each lane before the bombs and after them. */
const FRAMES = 20;
/** Bytes that go through a runtime before its memory has come to rest. */
const WARM_BYTES = 64 * MIB;
/** Of a frame that warms it. JPEG decoders stop at the end of the image: the rest is padding. */
const WARM_FRAME = 400_000;

Deno.test("batches that unpack to gigabytes cost their records and at most 64 MiB; other lanes continue", async () => {
  const url = kafkaUrl();
  const topic = uniqueName("bombs");
  const log = await openPatiently(url);
  await log.createTopic(topic, LANES);
  const producer = await log.producer();
  const start = Date.now();
  const published: LogRecord[] = [];
  const publish = async (lane: number, count: number, bytes = 0, by = producer) => {
    const from = published.filter(({ key }) => key === `CAMERA-${lane + 1}`).length;
    const frames = markedRecords(lane + 1, count, { from, start }).map((frame) => {
      if (bytes === 0) return frame;
      const value = new Uint8Array(bytes);
      value.set(frame.value);
      return { ...frame, value };
    });
    published.push(...frames);
    // One by one: a request holds this much and no more.
    for (const frame of frames) await by.append(topic, lane, [frame]);
  };
  const runtime = new FramelaneProcess([
    ...["queries", "passthrough", "--log", url, "--topic", topic, "--group", `${topic}-group`],
    ...["--starting-offsets", "earliest", "--sink", `topic:${topic}-OUT`, "--port", "off"],
    ...["--executors", "1", "--json"],
  ]);
  try {
    const done = (lane: number, outputs: number, bad: number) =>
      runtime.until(`${outputs} outputs and ${bad} dead letters of lane ${lane}`, (p) => {
        const totals = p.progress(lane).at(-1)?.totals;
        return totals?.outputs === outputs && totals.deadLettered === bad;
      });
    // A runtime at work: garbage that is not collected yet, decoders loaded, a first dead letter.
    const warm = Math.ceil(WARM_BYTES / WARM_FRAME / CODECS.length);
    for (const compression of CODECS) {
      const packing = await log.producer({ compression });
      await publish(0, warm, WARM_FRAME, packing);
      await packing.close();
    }
    await producer.append(topic, 0, [{ ...published[0]!, value: new Uint8Array(9) }]);
    const good = warm * CODECS.length;
    await publish(1, FRAMES);
    await done(0, good, 1);
    await done(1, FRAMES, 0);
    const before = await peakMiB(runtime.pid);
    await appendBatches(topic, 0, BOMBS.map(([codec, size]) => bomb(codec, size)));
    for (const lane of [0, 1]) await publish(lane, FRAMES);
    await done(1, 2 * FRAMES, 0);
    await done(0, good + FRAMES, 1 + BOMBS.length);
    const grown = await peakMiB(runtime.pid) - before;
    say(`${BOMBS.length} bombs: +${Math.round(grown)} MiB`);
    assert.ok(grown <= MOST_MIB, `bombs took ${Math.round(grown)} MiB`);
    assert.doesNotMatch(runtime.output(), /; restarting/);
    assert.equal(await runtime.stop(), 0, runtime.output());

    const verdict = await judgeTopic(log, `${topic}-OUT`, LANES, published.map(markOf));
    assertFlawless(verdict, "the frames beside the bombs");
    const [, ...letters] = await readAll(log, `${topic}.dead-letters`, 0);
    assert.deepEqual(
      letters.map(({ headers }) => Number(headers["__streams.errors.offset"])),
      BOMBS.map((_, index) => good + 1 + index),
    );
    for (const { headers, value } of letters) {
      assert.equal(headers["reason"], "too-large");
      assert.match(headers["__streams.errors.message"]!, /unpacks to more than/);
      assert.equal(value.length, 0);
    }
  } finally {
    await runtime.kill();
    await producer.close();
    await log.close();
  }
});
