/** `deno task checkpoints inspect`. */
import { VERSION } from "../../runtime/base/version.ts";
import assert from "node:assert/strict";
import { LAUNCHER, run } from "../security/task.ts";
import { framelane } from "../support/framelane.ts";
import { records } from "../support/frames.ts";
import { withLog } from "../support/log.ts";

Deno.test("checkpoints inspect shows where queries are, as a table and as JSON", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 2);
    const producer = await log.producer();
    await producer.append("VideoStreaming", 0, records(1, 7));
    await producer.append("VideoStreaming", 1, records(2, 3));
    const where = ["--log", url, "--partitions", "0,1", "--starting-offsets", "earliest"];
    const ran = await framelane([
      "queries",
      "passthrough",
      ...where,
      "--trigger",
      "available-now",
      "--sink",
      "topic:OUT",
      "--executors",
      "1",
      "--json",
    ]);
    assert.equal(ran.code, 0, ran.process.output());
    await producer.append("VideoStreaming", 1, records(2, 2, { from: 3 }));
    await producer.close();
    const json = await framelane(["checkpoints", "inspect", "--log", url, "--json"]);
    assert.equal(json.code, 0, json.process.output());
    const rows = json.process.lines as unknown as Record<string, unknown>[];
    assert.deepEqual(
      rows.map(({ queryId: _id, ...row }) => row),
      [[0, 7, 7, 0], [1, 3, 5, 2]].map(([partition, end, latest, lag]) => ({
        type: "checkpoint",
        group: "framelane-passthrough",
        query: "passthrough",
        topic: "VideoStreaming",
        partition,
        // The state is the last number that the camera gave, and who wrote it.
        committed: {
          batchId: 0,
          end,
          restart: end,
          stateBytes: 120,
          writer: { version: VERSION, steps: ["passthrough"] },
          partitions: 2,
        },
        owner: { epoch: 1 },
        offsets: { earliest: 0, latest },
        lag,
      })),
    );
    const filters = ["--query", "passthrough", "--topic", "VideoStreaming"];
    const table = await framelane(["checkpoints", "inspect", "--log", url, ...filters]);
    const [titles, first, second, ...rest] = table.process.said;
    assert.match(titles!, /^query +topic +partition +group +query id .* owner +written by .* lag$/);
    const writer = `Framelane ${VERSION}: passthrough`;
    assert.match(
      first!,
      new RegExp(`^passthrough +VideoStreaming +0 .* epoch 1 +${writer} +7 +0$`),
    );
    assert.match(
      second!,
      new RegExp(`^passthrough +VideoStreaming +1 .* epoch 1 +${writer} +5 +2$`),
    );
    assert.deepEqual(rest, []);
  });
});

Deno.test("checkpoints inspect makes nothing where nothing is, and says what it takes", async () => {
  await withLog(async (_url, _log, directory) => {
    const none = await framelane(["checkpoints", "inspect", "--log", `embedded:${directory}/none`]);
    assert.equal(none.code, 1, none.process.output());
    assert.match(none.process.output(), /No log in .*none: expected the folder of an existing one/);
    await assert.rejects(Deno.stat(`${directory}/none`), Deno.errors.NotFound);
  });
  await withLog(async (url, log, directory) => {
    await log.createTopic("VideoStreaming", 1);
    const none = `${directory}/none`;
    const commands = [
      ["checkpoints", "list", "--checkpoint", none, "--log", url],
      ["log", "convert", "--checkpoint", none, "--log", url],
      ["log", "backup", none, "more", "--log", url],
    ];
    for (const words of commands) {
      const { said } = await run([...LAUNCHER, ...words]);
      assert.match(said, /Nothing to show|already converted|Cannot use argument "more"/);
      await assert.rejects(Deno.stat(none), Deno.errors.NotFound, words.join(" "));
    }
  });
  for (const wrong of [["checkpoints"], ["checkpoints", "remove"]]) {
    const { code, process } = await framelane(wrong);
    assert.equal(code, 2);
    assert.match(
      process.output(),
      /(Nothing to do|Unknown action "remove" of checkpoints): expected list, inspect or reset/,
    );
  }
});
