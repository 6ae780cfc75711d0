/** `deno task checkpoints list` and `reset`. */
import assert from "node:assert/strict";
import type { TopicLog } from "../../runtime/log/log.ts";
import { framelane } from "../support/framelane.ts";
import { records } from "../support/frames.ts";
import { readAll, withLog } from "../support/log.ts";

async function run(url: string): Promise<void> {
  const { code, process } = await framelane([
    ...["queries", "passthrough", "--log", url, "--starting-offsets", "earliest"],
    ...["--trigger", "available-now", "--sink", "topic:OUT", "--executors", "1"],
  ]);
  assert.equal(code, 0, process.output());
}

const reset = (url: string, ...args: string[]) =>
  framelane(["checkpoints", "reset", "--log", url, "--query", "passthrough", ...args]);

/** The source offsets of all outputs. */
const outputs = async (log: TopicLog) =>
  (await readAll(log, "OUT", 0)).map(({ headers }) => Number(headers["source-offset"]));

Deno.test("checkpoints reset moves a query to an offset, a time or an end, and it continues there", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const producer = await log.producer();
    const frames = records(1, 7);
    await producer.append("VideoStreaming", 0, frames);
    await producer.close();
    await run(url);
    let expected = [0, 1, 2, 3, 4, 5, 6];
    assert.deepEqual(await outputs(log), expected);
    const time = new Date(frames[5]!.timestamp).toISOString();
    for (const [to, offset] of [["3", 3], [time, 5], ["earliest", 0], ["latest", 7]] as const) {
      const { code, process } = await reset(url, "--to", to, "--json");
      assert.equal(code, 0, process.output());
      const place = { group: "framelane-passthrough", query: "passthrough", partition: 0 };
      assert.deepEqual(process.lines, [
        { type: "reset", ...place, topic: "VideoStreaming", from: 7, to: offset },
      ]);
      await run(url);
      expected = [...expected, ...Array.from({ length: 7 - offset }, (_, i) => offset + i)];
      assert.deepEqual(await outputs(log), expected, to);
    }
    const list = await framelane(["checkpoints", "list", "--log", url]);
    assert.match(list.process.said[0]!, /^query +topic +partition +group +end +lag$/);
    assert.match(
      list.process.said[1]!,
      /^passthrough +VideoStreaming +0 +framelane-passthrough +7 +0$/,
    );
  });
});

Deno.test("checkpoints reset is refused while a runtime owns the checkpoint, and where nothing is", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const nothing = await reset(url, "--to", "latest");
    assert.equal(nothing.code, 1);
    assert.match(nothing.process.output(), /Cannot reset: no checkpoint in embedded:/);
    const committer = await log.committer({
      group: "framelane-passthrough",
      query: "passthrough",
      topic: "VideoStreaming",
      partition: 0,
    });
    const owned = await reset(url, "--to", "earliest");
    assert.equal(owned.code, 1);
    assert.match(
      owned.process.output(),
      /Cannot take over .*: a runtime owns it; stop that runtime first/,
    );
    await committer.close();
    const beyond = await reset(url, "--to", "5");
    assert.equal(beyond.code, 1);
    assert.match(
      beyond.process.output(),
      /Cannot reset VideoStreaming\/0 to offset 5: expected 0 to 0/,
    );
    const free = await reset(url, "--to", "earliest");
    assert.equal(free.code, 0, free.process.output());
  });
  for (
    const [args, says] of [
      [["--to", "latest"], /Cannot reset without --query/],
      [["--query", "q"], /Cannot reset without --to/],
      [["--query", "q", "--to", "soon"], /expected earliest, latest, an offset, or a time/],
    ] as [string[], RegExp][]
  ) {
    const { code, process } = await framelane(["checkpoints", "reset", ...args]);
    assert.equal(code, 2, process.output());
    assert.match(process.output(), says);
  }
});
