import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { systemClock } from "../../../runtime/base/clock.ts";
import {
  decodeRecord,
  encodePadding,
  encodeRecord,
  padMark,
  recordPlaces,
} from "../../../runtime/log/embedded/record.ts";
import { type Slot, TailFile } from "../../../runtime/log/embedded/tail_file.ts";
import { Tails } from "../../../runtime/log/embedded/tails.ts";
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

const start = Date.now();
/** Looks after the log all the time, not once a second. Its time stands still: no chunk ends by its age. */
const clock = {
  now: () => start,
  monotonic: () => 0,
  sleep: (_ms: number, signal?: AbortSignal) => systemClock.sleep(2, signal),
};

/** Appends until an append needs no row any more, nor those that follow, which a chunk of 64 has room for. */
async function untilInPlace(log: Parameters<typeof append>[0], dir: string): Promise<number> {
  const slot = async () => (await Deno.readFile(join(dir, "tails"))).slice(128);
  let count = 0;
  await eventually("an append in place", async () => {
    const before = await slot();
    await append(log, "t", 0, records(1, `${count++} `));
    const after = await slot();
    const inPlace = after.some((byte) => byte !== 0) && `${before}` !== `${after}`;
    return inPlace && count % 64 > 0 && count % 64 < 40;
  });
  return count;
}

Deno.test("embedded log: an append that only lets a chunk grow writes no row, and others see it", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      const begun = await untilInPlace(log, dir);
      await withLog(`embedded:${dir}`, async (other) => {
        const reader = await (await other.reader()).open("t", 0, begun);
        const wal = async () => (await Deno.stat(join(dir, "log.db-wal"))).size;
        const before = await wal();
        for (let i = 0; i < 20; i++) {
          await append(log, "t", 0, [record(`in place ${i}`, { timestamp: 2e12 + i })]);
          assert.equal(text((await reader.read(1))[0]!.value), `in place ${i}`);
        }
        assert.equal(await wal(), before);
        assert.deepEqual(await other.offsets("t", 0), { earliest: 0, latest: begun + 20 });
        assert.equal(await other.offsetForTime("t", 0, 2e12 + 7), begun + 7);
        // Each takes over from the other, in the middle of a chunk.
        for (let i = 0; i < 6; i++) {
          const offset = begun + 20 + i;
          assert.equal(await append([other, log][i % 2]!, "t", 0, records(1, `${i} `)), offset);
        }
        await deleteRecords(log, "t", 0, begun + 22);
        assert.deepEqual(await other.offsets("t", 0), {
          earliest: begun + 22,
          latest: begun + 26,
        });
        const copy = join(dir, "..", `${crypto.randomUUID()}`);
        await untilInPlace(log, dir);
        const all = await readAll(log, "t", 0);
        try {
          await log.backup(copy);
          await withLog(
            `embedded:${copy}`,
            async (restored) => assert.deepEqual(await readAll(restored, "t", 0), all),
            { onWarning: () => {} },
          );
        } finally {
          await Deno.remove(copy, { recursive: true });
        }
      });
    }, { clock })
  );
});

Deno.test("embedded log: a damaged tail is made good by its copy; without one the next start continues from the row", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      const count = await untilInPlace(log, dir);
      const path = join(dir, "tails");
      const bytes = await Deno.readFile(path);
      const flip = async (...places: number[]) => {
        const damaged = bytes.slice();
        for (const at of places) damaged[at]! ^= 16;
        using file = await Deno.open(path, { write: true });
        await file.write(damaged);
      };
      for (const copy of [128, 192]) {
        for (let at = 0; at < 64; at++) {
          await flip(copy + at);
          assert.equal((await log.offsets("t", 0)).latest, count);
        }
      }
      await flip(150, 210);
      const { message } = await rejectsWith("INTERNAL", () => log.offsets("t", 0));
      assert.match(message, /Cannot read .*tails: it is damaged; start again/);
      await flip();
      assert.equal(await append(log, "t", 0, records(1)), count);
      await log.createTopic("u", 1);
      await append(log, "u", 0, records(3));
      await flip(150, 210);
      const told: string[] = [];
      await withLog(`embedded:${dir}`, async (next) => {
        const { latest } = await next.offsets("t", 0);
        assert.ok(latest <= count && latest >= count - 64, `${latest} of ${count}`);
        assert.equal((await readAll(next, "t", 0)).length, latest);
        assert.equal(await append(next, "t", 0, records(1)), latest);
        assert.equal((await readAll(next, "u", 0)).length, 3);
      }, { onWarning: (message) => void told.push(message) });
      assert.match(told.join(), /^[^,]*tails was damaged: the newest frames of t\/0 are lost/);
      assert.ok(await append(log, "t", 0, records(1)) > 0);
    }, { clock, onWarning: () => {} })
  );
});

Deno.test("tails: after a power failure a row that is behind its slot is brought forward, unless they are of two histories", async () => {
  await inFolder((dir) => {
    const row = [110, 5_000, 1, 7, 100, 3_000, 4_000, 1, 50] as const;
    const rows = { get: () => row as never, run: () => 0, dataVersion: () => 0 };
    const tails = new Tails(dir, rows);
    const slots = new TailFile(dir);
    const open = { segment: 7, first: 100, position: 3_000, total: 4_000, arrived: 1, time: 50 };
    const behind = { latest: 110, bytes: 5_000, arrived: 1, open };
    const ahead = { latest: 170, bytes: 9_000, arrived: 2, open: { ...open, time: 60 } };
    assert.deepEqual(tails.read(3), behind);
    // The chunk from 100 on was closed, and another one begun, but the row was not on the disk yet.
    slots.put(3, [7, 90, 170, 9_000, 2, 60]);
    assert.deepEqual(tails.read(3), ahead);
    for (const [segment, run, latest] of [[8, 90, 170], [7, 120, 170], [7, 90, 109]] as const) {
      slots.put(3, [segment, run, latest, 9_000, 2, 60]);
      assert.deepEqual(tails.read(3), behind);
    }
    slots.close();
    tails.file.close();
    return Promise.resolve();
  });
});

Deno.test("record: padding between records is passed over", () => {
  const pieces = ["a", "", "b", "c", ""].map((name) => {
    if (name === "") return encodePadding(300);
    const given = { key: null, headers: {}, timestamp: 5, value: new TextEncoder().encode(name) };
    const { head, value } = encodeRecord(given);
    return new Uint8Array([...head, ...value]);
  });
  const bytes = new Uint8Array(pieces.flatMap((piece) => [...piece]));
  const place = { topic: "t", partition: 0, offset: 0 };
  const values = (from: Uint8Array) =>
    [...recordPlaces(from, 3, bytes.length)].map((found) =>
      found && text(decodeRecord(from, found, place).value)
    );
  assert.deepEqual(values(bytes), ["a", "b", "c"]);
  const damaged = bytes.slice();
  damaged[5]! ^= 1;
  assert.deepEqual(values(damaged), [undefined, "b", "c"]);
});

Deno.test("embedded log: segments with padding are read, searched and checked as others", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      const value = (i: number) => new Uint8Array(30_000 + 7 * i).fill(i % 200);
      let count = 0;
      const padded = async () => {
        for await (const { name } of Deno.readDir(join(dir, "segments", "t-0"))) {
          const bytes = await Deno.readFile(join(dir, "segments", "t-0", name));
          const view = new DataView(bytes.buffer);
          for (let at = 16; at + 4 <= bytes.length; at++) {
            if (view.getUint32(at) === 0xffffffff) return true;
          }
        }
        return false;
      };
      await eventually("padding between two records", async () => {
        for (let i = 0; i < 20; i++, count++) {
          await append(log, "t", 0, [record(value(count), { timestamp: count })]);
        }
        return count > 60 && await padded();
      });
      const frames = await readAll(log, "t", 0);
      frames.forEach((frame, i) => assert.deepEqual(frame.value, value(i)));
      assert.equal(frames.length, count);
      for (let i = 0; i < count; i += 3) assert.equal(await log.offsetForTime("t", 0, i), i);
    }, { clock })
  );
});

Deno.test("embedded log: padding that a full disk cuts off harms no record behind it", async () => {
  const { writeSync } = Deno.FsFile.prototype;
  let cut = 0;
  Deno.FsFile.prototype.writeSync = function (bytes) {
    if (
      bytes.length < 28 || new DataView(bytes.buffer, bytes.byteOffset).getUint32(16) !== padMark
    ) {
      return writeSync.call(this, bytes);
    }
    cut++;
    writeSync.call(this, bytes.subarray(0, bytes.length >> 1));
    throw new Error("No space left on device (os error 28)");
  };
  try {
    await inFolder((dir) =>
      withLog(`embedded:${dir}`, async (log) => {
        await log.createTopic("t", 1);
        let count = 0;
        await eventually("padding", async () => {
          await append(log, "t", 0, records(60, `${count++} `));
          return cut > 1;
        });
        assert.ok((await readAll(log, "t", 0)).every(({ fault }) => fault === undefined));
      }, { clock, onWarning: (message) => assert.fail(message) })
    );
  } finally {
    Deno.FsFile.prototype.writeSync = writeSync;
  }
});

Deno.test("embedded log: one of version 3 is brought up to date, unless an older Framelane has it open", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(url, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, records(5));
    });
    const older = () => {
      const db = new DatabaseSync(join(dir, "log.db"));
      db.exec("PRAGMA user_version = 3");
      db.close();
    };
    older();
    await Deno.remove(join(dir, "tails"));
    await withLog(url, async (log) => {
      assert.equal(await append(log, "t", 0, records(1)), 5);
      older();
      const { message } = await rejectsWith("INVALID", () => withLog(url, (two) => two.topics()));
      assert.match(message, /an older Framelane has it open; stop that one first/);
    });
  });
});

Deno.test("embedded log: whichever write fails as several partitions are appended to, each offset is one record's", async () => {
  const { writeSync } = Deno.FsFile.prototype;
  for (
    const fault of ["No space left on device (os error 28)", "Input/output error (os error 5)"]
  ) {
    for (let n = 1, failed = true; failed; n++) {
      failed = false;
      await inFolder((dir) =>
        withLog(`embedded:${dir}?sync=always`, async (log) => {
          await log.createTopic("t", 3);
          const producer = await log.producer();
          const stored: string[][] = [[], [], []];
          // In one commit, the first of which still write rows.
          const appendAll = (round: number) =>
            Promise.all(stored.map(async (own, partition) => {
              const value = `${round}/${partition}`;
              const offset = await producer.append("t", partition, [record(value)]).catch(() => -1);
              if (offset < 0) return;
              assert.equal(own[offset], undefined);
              own[offset] = value;
            }));
          for (let round = 0; round < 3; round++) await appendAll(round);
          let writes = 0;
          Deno.FsFile.prototype.writeSync = function (bytes) {
            if (++writes === n) {
              failed = true;
              throw new Error(fault);
            }
            return writeSync.call(this, bytes);
          };
          try {
            await appendAll(3);
          } finally {
            Deno.FsFile.prototype.writeSync = writeSync;
          }
          for (let round = 4; round < 8; round++) await appendAll(round);
          for (const [partition, values] of stored.entries()) {
            assert.deepEqual(
              (await readAll(log, "t", partition)).map(({ value }) => text(value)),
              values,
            );
          }
        })
      );
    }
  }
});

Deno.test("tails: a file that another process has made longer holds what both write", async () => {
  await inFolder((dir) => {
    const [one, other] = [new TailFile(dir), new TailFile(dir)];
    const slot: Slot = [1, 2, 3, 4, 5, 6];
    assert.ok(one.reserve(1) && other.reserve(200));
    other.put(200, slot);
    assert.ok(one.reserve(40));
    one.put(40, slot);
    for (const file of [one, other]) assert.deepEqual([file.get(40), file.get(200)], [slot, slot]);
    for (const file of [one, other]) file.close();
    return Promise.resolve();
  });
});
