import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../../runtime/base/clock.ts";
import { ArrivalClock } from "../../../runtime/log/embedded/arrivals.ts";
import type { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import {
  append,
  eventually,
  readAll,
  record,
  records,
  rejectsWith,
  text,
} from "../../contracts/log_contract_kit.ts";
import { deleteRecords, inFolder, withLog } from "./embedded_kit.ts";

/** Names and sizes of all segment files. */
async function segments(dir: string): Promise<{ file: string; size: number }[]> {
  const found: { file: string; size: number }[] = [];
  for await (const folder of Deno.readDir(join(dir, "segments"))) {
    for await (const { name } of Deno.readDir(join(dir, "segments", folder.name))) {
      const file = join(dir, "segments", folder.name, name);
      const { size } = await Deno.stat(file).catch(() => ({ size: 0 }));
      found.push({ file, size });
    }
  }
  return found;
}

const left = async (log: EmbeddedLog, topic = "t", partition = 0) => {
  const { earliest, latest } = await log.offsets(topic, partition);
  return latest - earliest;
};

Deno.test("embedded log: retention by bytes holds at every append, and gives room back", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}?retention-bytes=1000000`, async (log) => {
      await log.createTopic("t", 2);
      const producer = await log.producer();
      for (let i = 0; i < 400; i++) {
        await producer.append("t", i % 2, [
          record(new Uint8Array(50_000), { headers: { i: `${i}` } }),
        ]);
      }
      for (const partition of [0, 1]) {
        assert.equal(await left(log, "t", partition), 19);
        const frames = await readAll(log, "t", partition);
        assert.equal(frames[0]!.offset, 181);
        assert.equal(frames.at(-1)!.headers.i, `${398 + partition}`);
      }
      const bytes = async () => (await segments(dir)).reduce((sum, { size }) => sum + size, 0);
      // Two partitions, each with a segment that is partly expired and one that is not full.
      await eventually("room", async () => await bytes() < 2 * (1_000_000 + 2 * 320_000));
    });
  });
});

Deno.test("embedded log: a record larger than retention is kept until the next one", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}?retention-bytes=1000`, async (log) => {
      await log.createTopic("t", 1);
      for (const name of ["a", "b"]) {
        await append(log, "t", 0, [record(name.repeat(5_000))]);
        assert.deepEqual((await readAll(log, "t", 0)).map((f) => text(f.value)[0]), [name]);
      }
    })
  );
});

Deno.test("embedded log: retention by time follows the append, and needs none to hold", async () => {
  await inFolder(async (dir) => {
    let now = 1_000_000;
    const clock = { ...systemClock, now: () => now, monotonic: () => now };
    await withLog(`embedded:${dir}?retention-ms=1000`, async (log) => {
      await log.createTopic("t", 2);
      await append(log, "t", 0, Array.from({ length: 60 }, () => record("old", { timestamp: 5 })));
      await append(log, "t", 1, records(3));
      now += 999;
      await append(log, "t", 0, [record("young", { timestamp: 1 })]);
      assert.equal(await left(log), 61);
      now += 1;
      assert.deepEqual((await readAll(log, "t", 0)).map((f) => text(f.value)), ["young"]);
      assert.deepEqual(await log.offsets("t", 1), { earliest: 3, latest: 3 });
      const reader = await (await log.reader()).open("t", 0, 10);
      await rejectsWith("OFFSET_OUT_OF_RANGE", () => reader.read(1));
      now += 5_000;
      assert.deepEqual(await log.offsets("t", 0), { earliest: 61, latest: 61 });
    }, { clock });
    // The bytes go too, once the segment was sealed.
    await withLog(`embedded:${dir}`, (log) => log.topics(), { clock });
    assert.deepEqual(await segments(dir), []);
  });
});

Deno.test("embedded log: retention belongs to the topic, not to who has the log open", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}?retention-bytes=1000000000`, async (log) => {
      await log.createTopic("archive", 1);
      for (let i = 0; i < 100; i++) await append(log, "archive", 0, [record("x".repeat(9_000))]);
      await withLog(`embedded:${dir}?retention-bytes=100000&retention-ms=1000`, async (other) => {
        await other.createTopic("live", 1);
        await append(other, "live", 0, records(1));
        await deleteRecords(other, "live", 0, 0);
      });
      assert.equal(await left(log, "archive"), 100);
      assert.deepEqual(await log.retention("live"), { bytes: 100_000, ms: 1_000 });
      assert.deepEqual(await log.retention("archive"), { bytes: 1e9, ms: 86_400_000 });
      await log.retention("archive", { bytes: 100_000 });
      // What lies together goes together: at most 256 KiB more than is to be kept.
      const more = Math.floor((256 << 10) / 9_000);
      assert.ok(await left(log, "archive") <= 11 + more);
      for (let i = 0; i < more; i++) await append(log, "archive", 0, [record("x".repeat(9_000))]);
      // One less where a segment was padded meanwhile.
      const few = await left(log, "archive");
      assert.ok(few === 11 || few === 10, `${few}`);
      await rejectsWith("TOPIC_MISSING", () => log.retention("none", { bytes: 5 }));
    })
  );
});

Deno.test("embedded log: what the URL says of retention holds for the outputs of queries too", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}?retention-bytes=100000`, async (log) => {
      await log.createTopic("t", 1);
      const options = { group: "g", query: "q", topic: "t", partition: 0, outputTopics: ["out"] };
      const committer = await log.committer(options);
      const batch = { batchId: 0, start: 0, end: 0 };
      await committer.plan(batch);
      await committer.commit(batch, { end: 0, restart: 0 }, [
        { topic: "out", partition: 0, ...record("output") },
      ]);
      assert.equal((await log.retention("out")).bytes, 100_000);
    });
  });
});

Deno.test("embedded log: a topic that is made with a limit keeps it; the URL's own may be smaller", async () => {
  const limit = { retentionBytes: 500_000 };
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}?retention-bytes=1000000&retention-ms=5000`, async (log) => {
      await log.createTopic("t", 1);
      for (const topic of ["t", "found"]) await log.createTopic(topic, 1, limit);
      await log.createTopic("found", 2, { retentionBytes: 7 });
      const producer = await log.producer();
      for (const topic of ["t", "found"]) await producer.append(topic, 0, [record("a")]);
      await producer.close();
      assert.equal((await log.retention("t")).bytes, 1_000_000);
      assert.deepEqual(await log.retention("found"), { bytes: 500_000, ms: 5_000 });
    });
    await withLog(`embedded:${dir}?retention-bytes=1000`, async (log) => {
      await log.createTopic("small", 1, limit);
      assert.equal((await log.retention("small")).bytes, 1_000);
    });
  });
});

Deno.test("embedded log: a clock that jumps deletes nothing and dates nothing from the future", async () => {
  await inFolder(async (dir) => {
    let [jump, monotonic] = [0, 0];
    const start = Date.now();
    const now = () => start + monotonic + jump;
    const clock = { ...systemClock, now, monotonic: () => monotonic };
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    const url = `embedded:${dir}?retention-ms=60000`;
    await withLog(url, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(100));
      for (const hours of [24, -24, 1]) {
        jump = hours * 3_600_000;
        for (let i = 0; i < 10; i++) await append(log, "t", 0, records(1));
      }
      assert.equal(await left(log), 130);
      assert.equal(warnings.length, 3, warnings.join("\n"));
      assert.match(warnings[0]!, /The clock is 86400 s off/);
      jump = 0;
      monotonic += 59_000;
      assert.equal(await left(log), 130);
      monotonic += 2_000;
      assert.equal(await left(log), 0, "Nothing from the future keeps others");
    }, { clock, onWarning });
    // Another process, whose clock is a day ahead.
    await withLog(url, (log) => append(log, "t", 0, records(5)), { clock, onWarning });
    jump = 86_400_000;
    await withLog(url, async (log) => {
      await append(log, "t", 0, records(5));
      assert.equal(await left(log), 10);
    }, { clock, onWarning });
  });
});

Deno.test("embedded log: of several instances in a process, one warns of the clock", async () => {
  await inFolder(async (dir) => {
    let jump = 0;
    const clock = { ...systemClock, now: () => Date.now() + jump };
    const warned = { main: 0, secondary: 0 };
    const url = `embedded:${dir}`;
    const second = { clock, secondary: true, onWarning: () => void warned.secondary++ };
    await withLog(url, async (log) => {
      await log.createTopic("t", 1);
      await withLog(url, async (other) => {
        await append(other, "t", 0, records(1));
        jump = 86_400_000;
        for (const each of [log, other]) await append(each, "t", 0, records(1));
      }, second);
    }, { clock, onWarning: () => void warned.main++ });
    assert.deepEqual(warned, { main: 1, secondary: 0 });
  });
});

Deno.test("embedded log: every instance says that its database was removed", async () => {
  for (const secondary of [false, true]) {
    await inFolder(async (dir) => {
      const told: string[] = [];
      await withLog(`embedded:${dir}`, async (log) => {
        await log.createTopic("t", 1);
        await Deno.remove(join(dir, "log.db"));
        await eventually("a warning", () => told.length > 0);
        assert.match(told[0]!, /log\.db: it was deleted/);
      }, { onWarning: (message) => void told.push(message), secondary });
    });
  }
});

Deno.test("arrivals: a step is believed once it has held, a larger one later", async () => {
  let [wall, monotonic] = [1_000_000, 0];
  const told: string[] = [];
  const clock = { ...systemClock, now: () => wall, monotonic: () => monotonic };
  const arrivals = new ArrivalClock(clock, 0, (message) => told.push(message));
  const pass = (ms: number) => [wall, monotonic] = [wall + ms, monotonic + ms];
  pass(1_000);
  assert.equal(arrivals.now(), 1_001_000);
  wall += 3_600_000;
  assert.equal(arrivals.now(), 1_001_000);
  pass(29_000);
  assert.equal(arrivals.now(), 1_030_000);
  pass(1_000);
  assert.equal(arrivals.now(), wall);
  wall += 1_500;
  assert.equal(arrivals.now(), wall, "A small adjustment is followed");
  const redated: number[][] = [];
  let newest = 0;
  const log = {
    newest: () => Promise.resolve(newest),
    redate: (...step: number[]) => Promise.resolve(void redated.push(step)),
  };
  wall += 90_000_000;
  const before = arrivals.now();
  pass(599_000);
  await arrivals.follow(log);
  assert.equal(arrivals.now(), wall - 90_000_000);
  pass(1_000);
  await arrivals.follow(log);
  assert.equal(arrivals.now(), wall);
  assert.deepEqual(redated, [[before, before + 602_000, 90_000_000]]);
  // Another process has believed it.
  wall += 90_000_000;
  newest = wall;
  await arrivals.follow(log);
  assert.equal(arrivals.now(), wall);
  assert.deepEqual([told.length, redated.length], [3, 1]);
});

Deno.test("embedded log: what arrives after a pause of a day is not taken for a day old", async () => {
  await inFolder(async (dir) => {
    let passed = 0;
    const start = Date.now();
    const clock = {
      now: () => start + passed,
      monotonic: () => passed,
      sleep: (_ms: number, signal?: AbortSignal) => systemClock.sleep(2, signal),
    };
    const onWarning = () => {};
    const url = `embedded:${dir}?retention-ms=86400000`;
    await withLog(url, async (log) => {
      await log.createTopic("t", 2);
      await append(log, "t", 0, records(3));
    }, { clock, onWarning });
    passed += 90_000_000;
    // A process that ends before it believes the clock.
    await withLog(url, (log) => append(log, "t", 0, records(1)), { clock, onWarning });
    passed += 60_000;
    await withLog(url, (log) =>
      withLog(url, async (other) => {
        await append(log, "t", 0, records(1));
        for (let minutes = 0; minutes < 11; minutes++) {
          passed += 60_000;
          await append(log, "t", 0, records(1));
          await append(other, "t", 0, records(1));
        }
        // Whichever of the two has believed the clock.
        for (const each of [log, other]) {
          const gone = async () => (await each.offsets("t", 0)).earliest >= 3;
          await eventually("the frames of the day before are gone", gone);
          await append(each, "t", 1, records(1));
          assert.deepEqual(await each.offsets("t", 0), { earliest: 3, latest: 27 });
          assert.equal((await each.offsets("t", 1)).earliest, 0);
        }
        passed += 86_400_000 - 700_000;
        assert.deepEqual(await other.offsets("t", 0), { earliest: 3, latest: 27 });
        passed += 800_000;
        await eventually("all are gone", async () => (await other.offsets("t", 0)).earliest === 27);
      }, { clock, onWarning }), { clock, onWarning });
  });
});

Deno.test("embedded log: records that were deleted are gone, their offsets are not used again", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(1_000));
      await deleteRecords(log, "t", 0, 700);
      assert.deepEqual(await log.offsets("t", 0), { earliest: 700, latest: 1_000 });
      assert.equal((await readAll(log, "t", 0))[0]!.offset, 700);
      await deleteRecords(log, "t", 0, 1_000);
      assert.deepEqual(await log.offsets("t", 0), { earliest: 1_000, latest: 1_000 });
      assert.equal(await append(log, "t", 0, records(1)), 1_000);
    });
  });
});
