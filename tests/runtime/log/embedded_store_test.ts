import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Frame } from "../../../runtime/definition/frame.ts";
import { decodeRecord, encodeRecord, recordPlaces } from "../../../runtime/log/embedded/record.ts";
import {
  append,
  eventually,
  LogChild,
  readAll,
  record,
  records,
  rejectsWith,
  text,
  within,
} from "../../contracts/log_contract_kit.ts";
import { deleteRecords, inFolder, withLog } from "./embedded_kit.ts";
import { retry } from "../../support/retry.ts";

/** The segment files of a partition, in their order. */
async function segmentsOf(dir: string, partition = "t-0"): Promise<string[]> {
  const folder = join(dir, "segments", partition);
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  return names.toSorted().map((name) => join(folder, name));
}

const faults = (frames: readonly Frame[]) =>
  frames.filter(({ fault }) => fault !== undefined).map(({ offset }) => offset);

Deno.test("record: whatever bit is flipped, it is noticed, and only that record is lost", () => {
  const place = { topic: "t", partition: 0, offset: 7 };
  for (const key of [null, "", "CAMERA-1 📷"]) {
    for (const headers of [{}, { "content-type": "image/jpeg", label: "ü" }]) {
      const given = { key, headers, timestamp: 1_234_567, value: new Uint8Array([1, 2, 3]) };
      const { head, value, size } = encodeRecord(given);
      const one = new Uint8Array([...head, ...value]);
      // Records inside a record's value confuse no reader.
      const inner = encodeRecord({ ...given, value: new Uint8Array([...one, ...one]) });
      const bytes = new Uint8Array([...one, ...inner.head, ...inner.value, ...one]);
      const places = [...recordPlaces(bytes, 3, bytes.length)];
      assert.deepEqual(places.map((found) => found?.at), [0, size, size + inner.size]);
      assert.deepEqual(decodeRecord(bytes, places[0]!, place), { ...place, ...given });
      for (let at = 0; at < size + inner.size; at++) {
        const damaged = bytes.slice();
        damaged[at]! ^= 1 << at % 8;
        const told = [...recordPlaces(damaged, 3, bytes.length)];
        const which = at < size ? 0 : 1;
        const inHead = at - which * size < 28;
        assert.deepEqual(told, places.map((it, i) => inHead && i === which ? undefined : it));
        if (inHead) continue;
        const { fault } = decodeRecord(damaged, told[which]!, place);
        assert.equal(fault?.reason, "corrupt", `bit of byte ${at}`);
        assert.match(fault!.message, /^Cannot read record 7 of t\/0: .* damaged$/);
      }
      for (let cut = 0; cut < size; cut++) {
        const [first] = recordPlaces(bytes.subarray(0, cut), 3, bytes.length);
        const fault = first && decodeRecord(bytes.subarray(0, cut), first, place).fault;
        assert.ok(first === undefined || fault?.reason === "corrupt", `cut at ${cut}`);
      }
    }
  }
});

Deno.test("embedded log: flipped bits and cut files cost their frames, and are reported with them", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(url, async (log) => {
      await log.createTopic("t", 1);
      for (let i = 0; i < 60; i++) await append(log, "t", 0, records(1, `v${i} `));
    });
    const [uncut] = await segmentsOf(dir);
    await withLog(url, (log) => append(log, "t", 0, records(40, "w")));
    const cut = (await segmentsOf(dir)).find((file) => file !== uncut);
    const damage = async (file: string, flips: readonly [string, number][], end?: string) => {
      const bytes = await Deno.readFile(file);
      const content = new TextDecoder("latin1").decode(bytes);
      // Behind its key: the bytes of a checksum may look like a value.
      const at = (value: string) => content.indexOf(`CAMERA-1${value}`) + "CAMERA-1".length;
      for (const [value, before] of flips) bytes[at(value) - before]! ^= 4;
      await Deno.writeFile(file, end === undefined ? bytes : bytes.subarray(0, at(end)));
    };
    // In values, and in the head before one: in a file that is not cut, or nothing behind it is found.
    await damage(uncut!, [["v7 0", 0], ["v30 0", 0], ["v40 0", 30]]);
    await damage(cut!, [["w11", 0]], "w38");
    await withLog(url, async (log) => {
      const frames = await readAll(log, "t", 0);
      assert.deepEqual(
        frames.map(({ offset }) => offset),
        Array.from({ length: 100 }, (_, i) => i),
      );
      assert.deepEqual(faults(frames), [7, 30, 40, 71, 98, 99]);
      assert.equal(text(frames[97]!.value), "w37");
      assert.equal(await append(log, "t", 0, records(1)), 100);
    });
    for (const file of [uncut!, cut!]) await Deno.remove(file);
    await withLog(url, async (log) => {
      const frames = await readAll(log, "t", 0);
      assert.equal(faults(frames).length, 100);
      assert.equal(text(frames[100]!.value), "v0");
    });
  });
});

Deno.test("embedded log: what a killed writer had not committed is cut off, no one continues its segment", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(url, (log) => log.createTopic("t", 1));
    const child = new LogChild([`--allow-read=${dir}`, `--allow-write=${dir}`], [
      "stream",
      url,
      "t",
      "0",
    ]);
    try {
      for (let i = 0; i < 5; i++) await child.next();
      child.kill("SIGKILL");
    } finally {
      await child.end();
    }
    const [file] = await segmentsOf(dir);
    await Deno.writeFile(file!, new Uint8Array(1_234), { append: true });
    await Deno.writeTextFile(
      join(dir, "segments", "t-0", "0unknown.seg"),
      "from before a first commit",
    );
    await withLog(url, async (log) => {
      const frames = await readAll(log, "t", 0);
      assert.deepEqual(faults(frames), []);
      const { size } = await Deno.stat(file!);
      const bytes = frames.reduce((sum, { value }) => sum + value.length, 0);
      assert.ok(size - bytes < 100 * frames.length && size >= bytes, `${size} for ${bytes}`);
      assert.deepEqual(await segmentsOf(dir), [file]);
    });
  });
});

Deno.test("embedded log: a writer that is stopped in the middle of a write harms nothing when it continues", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(url, async (log) => {
      await log.createTopic("t", 1);
      const child = new LogChild([`--allow-read=${dir}`, `--allow-write=${dir}`], [
        "stream",
        url,
        "t",
        "0",
      ]);
      const acknowledged: number[] = [];
      const listen = async (count: number) => {
        for (let i = 0; i < count; i++) acknowledged.push(Number((await child.next()).offset));
      };
      try {
        await listen(3);
        for (let i = 0; i < 20; i++) {
          child.kill("SIGSTOP");
          // Stopped inside of a transaction, it keeps the others out: that is reported, and ends with it.
          await append(log, "t", 0, [record(`own ${i}`)]).catch(async (error) => {
            assert.equal(error.code, "UNREACHABLE");
            child.kill("SIGCONT");
            await retry(() => append(log, "t", 0, [record(`own ${i}`)]));
          });
          child.kill("SIGCONT");
          await listen(2);
        }
        child.kill("SIGKILL");
      } finally {
        await child.end();
      }
      const frames = await readAll(log, "t", 0);
      assert.deepEqual(faults(frames), []);
      assert.deepEqual(frames.map(({ offset }) => offset), frames.map((_, i) => i));
      const own = frames.filter(({ headers }) => headers.seq === undefined);
      assert.deepEqual(own.map((f) => text(f.value)), own.map((_, i) => `own ${i}`));
      const theirs = frames.filter(({ headers }) => headers.seq !== undefined);
      assert.deepEqual(theirs.map(({ headers }) => headers.seq), theirs.map((_, i) => `${i}`));
      assert.equal(own.length, 20);
      assert.deepEqual(
        acknowledged,
        theirs.slice(0, acknowledged.length).map(({ offset }) => offset),
      );
    }, { timeoutMs: 500 });
  });
});

Deno.test("embedded log: deleted under a running process, it stops by name, readers too", async () => {
  await inFolder(async (dir) => {
    await withLog(`embedded:${dir}/log`, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(1));
      const reader = await (await log.reader()).open("t", 0, 1);
      const waiting = rejectsWith("DELETED", () => reader.read(1));
      await Deno.remove(`${dir}/log`, { recursive: true });
      await within("the waiting reader", () => waiting);
      const write = () => append(log, "t", 0, records(1));
      const { message, retryable } = await rejectsWith("DELETED", write);
      assert.match(message, /log\.db: it was deleted or replaced while it was in use/);
      assert.equal(retryable, false);
      // Those who only look see what is there now, perhaps another log.
      assert.deepEqual(await log.topics(), []);
      await withLog(`embedded:${dir}/log`, (next) => next.createTopic("next", 1));
      assert.deepEqual(await log.topics(), ["next"]);
      await rejectsWith("DELETED", () => reader.read(1));
    }, { onWarning: () => {} });
    // An append in the moment before that is noticed says nothing else, and makes no folder for a new segment.
    await withLog(`embedded:${dir}/log`, async (log) => {
      for (const topic of ["t", "u"]) await log.createTopic(topic, 1);
      await append(log, "t", 0, records(1));
      await Deno.remove(`${dir}/log`, { recursive: true });
      const producer = await log.producer();
      const [value] = records(1);
      await Promise.all([
        rejectsWith("DELETED", async () => {
          for (;;) await producer.append("t", 0, [value!]);
        }),
        rejectsWith("DELETED", () => producer.append("u", 0, [value!])),
      ]);
      await assert.rejects(Deno.stat(`${dir}/log`), Deno.errors.NotFound);
    }, { onWarning: () => {} });
    // Only the database: the frames beside it are not taken for nothing.
    await withLog(`embedded:${dir}/other`, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(1));
    });
    await Deno.remove(`${dir}/other/log.db`);
    const { message } = await rejectsWith(
      "INVALID",
      () => withLog(`embedded:${dir}/other`, (log) => log.topics()),
    );
    assert.match(message, /the frames' segments still exist.*; restore a backup/);
    assert.equal((await segmentsOf(`${dir}/other`)).length, 1);
  });
});

Deno.test("embedded log: its files are its owner's alone, also in a folder that was there", async () => {
  await inFolder(async (dir) => {
    const log = join(dir, "log");
    await Deno.mkdir(log, { mode: 0o755 });
    await Deno.chmod(log, 0o755);
    await withLog(`embedded:${log}`, async (open) => {
      await open.createTopic("t", 1);
      await append(open, "t", 0, records(1));
      const modes = new Map<string, number>();
      const walk = async (path: string) => {
        const { mode, isDirectory } = await Deno.stat(path);
        modes.set(path, mode! & 0o777);
        if (!isDirectory) return;
        for await (const { name } of Deno.readDir(path)) await walk(join(path, name));
      };
      await walk(log);
      for (const [path, mode] of modes) {
        const { isDirectory } = await Deno.stat(path);
        assert.equal(mode.toString(8), isDirectory ? "700" : "600", path);
      }
      assert.ok(modes.size >= 8, [...modes.keys()].join(" "));
    });
    // A folder with other things in it stays as it is.
    await Deno.writeTextFile(join(dir, "notes.txt"), "somebody's");
    await Deno.chmod(dir, 0o755);
    await withLog(`embedded:${dir}`, (open) => open.topics());
    assert.equal((await Deno.stat(dir)).mode! & 0o777, 0o755);
  });
});

Deno.test("embedded log: the offset for a time is found as by looking at every record", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}?retention-bytes=4000000`, async (log) => {
      await log.createTopic("t", 1);
      const times: number[] = [];
      // Not in order, alone and many at once, in several segments.
      for (let i = 0; i < 300; i++) {
        const batch = Array.from({ length: 1 + i % 7 }, (_, k) => i * 100 + k * 30 - i % 3 * 500);
        times.push(...batch);
        const value = new Uint8Array(2_000);
        await append(log, "t", 0, batch.map((timestamp) => record(value, { timestamp })));
      }
      await deleteRecords(log, "t", 0, 33);
      const { earliest, latest } = await log.offsets("t", 0);
      assert.equal(latest, times.length);
      for (let time = -1_500; time < 31_500; time += 37) {
        const found = times.findIndex((at, offset) => offset >= earliest && at >= time);
        assert.equal(
          await log.offsetForTime("t", 0, time),
          found === -1 ? latest : found,
          `${time}`,
        );
      }
      await eventually("several segments", async () => (await segmentsOf(dir)).length > 3);
    })
  );
});

Deno.test("embedded log: a log of version 2 is brought up to date when it is opened", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(url, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(5));
    });
    const db = new DatabaseSync(join(dir, "log.db"));
    for (const name of ["segment", "first", "position", "total", "arrived", "time"]) {
      db.exec(`ALTER TABLE partitions DROP COLUMN open_${name}`);
    }
    db.exec("INSERT INTO partitions VALUES (0, 0, 0, 0, 0, 0, 0, 9); PRAGMA user_version = 2");
    db.close();
    await withLog(url, async (log) => {
      assert.equal(await append(log, "t", 0, records(1, "w")), 5);
      const frames = await readAll(log, "t", 0);
      assert.deepEqual(frames.map((f) => text(f.value)), ["v0", "v1", "v2", "v3", "v4", "w0"]);
      assert.deepEqual(await log.topics(), ["t"]);
    });
  });
});

Deno.test("embedded log: segments that would have the same number are told apart", async () => {
  const [now, random] = [Date.now, Math.random];
  await inFolder((dir) =>
    withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 2);
      let calls = 0;
      Date.now = () => 1_800_000_000_000;
      Math.random = () => calls++ < 2 ? 0.5 : random();
      try {
        await Promise.all(
          [0, 1].map((partition) => append(log, "t", partition, records(1, `${partition}`))),
        );
      } finally {
        [Date.now, Math.random] = [now, random];
      }
      assert.ok(calls > 2);
      for (const partition of [0, 1]) {
        const frames = await readAll(log, "t", partition);
        assert.deepEqual(frames.map((f) => text(f.value)), [`${partition}0`]);
      }
    }, { onWarning: () => {} })
  );
});

Deno.test("embedded log: sync=always appends, and what was appended is there", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}?sync=always`, async (log) => {
      await log.createTopic("t", 2);
      const appends = [0, 1, 0, 1].map((partition, i) =>
        append(log, "t", partition, records(1, `${i}`))
      );
      assert.deepEqual(await Promise.all(appends), [0, 0, 1, 1]);
      const frames = [...await readAll(log, "t", 0), ...await readAll(log, "t", 1)];
      assert.deepEqual(frames.map((f) => text(f.value)), ["00", "20", "10", "30"]);
    })
  );
});
