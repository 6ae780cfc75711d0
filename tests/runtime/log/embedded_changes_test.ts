/** How readers notice appends by others: by reports of the system, and by polling where there are none. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import { Database } from "../../../runtime/log/embedded/database.ts";
import { TailFile } from "../../../runtime/log/embedded/tail_file.ts";
import type { PartitionReader } from "../../../runtime/log/log.ts";
import { append, record, records, rejectsWith } from "../../contracts/log_contract_kit.ts";
import { PATIENCE_MS, until } from "../../support/until.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

/** Appends at one connection and reads at another; calls `after` while the reader waits for more. */
async function appendAndRead(
  after: (reader: PartitionReader, theirs: EmbeddedLog) => Promise<void> = async () => {},
): Promise<void> {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(url, async (ours) => {
      await ours.createTopic("t", 1);
      await withLog(url, async (theirs) => {
        const reader = await (await ours.reader()).open("t", 0, 0);
        for (let offset = 0; offset < 10; offset++) {
          const reading = reader.read(1);
          await append(theirs, "t", 0, [record(new Uint8Array(10))]);
          assert.equal((await reading)[0]!.offset, offset);
        }
        await after(reader, theirs);
        await reader.close();
      });
    });
  });
}

/** The slot of the first partition, which an append in place changes. */
async function slotOf({ url }: EmbeddedLog): Promise<string> {
  return `${(await Deno.readFile(join(url.slice("embedded:".length), "tails"))).slice(128)}`;
}

/** Runs `body` with another way to watch a folder. */
async function withWatch(watch: typeof Deno.watchFs, body: () => Promise<void>): Promise<void> {
  const before = Deno.watchFs;
  Deno.watchFs = watch;
  try {
    await body();
  } finally {
    Deno.watchFs = before;
  }
}

/** Intervals that fire when `tick` is called, not with time. */
interface Polls {
  /** The current one, milliseconds. */
  delay: number;
  tick: () => void;
}

async function withPolls(body: (polls: Polls) => Promise<void>): Promise<void> {
  const { setInterval, clearInterval } = globalThis;
  const polls: Polls = { delay: 0, tick: () => {} };
  const start = (tick: () => void, delay: number) => void Object.assign(polls, { tick, delay });
  Object.assign(globalThis, { setInterval: start, clearInterval: () => {} });
  try {
    await body(polls);
  } finally {
    Object.assign(globalThis, { setInterval, clearInterval });
  }
}

Deno.test({
  name: "embedded log: a reader finds each append by its report, and polls twice a second",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withPolls(async (polls) => {
      await appendAndRead(() => Promise.resolve(assert.equal(polls.delay, 500)));
    }),
});

Deno.test({
  name: "embedded log: a reader polls twice a second, too, where nothing is ever appended",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withPolls((polls) =>
      inFolder((dir) =>
        withLog(`embedded:${dir}`, async (log) => {
          await log.createTopic("t", 2);
          const reader = await (await log.reader()).open("t", 0, 0);
          await until("its own report", () => polls.delay === 500);
          const another = await (await log.reader()).open("t", 0, 0);
          const other = await (await log.reader()).open("t", 1, 0);
          polls.tick();
          assert.equal(polls.delay, 500);
          for (const one of [reader, another, other]) await one.close();
        })
      )
    ),
});

Deno.test({
  name: "embedded log: what a killed process committed but did not announce is found by a poll",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withPolls((polls) =>
      appendAndRead(async (reader, theirs) => {
        const { announce } = TailFile.prototype;
        TailFile.prototype.announce = () => {};
        try {
          // A row: the chunk is full.
          const reading = reader.read(64);
          await append(theirs, "t", 0, records(64));
          assert.equal(reader.latest, 10);
          polls.tick();
          assert.equal((await reading).length, 64);
          // It may be the report that comes late.
          assert.equal(polls.delay, 2);
        } finally {
          TailFile.prototype.announce = announce;
        }
      })
    ),
});

Deno.test({
  name: "embedded log: a reader reads its partition's row again only when rows have changed",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    appendAndRead(async (reader, theirs) => {
      const { get } = Database.prototype;
      let queries = 0;
      Database.prototype.get = function (sql, ...values) {
        if (sql.includes("LEFT JOIN chunks")) queries++;
        return get.call(this, sql, ...values) as never;
      };
      let [inPlace, queriesInPlace] = [0, 0];
      try {
        // How many need a row depends on the disk, and on the clock.
        for (let offset = 10; inPlace < 20; offset++) {
          const before = await slotOf(theirs);
          queries = 0;
          const reading = reader.read(1);
          await append(theirs, "t", 0, [record(new Uint8Array(10))]);
          assert.equal((await reading)[0]!.offset, offset);
          if (await slotOf(theirs) === before) continue;
          inPlace++;
          queriesInPlace += queries;
        }
      } finally {
        Database.prototype.get = get;
      }
      assert.ok(queriesInPlace < 10, `${queriesInPlace} queries for ${inPlace} appends in place`);
    }),
});

Deno.test({
  name:
    "embedded log: an append in place is no error to a reader that has not heard of the rows before it",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withPolls((polls) =>
      appendAndRead(async (reader, theirs) => {
        const next = async (log: EmbeddedLog) => {
          const before = await slotOf(log);
          await append(log, "t", 0, records(1));
          return await slotOf(log) !== before;
        };
        // The reader is ahead of the row that it has seen.
        for (let inPlace = false; !inPlace;) {
          inPlace = await next(theirs);
          await reader.read(1);
        }
        const { announce, changed } = TailFile.prototype;
        let looks = 0;
        TailFile.prototype.announce = () => {};
        TailFile.prototype.changed = function (slots) {
          const found = changed.call(this, slots);
          if (found.length > 0) looks++;
          return found as never;
        };
        try {
          const reading = reader.read(64).then((frames) => frames[0]!.offset, String);
          const offset = reader.latest;
          // In a segment of its own.
          await withLog(theirs.url, async (other) => {
            while (!await next(other));
            await until("a look", () => looks > 0);
            polls.tick();
            assert.equal(await reading, offset);
          });
        } finally {
          Object.assign(TailFile.prototype, { announce, changed });
        }
      })
    ),
});

Deno.test("embedded log: a commit is announced once others see it", async () => {
  const { announce } = TailFile.prototype;
  const seen: number[] = [];
  TailFile.prototype.announce = function () {
    const db = new DatabaseSync(join(dirname(this.path), "log.db"), { readOnly: true });
    seen.push(
      Number(db.prepare("SELECT total(latest) AS latest FROM partitions").get()!["latest"]),
    );
    db.close();
    announce.call(this);
  };
  try {
    await inFolder((dir) =>
      withLog(`embedded:${dir}`, async (log) => {
        await log.createTopic("t", 1);
        for (let i = 0; i < 3; i++) await append(log, "t", 0, records(100));
      })
    );
  } finally {
    TailFile.prototype.announce = announce;
  }
  for (const latest of [100, 200, 300]) assert.ok(seen.includes(latest), `${seen}`);
});

Deno.test("embedded log: a reader that waits reports a tail that was damaged meanwhile", async () => {
  await appendAndRead(async (reader, theirs) => {
    const refused = rejectsWith("INTERNAL", () => reader.read(1, AbortSignal.timeout(PATIENCE_MS)));
    const tails = join(theirs.url.slice("embedded:".length), "tails");
    await Deno.writeFile(tails, (await Deno.readFile(tails)).fill(7));
    assert.match((await refused).message, /tails: it is damaged; start again/);
  });
});

Deno.test("embedded log: a damaged tail costs the readers of no other partition", async () => {
  await inFolder((dir) =>
    withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 2);
      const tails = new TailFile(dir);
      tails.reserve(2);
      const reader = await log.reader();
      const [one, two] = [await reader.open("t", 0, 0), await reader.open("t", 1, 0)];
      const refused = rejectsWith("INTERNAL", () => two.read(1, AbortSignal.timeout(PATIENCE_MS)));
      using file = await Deno.open(tails.path, { write: true });
      await file.seek(2 * 128, Deno.SeekMode.Start);
      await file.write(new Uint8Array(128).fill(7));
      assert.match((await refused).message, /tails: it is damaged; start again/);
      assert.equal(one.status, "reading");
      await append(log, "t", 0, records(1));
      assert.equal((await one.read(1)).length, 1);
      tails.close();
    })
  );
});

Deno.test({
  name:
    "embedded log: a reader polls often where the system reports the writes of this machine alone",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    let [report, asked] = [() => {}, 0];
    const watcher = {
      close: () => report(),
      async *[Symbol.asyncIterator]() {
        for (;;) {
          const reported = new Promise<void>((resolve) => report = resolve);
          asked++;
          await reported;
          yield;
        }
      },
    };
    /** Returns once the report was acted upon. */
    const reportAWrite = async () => {
      const before = asked;
      report();
      await until("the next report is waited for", () => asked > before);
    };
    await withPolls((polls) =>
      withWatch(
        () => watcher as never,
        () =>
          inFolder((dir) =>
            withLog(`embedded:${dir}`, async (ours) => {
              await ours.createTopic("t", 1);
              const reader = await (await ours.reader()).open("t", 0, 0);
              await reportAWrite();
              assert.equal(polls.delay, 500);
              await withLog(`embedded:${dir}`, async (theirs) => {
                await append(theirs, "t", 0, records(1));
                polls.tick();
                assert.equal(polls.delay, 2);
                await reportAWrite();
                assert.equal(polls.delay, 2);
                await append(theirs, "t", 0, records(1));
                await reportAWrite();
                assert.equal(polls.delay, 500);
              });
              await reader.close();
            })
          ),
      )
    );
  },
});

Deno.test("embedded log: a reader polls where the folder cannot be watched", async () => {
  await withWatch(() => {
    throw new Error("No space left on device");
  }, appendAndRead);
});

Deno.test("embedded log: a reader polls where the system has reported some writes and then none", async () => {
  let reports = 0;
  const watch = (...path: Parameters<typeof Deno.watchFs>) => {
    const watcher = real(...path);
    const events = watcher[Symbol.asyncIterator]();
    watcher[Symbol.asyncIterator] = () => events;
    const next = events.next.bind(events);
    events.next = () => reports++ < 2 ? next() : new Promise(() => {});
    return watcher;
  };
  const real = Deno.watchFs;
  await withWatch(watch, appendAndRead);
  if (Deno.build.os === "linux") assert.ok(reports > 2);
});
