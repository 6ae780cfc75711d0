/** Obligations: readers. */
import assert from "node:assert/strict";
import type { Frame } from "../../runtime/definition/frame.ts";
import {
  append,
  assertGrowing,
  eventually,
  type Obligation,
  record,
  records,
  rejectsWith,
  take,
  text,
  unique,
  within,
} from "./log_contract_kit.ts";

export function registerReaders(obligation: Obligation): void {
  obligation("a reader waits for the next append", async ({ log, reopen }) => {
    const topic = unique("wait");
    await log.createTopic(topic, 2);
    const reader = await log.reader();
    const partition = await reader.open(topic, 1, 0);
    assert.equal(partition.buffered, 0);
    assert.equal(partition.position, 0);
    const producers = [await (await reopen()).producer(), await log.producer()];
    for (let i = 0; i < 6; i++) {
      const producer = producers[i % 2]!;
      const waiting = within("a frame", (signal) => partition.read(10, signal));
      const offset = await producer.append(topic, 1, [record(`n${i}`)]);
      const [frame, ...more] = await waiting;
      assert.equal(more.length, 0);
      assert.equal(text(frame!.value), `n${i}`);
      assert.equal(frame!.offset, offset);
      assert.equal(frame!.partition, 1);
      assert.equal(partition.position, offset + 1);
      assert.ok(partition.latest >= offset + 1);
      assert.equal(partition.status, "reading");
    }
  });

  obligation("read returns at most what was asked for", async ({ log }) => {
    const topic = unique("max");
    await log.createTopic(topic, 1);
    await append(log, topic, 0, records(10));
    const partition = await (await log.reader()).open(topic, 0, 0);
    const frames = await take(partition, 10, 3);
    assert.deepEqual(frames.map((f) => text(f.value)), records(10).map((r) => text(r.value)));
    assertGrowing(frames);
  });

  obligation("what one reader does to its frames no other sees", async ({ log }) => {
    const topic = unique("own");
    await log.createTopic(topic, 2);
    for (const partition of [0, 1]) await append(log, topic, partition, records(6));
    const reader = await log.reader();
    const partitions = await Promise.all([0, 0, 1].map((number) => reader.open(topic, number, 0)));
    const [bad, ...others] = partitions as [typeof partitions[0], ...typeof partitions];
    for (let round = 0; round < 3; round++) {
      for (const { value, headers } of await take(bad!, 2, 2)) {
        new Uint8Array(value.buffer).fill(0);
        Reflect.set(headers, "label", "changed");
      }
      for (const partition of others) {
        const frames = await take(partition, 2, 2);
        assert.deepEqual(
          frames.map(({ value }) => text(value)),
          records(6).slice(2 * round, 2 * round + 2).map(({ value }) => text(value)),
        );
        assert.ok(frames.every(({ headers }) => headers["label"] === undefined));
      }
    }
  });

  obligation("read ends at its limit", async ({ log }) => {
    const topic = unique("until");
    await log.createTopic(topic, 1);
    const producer = await log.producer();
    await producer.append(topic, 0, records(5));
    const until = await producer.append(topic, 0, records(3, "later"));
    const partition = await (await log.reader()).open(topic, 0, 0);
    const read = (max: number, end: number) =>
      within("frames", (signal) => partition.read(max, signal, end));
    const values: string[] = [];
    for (let got = await read(2, until); got.length > 0; got = await read(2, until)) {
      assert.ok(got.length <= 2);
      values.push(...got.map((f) => text(f.value)));
    }
    assert.deepEqual(values, records(5).map((r) => text(r.value)));
    assert.deepEqual(await read(2, 0), [], "Already beyond");
    assert.deepEqual((await take(partition, 3)).map((f) => text(f.value)), [
      "later0",
      "later1",
      "later2",
    ]);
    const waiting = read(10, Number.MAX_SAFE_INTEGER);
    await producer.append(topic, 0, records(1, "last"));
    assert.deepEqual((await waiting).map((f) => text(f.value)), ["last0"]);
  });

  obligation("an aborted read throws the reason and loses nothing", async ({ log }) => {
    const topic = unique("abort");
    await log.createTopic(topic, 1);
    const partition = await (await log.reader()).open(topic, 0, 0);
    const controller = new AbortController();
    const waiting = partition.read(1, controller.signal);
    const reason = new Error("Enough waited");
    controller.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
    await assert.rejects(partition.read(1, controller.signal), (error) => error === reason);
    await append(log, topic, 0, records(2));
    assert.deepEqual((await take(partition, 2)).map((f) => text(f.value)), ["v0", "v1"]);
  });

  obligation("one partition is read several times at different offsets", async ({ log }) => {
    const topic = unique("twice");
    await log.createTopic(topic, 1);
    await append(log, topic, 0, records(6));
    const reader = await log.reader();
    const slow = await reader.open(topic, 0, 0);
    const fast = await reader.open(topic, 0, 4);
    assert.deepEqual((await take(fast, 2)).map((f) => f.offset), [4, 5]);
    assert.deepEqual((await take(slow, 3)).map((f) => f.offset), [0, 1, 2]);
    await append(log, topic, 0, records(1, "new"));
    assert.equal(text((await take(fast, 1))[0]!.value), "new0");
    assert.deepEqual((await take(slow, 4)).map((f) => text(f.value)), ["v3", "v4", "v5", "new0"]);
    await fast.close();
    await append(log, topic, 0, records(1, "last"));
    assert.equal(text((await take(slow, 1))[0]!.value), "last0");
    await rejectsWith("CLOSED", () => fast.read(1));
  });

  obligation("many partitions are read side by side", async ({ log, reopen }) => {
    const topic = unique("side");
    await log.createTopic(topic, 8);
    const reader = await log.reader();
    const partitions = await Promise.all(
      Array.from({ length: 8 }, (_, p) => reader.open(topic, p, 0)),
    );
    const producer = await (await reopen()).producer();
    const reading = partitions.map((partition) => take(partition, 20));
    for (let i = 0; i < 20; i++) {
      await Promise.all(partitions.map((_, p) => producer.append(topic, p, [record(`${p}:${i}`)])));
    }
    (await Promise.all(reading)).forEach((frames, p) => {
      assert.deepEqual(
        frames.map((f) => text(f.value)),
        Array.from({ length: 20 }, (_, i) => `${p}:${i}`),
      );
    });
  });

  obligation("seek drops what is buffered", async ({ log }) => {
    const topic = unique("seek");
    await log.createTopic(topic, 1);
    await append(log, topic, 0, records(10));
    const partition = await (await log.reader()).open(topic, 0, 0);
    await take(partition, 2);
    await eventually("buffered frames", () => partition.buffered > 0);
    partition.seek(7);
    assert.equal(partition.buffered, 0);
    assert.equal(partition.position, 7);
    assert.deepEqual((await take(partition, 3)).map((f) => f.offset), [7, 8, 9]);
    partition.seek(1);
    assert.deepEqual((await take(partition, 2)).map((f) => f.offset), [1, 2]);
  });

  obligation("buffers are bounded by frames", async ({ log }) => {
    const topic = unique("frames");
    await log.createTopic(topic, 1);
    await append(log, topic, 0, records(100));
    const reader = await log.reader({ maxBufferedFrames: 8 });
    const partition = await reader.open(topic, 0, 0);
    const values: string[] = [];
    while (values.length < 100) {
      await eventually("buffered frames", () => partition.buffered > 0);
      assert.ok(partition.buffered <= 8, `${partition.buffered} frames are buffered`);
      values.push(...(await take(partition, 1)).map((f) => text(f.value)));
    }
    assert.deepEqual(values, records(100).map((r) => text(r.value)));
  });

  obligation("buffers are bounded by headers, however many and small", async ({ log }) => {
    const topic = unique("headers");
    await log.createTopic(topic, 1);
    const headers = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`h${i}`, ""]));
    const many = Array.from({ length: 10 }, () => ({ ...record(new Uint8Array(1)), headers }));
    await append(log, topic, 0, many);
    const reader = await log.reader({ maxBufferedBytes: 100_000 });
    const partition = await reader.open(topic, 0, 0);
    for (let i = 0; i < many.length; i++) {
      await eventually("buffered frames", () => partition.buffered > 0);
      assert.equal(partition.buffered, 1);
      await take(partition, 1);
    }
  });

  obligation("buffers are bounded by bytes, one frame always passes", async ({ log }) => {
    const topic = unique("bytes");
    await log.createTopic(topic, 1);
    const sizes = [40_000, 40_000, 300_000, 40_000, 40_000, 40_000, 40_000, 300_000, 40_000];
    const producer = await log.producer();
    for (const [i, size] of sizes.entries()) {
      const note = { value: new Uint8Array(0), headers: { note: "x".repeat(size) } };
      await producer.append(topic, 0, [record(new Uint8Array(size), i < 4 ? {} : note)]);
    }
    const reader = await log.reader({ maxBufferedBytes: 100_000 });
    const partition = await reader.open(topic, 0, 0);
    for (const [i, size] of sizes.entries()) {
      await eventually("buffered frames", () => partition.buffered > 0);
      let bytes = 0;
      for (let j = i; j < i + partition.buffered; j++) bytes += sizes[j]!;
      assert.ok(partition.buffered === 1 || bytes <= 100_000, `${bytes} bytes are buffered`);
      const [{ value, headers }] = await take(partition, 1) as [Frame];
      assert.equal(value.length + (headers["note"] ?? "").length, size);
    }
  });

  obligation("what is no offset, and no number of frames, is refused", async ({ log }) => {
    const topic = unique("no-offset");
    await log.createTopic(topic, 1);
    const reader = await log.reader();
    const partition = await reader.open(topic, 0, 0);
    for (const wrong of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
      await rejectsWith("INVALID", () => reader.open(topic, 0, wrong));
      await rejectsWith("INVALID", async () => partition.seek(await wrong));
      for (const name of ["maxBufferedFrames", "maxBufferedBytes"]) {
        await rejectsWith("INVALID", () => log.reader({ [name]: wrong }));
      }
    }
    for (const wrong of [0, -1, NaN]) await rejectsWith("INVALID", () => partition.read(wrong));
  });

  obligation("an offset that is not there yet is out of range", async ({ log }) => {
    const topic = unique("ahead");
    await log.createTopic(topic, 1);
    await append(log, topic, 0, records(3));
    const { latest } = await log.offsets(topic, 0);
    const reader = await log.reader();
    const partition = await reader.open(topic, 0, latest + 100);
    const error = await rejectsWith("OFFSET_OUT_OF_RANGE", () => partition.read(1));
    assert.deepEqual(error.range, { earliest: 0, latest });
    assert.equal(error.retryable, false);
    partition.seek(latest);
    const waiting = take(partition, 1);
    await append(log, topic, 0, records(1, "next"));
    assert.equal(text((await waiting)[0]!.value), "next0");
  });

  obligation(
    "an expired offset is out of range, the error names the range",
    async ({ log, expire }) => {
      const topic = unique("behind");
      await log.createTopic(topic, 1);
      for (const record of records(10)) await append(log, topic, 0, [record]);
      const reader = await log.reader({ maxBufferedFrames: 2, maxBufferedBytes: 1 });
      const behind = await reader.open(topic, 0, 0);
      await take(behind, 1);
      await expire(topic, 0, 8);
      const { latest } = await log.offsets(topic, 0);
      const error = await rejectsWith("OFFSET_OUT_OF_RANGE", async () => {
        // What was buffered before it expired may still come.
        for (let i = 0; i < 7; i++) await take(behind, 1);
      });
      assert.deepEqual(error.range, { earliest: 8, latest });
      behind.seek(error.range!.earliest);
      assert.deepEqual((await take(behind, 2)).map((f) => f.offset), [8, 9]);
      const fresh = await reader.open(topic, 0, 3);
      await rejectsWith("OFFSET_OUT_OF_RANGE", () => fresh.read(1));
    },
  );
}
