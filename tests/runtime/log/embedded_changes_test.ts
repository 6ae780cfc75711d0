/** How readers notice appends by others: by reports of the system, and by polling where there are none. */
import assert from "node:assert/strict";
import { Database } from "../../../runtime/log/embedded/database.ts";
import { append, record } from "../../contracts/log_contract_kit.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

/** Appends at one connection and reads at another; calls `after` while the reader waits for more. */
async function appendAndRead(after: () => Promise<void> = async () => {}): Promise<void> {
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
        await after();
        await reader.close();
      });
    });
  });
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

Deno.test({
  name: "embedded log: a reader polls seldom where the system reports each write",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const { dataVersion } = Database.prototype;
    let looks = 0;
    Database.prototype.dataVersion = function () {
      looks++;
      return dataVersion.call(this);
    };
    try {
      await appendAndRead(async () => {
        looks = 0;
        await new Promise((resolve) => setTimeout(resolve, 600));
      });
    } finally {
      Database.prototype.dataVersion = dataVersion;
    }
    // Without reports it looks every 2 ms. A slow machine looks less often.
    assert.ok(looks < 60, `${looks} looks in 600 ms`);
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
