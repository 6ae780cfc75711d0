/** Obligations: topics, offsets, appending. */
import assert from "node:assert/strict";
import {
  append,
  assertGrowing,
  LogChild,
  type Obligation,
  readAll,
  record,
  records,
  rejectsWith,
  take,
  text,
  unique,
} from "./log_contract_kit.ts";

export function registerTopics(obligation: Obligation): void {
  obligation("a topic is created, listed and counted", async ({ log, reopen }) => {
    const [b, a] = [unique("b"), unique("a")];
    assert.equal(await log.partitionCount(b), 0);
    assert.equal(await log.createTopic(b, 3), 3);
    assert.equal(await log.createTopic(a, 1), 1);
    assert.equal(await log.partitionCount(b), 3);
    const other = await reopen();
    assert.equal(await other.partitionCount(b), 3);
    const names = await other.topics();
    assert.ok(names.includes(a) && names.includes(b));
    assert.deepEqual(names, names.toSorted());
  });

  obligation("a topic grows and never shrinks", async ({ log }) => {
    const topic = unique("grow");
    assert.equal(await log.createTopic(topic, 2), 2);
    await append(log, topic, 1, records(3));
    assert.equal(await log.createTopic(topic, 4), 4);
    assert.equal(await log.createTopic(topic, 1), 4);
    assert.equal(await log.partitionCount(topic), 4);
    assert.deepEqual((await readAll(log, topic, 1)).map((f) => text(f.value)), ["v0", "v1", "v2"]);
    await append(log, topic, 3, records(1));
    assert.equal((await readAll(log, topic, 3)).length, 1);
  });

  obligation("concurrent creations all succeed", async ({ log, reopen }) => {
    const topic = unique("race");
    const other = await reopen();
    const wanted = [1, 5, 2, 4, 3, 5];
    const got = await Promise.all(
      wanted.map((count, i) => (i % 2 === 0 ? log : other).createTopic(topic, count)),
    );
    got.forEach((count, i) => assert.ok(count >= wanted[i]!, `${count} for ${wanted[i]}`));
    assert.equal(await log.partitionCount(topic), 5);
  });

  obligation("wrong names and counts are refused", async ({ log }) => {
    for (const name of ["", ".", "..", "a b", "ä", "a/b", "x".repeat(250)]) {
      await rejectsWith("INVALID", () => log.createTopic(name, 1));
    }
    for (const count of [0, -1, 1.5, NaN, 1e6]) {
      await rejectsWith("INVALID", () => log.createTopic(unique("wrong"), count));
    }
    for (const retentionBytes of [0, -1, 0.5, NaN, Infinity]) {
      await rejectsWith("INVALID", () => log.createTopic(unique("wrong"), 1, { retentionBytes }));
    }
  });

  obligation("a topic keeps as little or as much as is wanted", async ({ log }) => {
    for (const retentionBytes of [1, 2 ** 40]) {
      const topic = unique("kept");
      assert.equal(await log.createTopic(topic, 1, { retentionBytes }), 1);
      await append(log, topic, 0, records(1));
      assert.equal((await readAll(log, topic, 0)).length, 1);
    }
  });

  obligation("a record without a time is refused alone; all others are dates", async ({ log }) => {
    const topic = unique("times");
    await log.createTopic(topic, 1);
    const producer = await log.producer();
    const times = [NaN, Infinity, -Infinity, 1e300, 1.75, -1, -1e15, 9e15];
    const appends = times.map((timestamp) =>
      producer.append(topic, 0, [record("x", { timestamp })])
    );
    for (const append of appends.slice(0, 4)) await rejectsWith("INVALID", () => append);
    await Promise.all(appends.slice(4));
    const frames = await readAll(log, topic, 0);
    assert.deepEqual(frames.map(({ timestamp }) => timestamp), [1, 0, 0, 8.64e15]);
    const { earliest, latest } = await log.offsets(topic, 0);
    const found = await Promise.all(
      [-Infinity, -1e300, 0, 1.5, 1e300, Infinity].map((time) => log.offsetForTime(topic, 0, time)),
    );
    assert.deepEqual(found, [earliest, earliest, earliest, frames[3]!.offset, latest, latest]);
  });

  obligation("a record that no reader could read is refused", async ({ log }) => {
    const topic = unique("untyped");
    await log.createTopic(topic, 1);
    const producer = await log.producer();
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ headers: { people: 3 } }, /header people 3: expected text/],
      [{ headers: { seq: null } }, /header seq null: expected text/],
      [{ headers: undefined }, /headers undefined: expected an object/],
      [{ headers: [["seq", "1"]] }, /header 0 \["seq","1"\]: expected text/],
      [{ key: 5 }, /key 5: expected text or null/],
      [{ timestamp: "5" }, /timestamp "5": expected epoch milliseconds/],
      [{ value: "é" }, /value "é": expected an unshared Uint8Array/],
    ];
    for (const [fields, message] of wrong) {
      const error = await rejectsWith(
        "INVALID",
        () => producer.append(topic, 0, [{ ...record("x"), ...fields }]),
      );
      assert.match(error.message, message);
    }
    await producer.append(topic, 0, [record("x", { key: null, headers: Object.create(null) })]);
    assert.equal((await readAll(log, topic, 0)).length, 1);
  });

  obligation("missing topics and partitions are named as such", async ({ log }) => {
    const [missing, topic] = [unique("missing"), unique("one")];
    await log.createTopic(topic, 1);
    assert.match(
      (await rejectsWith("TOPIC_MISSING", () => log.offsets(missing, 0))).message,
      /missing/,
    );
    await rejectsWith("PARTITION_MISSING", () => log.offsets(topic, 1));
    await rejectsWith("PARTITION_MISSING", () => log.offsets(topic, -1));
    await rejectsWith("TOPIC_MISSING", () => log.offsetForTime(missing, 0, 0));
    await rejectsWith("PARTITION_MISSING", () => log.offsetForTime(topic, 1, 0));
    const producer = await log.producer();
    await rejectsWith("TOPIC_MISSING", () => producer.append(missing, 0, records(1)));
    await rejectsWith("PARTITION_MISSING", () => producer.append(topic, 1, records(1)));
    const reader = await log.reader();
    await rejectsWith("TOPIC_MISSING", () => reader.open(missing, 0, 0));
    await rejectsWith("PARTITION_MISSING", () => reader.open(topic, 1, 0));
  });

  obligation("offsets of an empty and of a used partition", async ({ log, reopen }) => {
    const topic = unique("offsets");
    await log.createTopic(topic, 2);
    assert.deepEqual(await log.offsets(topic, 0), { earliest: 0, latest: 0 });
    assert.equal(await append(log, topic, 0, records(3)), 0);
    const second = await append(log, topic, 0, records(2));
    assert.ok(second >= 3);
    const range = await (await reopen()).offsets(topic, 0);
    assert.equal(range.earliest, 0);
    assert.ok(range.latest >= second + 2);
    assert.deepEqual(await log.offsets(topic, 1), { earliest: 0, latest: 0 });
  });

  obligation("offset for a time", async ({ log }) => {
    const topic = unique("time");
    await log.createTopic(topic, 1);
    const base = Date.now() - 60_000;
    const offsets: number[] = [];
    for (const ms of [0, 100, 200]) {
      offsets.push(await append(log, topic, 0, [record("x", { timestamp: base + ms })]));
    }
    assert.equal(await log.offsetForTime(topic, 0, base - 5), offsets[0]);
    assert.equal(await log.offsetForTime(topic, 0, base), offsets[0]);
    assert.equal(await log.offsetForTime(topic, 0, base + 1), offsets[1]);
    assert.equal(await log.offsetForTime(topic, 0, base + 200), offsets[2]);
    const { latest } = await log.offsets(topic, 0);
    assert.equal(await log.offsetForTime(topic, 0, base + 201), latest);
  });

  obligation("key, headers, timestamp and value come back as they were", async ({ log }) => {
    const topic = unique("fields");
    await log.createTopic(topic, 1);
    const noise = new Uint8Array(900_000);
    for (let i = 0; i < noise.length; i += 65_536) {
      crypto.getRandomValues(noise.subarray(i, Math.min(i + 65_536, noise.length)));
    }
    const now = Date.now();
    const batch = [
      record("plain", { timestamp: now, headers: { "content-type": "image/jpeg", seq: "0" } }),
      record("no key", { key: null, timestamp: now + 1 }),
      record("empty key", { key: "", timestamp: now + 2 }),
      record("unicode", {
        key: "камера 📷",
        headers: { label: "dröhnt 🚁", empty: "" },
        timestamp: now + 3,
      }),
      record(new Uint8Array(0), { timestamp: now + 4 }),
      record(noise, { timestamp: now + 5 }),
      record(noise.subarray(7, 1_000), { timestamp: now - 5 }),
    ];
    await append(log, topic, 0, batch);
    const frames = await readAll(log, topic, 0);
    assert.equal(frames.length, batch.length);
    assertGrowing(frames);
    frames.forEach((frame, i) => {
      const { key, headers, timestamp, value } = batch[i]!;
      assert.equal(frame.topic, topic);
      assert.equal(frame.partition, 0);
      assert.equal(frame.key, key);
      assert.deepEqual({ ...frame.headers }, headers);
      assert.equal(frame.timestamp, timestamp);
      assert.equal(frame.value.length, value.length);
      assert.ok(frame.value.every((byte, at) => byte === value[at]), `Value ${i} changed`);
    });
  });

  obligation(
    "a value that is too large is refused and leaves nothing",
    async ({ log }, contract) => {
      const topic = unique("large");
      await log.createTopic(topic, 1);
      const producer = await log.producer();
      const huge = record(new Uint8Array(contract.tooLargeBytes));
      await rejectsWith("TOO_LARGE", () => producer.append(topic, 0, [huge]));
      await producer.append(topic, 0, records(1));
      assert.equal((await readAll(log, topic, 0)).length, 1);
    },
  );

  obligation("appends take effect in call order", async ({ log }) => {
    const topic = unique("order");
    await log.createTopic(topic, 2);
    const producer = await log.producer();
    const calls: Promise<number>[] = [];
    for (let i = 0; i < 60; i++) {
      calls.push(producer.append(topic, i % 2, [record(`${i}a`), record(`${i}b`)]));
    }
    const offsets = await Promise.all(calls);
    for (const partition of [0, 1]) {
      const frames = await readAll(log, topic, partition);
      const wanted = Array.from(
        { length: 30 },
        (_, i) => [`${2 * i + partition}a`, `${2 * i + partition}b`],
      );
      assert.deepEqual(frames.map((f) => text(f.value)), wanted.flat());
      frames.forEach((frame, i) => {
        if (i % 2 === 0) {
          assert.equal(frame.offset, offsets[i + partition], "append returns the first offset");
        }
      });
    }
  });

  obligation("a closed producer has done all that it was given", async ({ log }) => {
    const topic = unique("closing");
    await log.createTopic(topic, 1);
    const producer = await log.producer();
    const kept = producer.append(topic, 0, [record(new Uint8Array(500_000))]);
    const refused = rejectsWith(
      "TOPIC_MISSING",
      () => producer.append(unique("none"), 0, records(1)),
    );
    let offset: number | undefined;
    const known = kept.then((given) => void (offset = given));
    await producer.close();
    assert.equal(offset, 0, "before close is over");
    await known;
    await refused;
  });

  obligation("several producers at once lose nothing", async ({ log, reopen }) => {
    const topic = unique("many");
    await log.createTopic(topic, 1);
    const producers = [
      await log.producer(),
      await log.producer(),
      await (await reopen()).producer(),
    ];
    await Promise.all(producers.map(async (producer, p) => {
      for (let i = 0; i < 40; i++) await producer.append(topic, 0, [record(`${p}:${i}`)]);
    }));
    const values = (await readAll(log, topic, 0)).map((f) => text(f.value));
    assert.equal(values.length, 120);
    producers.forEach((_, p) => {
      assert.deepEqual(
        values.filter((v) => v.startsWith(`${p}:`)),
        Array.from({ length: 40 }, (_, i) => `${p}:${i}`),
      );
    });
  });

  obligation("acks none gives no offset, and the record arrives", async ({ log }) => {
    const topic = unique("acks");
    await log.createTopic(topic, 1);
    const reader = await (await log.reader()).open(topic, 0, 0);
    const producer = await log.producer({ acks: "none" });
    assert.equal(await producer.append(topic, 0, records(1)), -1);
    assert.equal(text((await take(reader, 1))[0]!.value), "v0");
  });

  obligation("records of another process arrive in order", async ({ log }, contract) => {
    const topic = unique("process");
    await log.createTopic(topic, 1);
    const reader = await (await log.reader()).open(topic, 0, 0);
    const child = new LogChild(contract.childFlags(log), ["append", log.url, topic, "0", "50"]);
    try {
      const frames = await take(reader, 50);
      assert.deepEqual(
        frames.map((f) => text(f.value)),
        records(50, "child").map((r) => text(r.value)),
      );
      assert.deepEqual(await child.next(), { appended: 50 });
      assert.equal((await child.ended()).code, 0);
    } finally {
      await child.end();
    }
  });

  obligation("retention removes the oldest and never reuses offsets", async ({ log, expire }) => {
    const topic = unique("retention");
    await log.createTopic(topic, 1);
    await append(log, topic, 0, records(10));
    const before = await log.offsets(topic, 0);
    await expire(topic, 0, 4);
    assert.deepEqual(await log.offsets(topic, 0), { earliest: 4, latest: before.latest });
    assert.deepEqual((await readAll(log, topic, 0)).map((f) => text(f.value)), [
      "v4",
      "v5",
      "v6",
      "v7",
      "v8",
      "v9",
    ]);
    await expire(topic, 0, before.latest);
    assert.deepEqual(await log.offsets(topic, 0), {
      earliest: before.latest,
      latest: before.latest,
    });
    assert.equal(await append(log, topic, 0, records(1, "new")), before.latest);
    assert.deepEqual((await readAll(log, topic, 0)).map((f) => text(f.value)), ["new0"]);
  });

  obligation("a closed log says so and may be closed again", async ({ log, reopen }) => {
    const topic = unique("closed");
    await log.createTopic(topic, 1);
    const other = await reopen();
    const producer = await other.producer();
    const reader = await other.reader();
    const partitionReader = await reader.open(topic, 0, 0);
    const waiting = rejectsWith("CLOSED", () => partitionReader.read(1));
    await other.close();
    await waiting;
    await rejectsWith("CLOSED", () => other.topics());
    await rejectsWith("CLOSED", () => other.createTopic(topic, 1));
    await rejectsWith("CLOSED", () => other.producer());
    await rejectsWith("CLOSED", () => producer.append(topic, 0, records(1)));
    await rejectsWith("CLOSED", () => partitionReader.read(1));
    await rejectsWith("CLOSED", () => reader.open(topic, 0, 0));
    await other.close();
    await producer.close();
    await reader.close();
    assert.equal(await log.partitionCount(topic), 1);
  });
}
