/** The embedded log's folder, its files and its arguments as no one intends them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { checkPartitions } from "../../../runtime/log/embedded/check.ts";
import { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import { maxRecordBytes } from "../../../runtime/log/embedded/record.ts";
import {
  append,
  eventually,
  readAll,
  record,
  records,
  rejectsWith,
  text,
} from "../../contracts/log_contract_kit.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

/** All segment files. */
async function segmentsOf(dir: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name } of Deno.readDir(join(dir, "segments"))) {
    for await (const file of Deno.readDir(join(dir, "segments", name))) {
      files.push(join(dir, "segments", name, file.name));
    }
  }
  return files.toSorted();
}

const values = async (log: EmbeddedLog, topic = "t", partition = 0) =>
  (await readAll(log, topic, partition)).map((f) => f.fault === undefined ? text(f.value) : "bad");

Deno.test("embedded log: a segment that is cut at any byte of its tail costs what was cut", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(url, async (log) => {
      await log.createTopic("t", 1);
      for (const value of ["a", "b", "c"]) await append(log, "t", 0, [record(value)]);
    });
    const [file] = await segmentsOf(dir);
    const whole = await Deno.readFile(file!);
    const size = whole.length / 3;
    let latest = 3;
    for (let cut = whole.length - 1; cut >= 0; cut -= latest % 5 + 1) {
      await Deno.writeFile(file!, whole.subarray(0, cut));
      await withLog(url, async (log) => {
        const left = Math.floor(cut / size);
        const first = ["a", "b", "c"].map((value, i) => i < left ? value : "bad");
        assert.deepEqual((await values(log)).slice(0, 3), first, `${cut} bytes`);
        assert.equal(await append(log, "t", 0, [record("more")]), latest++);
      });
    }
  });
});

Deno.test("embedded log: a segment that is missing in the middle costs its frames", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    for (const value of ["a", "b", "c"]) {
      await withLog(url, async (log) => {
        await log.createTopic("t", 1);
        await append(log, "t", 0, records(2, value));
      });
    }
    await Deno.remove((await segmentsOf(dir))[1]!);
    await withLog(url, async (log) => {
      assert.deepEqual(await values(log), ["a0", "a1", "bad", "bad", "c0", "c1"]);
      assert.equal(await log.offsetForTime("t", 0, Infinity), 6);
      assert.equal(await log.offsetForTime("t", 0, -Infinity), 0);
    });
  });
});

Deno.test("embedded log: topics that differ in case, in one folder where case does not count", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(url, async (log) => {
      for (const topic of ["Yard", "yard"]) await log.createTopic(topic, 1);
      await append(log, "yard", 0, records(1, "small"));
    });
    // What such a file system shows: the folder by another name.
    await Deno.rename(join(dir, "segments", "yard-0"), join(dir, "segments", "other"));
    for (const name of ["Yard-0", "yard-0"]) {
      await Deno.symlink(join(dir, "segments", "other"), join(dir, "segments", name));
    }
    for (let i = 0; i < 2; i++) {
      await withLog(url, async (log) => {
        await append(log, "Yard", 0, records(1, `large${i}`));
        assert.deepEqual(await values(log, "yard"), ["small0"]);
        assert.equal((await values(log, "Yard")).at(-1), `large${i}0`);
      });
    }
  });
});

Deno.test("embedded log: names with odd characters", async () => {
  await inFolder(async (dir) => {
    for (const name of ["a b", "ü#%20", "x'y\"z", "-dash", "file:x", "line\nbreak", "😀"]) {
      await withLog(`embedded:${join(dir, name)}`, async (log) => {
        await log.createTopic("t", 1);
        const odd = record("v", {
          key: "k\0'😀",
          headers: { "": "", __proto__x: "\u2028", "ü": "é" },
        });
        await append(log, "t", 0, [odd]);
        const [frame] = await readAll(log, "t", 0);
        assert.deepEqual([frame!.key, frame!.headers], [odd.key, odd.headers]);
        const committer = await log.committer({
          group: "g'); DROP TABLE topics; --",
          query: "q\n😀",
          topic: "t",
          partition: 0,
        });
        await committer.close();
        const [info] = await log.checkpoints();
        assert.deepEqual([info!.group, info!.query], ["g'); DROP TABLE topics; --", "q\n😀"]);
      });
      assert.ok((await Deno.stat(join(dir, name, "log.db"))).isFile, name);
    }
    await withLog(`embedded:${dir}/names`, async (log) => {
      for (const topic of ["", "a/b", "..", "a\0", "ü", "x".repeat(250)]) {
        await rejectsWith("INVALID", () => log.createTopic(topic, 1));
      }
      const longest = "x".repeat(249);
      await log.createTopic(longest, 1);
      await append(log, longest, 0, records(1));
    });
  });
});

Deno.test("embedded log: a folder that is a link, one that leads nowhere, a file", async () => {
  await inFolder(async (dir) => {
    await Deno.mkdir(join(dir, "real"));
    await Deno.symlink(join(dir, "real"), join(dir, "link"));
    for (const name of ["link", "real"]) {
      await withLog(`embedded:${join(dir, name)}`, async (log) => {
        await log.createTopic("t", 1);
        await append(log, "t", 0, records(1, name));
      }, { onWarning: (message) => assert.fail(message) });
    }
    await withLog(
      `embedded:${dir}/link`,
      async (log) => assert.deepEqual(await values(log), ["link0", "real0"]),
    );
    await Deno.symlink(join(dir, "nowhere"), join(dir, "dangling"));
    await Deno.writeTextFile(join(dir, "file"), "x");
    for (const name of ["dangling", "file", "file/below"]) {
      const { message } = await rejectsWith(
        "INVALID",
        () => withLog(`embedded:${join(dir, name)}`, (log) => log.topics()),
      );
      assert.match(message, /it is not a folder; name another one$/);
    }
  });
});

Deno.test("embedded log: leases with garbage in them keep no partition", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(url, async (log) => {
      await log.createTopic("t", 2);
      await (await log.joinGroup({ group: "g", topic: "t", onAssignment: async () => {} })).leave();
    });
    const db = new DatabaseSync(join(dir, "log.db"));
    db.exec(`
      UPDATE claims SET holder = 'ghost', target = 'ghost', generation = 99 WHERE partition = 0;
      INSERT INTO claims SELECT id, 999, 'ghost', 'ghost', -5 FROM groups;
      INSERT INTO claims SELECT id, -1, NULL, 'ghost', 0 FROM groups;
      INSERT INTO members SELECT id, 'dead', -7, 9007199254740991, -1 FROM groups;
      INSERT INTO members SELECT 4711, 'of no group', 0, 0, 0;
    `);
    db.close();
    await withLog(url, async (log) => {
      let owned: readonly number[] = [];
      const member = await log.joinGroup({
        group: "g",
        topic: "t",
        sessionTimeoutMs: 300,
        onAssignment: ({ partitions }) => Promise.resolve(void (owned = partitions)),
      });
      await eventually("both partitions", () => Promise.resolve(`${owned}` === "0,1"));
      await member.leave();
    });
  });
});

Deno.test("embedded log: a log is checked while it is written and expires", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}?retention-bytes=300000`, async (log) => {
      await log.createTopic("t", 1);
      let done = false;
      const writing = (async () => {
        for (let i = 0; !done; i++) await append(log, "t", 0, [record(new Uint8Array(20_000))]);
      })();
      try {
        for (let i = 0; i < 5; i++) {
          for await (const found of checkPartitions(log)) assert.deepEqual(found.offsets, []);
        }
      } finally {
        done = true;
        await writing;
      }
    })
  );
});

Deno.test("embedded log: retention that is no number of anything is refused", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      for (const wrong of [0, -1, NaN, Infinity, 1.5, 2 ** 60]) {
        for (const change of [{ bytes: wrong }, { ms: wrong }]) {
          const { message } = await rejectsWith("INVALID", () => log.retention("t", change));
          assert.match(message, /^Cannot keep .* of t: expected a whole number from 1 up$/);
        }
        const url = `embedded:${dir}?retention-bytes=${wrong}`;
        assert.throws(() => new EmbeddedLog(url), /expected a whole number from 1/);
      }
      await append(log, "t", 0, records(1));
      await log.retention("t", { bytes: 1, ms: Number.MAX_SAFE_INTEGER });
      assert.deepEqual(await values(log), ["v0"]);
    })
  );
});

Deno.test("embedded log: a hundred topics at once, records of nothing and of the most", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}`, async (log) => {
      await Promise.all(Array.from({ length: 100 }, (_, i) => log.createTopic(`t${i}`, 3)));
      const producer = await log.producer();
      for (let round = 0; round < 2; round++) {
        const appends = Array.from(
          { length: 300 },
          (_, i) => producer.append(`t${i % 100}`, i % 3, [record(new Uint8Array(0))]),
        );
        assert.deepEqual(new Set(await Promise.all(appends)), new Set([round]));
      }
      assert.deepEqual(await values(log, "t7", 1), ["", ""]);
      const most = maxRecordBytes - 28 - "CAMERA-1".length;
      await rejectsWith(
        "TOO_LARGE",
        () => append(log, "t0", 0, [record(new Uint8Array(most + 1))]),
      );
      await append(log, "t0", 0, [record(new Uint8Array(most).fill(7))]);
      const [, , large] = await readAll(log, "t0", 0);
      assert.deepEqual([large!.value.length, large!.value.at(-1)], [most, 7]);
    })
  );
});

Deno.test("embedded log: six make the same log and topic at once", async () => {
  await inFolder(async (dir) => {
    const logs = Array.from({ length: 6 }, () => new EmbeddedLog(`embedded:${dir}/new`));
    try {
      await Promise.all(logs.map((log, i) => log.createTopic("t", 1 + i % 3)));
      assert.equal(await logs[0]!.partitionCount("t"), 3);
      const offsets = await Promise.all(
        logs.map((log, i) => append(log, "t", 0, records(1, `${i}`))),
      );
      assert.deepEqual(offsets.toSorted(), [0, 1, 2, 3, 4, 5]);
      const all = await values(logs[5]!);
      assert.deepEqual(all.toSorted(), ["00", "10", "20", "30", "40", "50"], `${offsets}: ${all}`);
    } finally {
      for (const log of logs) await log.close();
    }
  });
});

Deno.test("embedded log: two that begin segments of the same id keep both records", async () => {
  const { random } = Math, { now } = Date;
  await inFolder(async (dir) => {
    const logs = [0, 1].map(() => new EmbeddedLog(`embedded:${dir}`));
    await logs[0]!.createTopic("t", 1);
    [Math.random, Date.now] = [() => 0.5, () => Date.UTC(2026, 5)];
    for (const log of logs) await append(log, "t", 0, records(1, `${logs.indexOf(log)}`));
    assert.deepEqual(await values(logs[0]!), ["00", "10"]);
    for (const log of logs) await log.close();
  }).finally(() => [Math.random, Date.now] = [random, now]);
});

Deno.test("embedded log: whatever year it is", async () => {
  const now = Date.now;
  try {
    for (const year of [1970, 2023, 2031, 2200]) {
      await inFolder(async (dir) => {
        Date.now = () => Date.UTC(year, 5);
        for (let i = 0; i < 2; i++) {
          await withLog(`embedded:${dir}`, async (log) => {
            await log.createTopic("t", 1);
            await append(log, "t", 0, records(1, `${i}`));
          }, { onWarning: () => {} });
        }
        await withLog(`embedded:${dir}`, async (log) => {
          assert.deepEqual(await values(log), ["00", "10"], `${year}`);
        }, { onWarning: () => {} });
      });
    }
  } finally {
    Date.now = now;
  }
});

Deno.test("embedded log: segments that are removed under a log lose what was in them, and nothing after", async () => {
  for (const secondary of [false, true]) {
    await inFolder(async (dir) => {
      const told: string[] = [];
      await withLog(`embedded:${dir}`, async (log) => {
        await log.createTopic("t", 1);
        await append(log, "t", 0, [record("lost")]);
        await Deno.remove(join(dir, "segments"), { recursive: true });
        await eventually("a warning", () => told.length > 0);
        assert.match(told[0]!, /\.seg was removed while in use: the frames in it are lost$/);
        await append(log, "t", 0, [record("kept")]);
        const [lost, kept] = await readAll(log, "t", 0);
        assert.match(lost!.fault!.message, /its segment file is gone/);
        assert.equal(text(kept!.value), "kept");
      }, { onWarning: (message) => void told.push(message), secondary });
    });
  }
});
