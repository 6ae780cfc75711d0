import assert from "node:assert/strict";
import type { Output } from "../../../runtime/definition/frame.ts";
import { query } from "../../../runtime/definition/query.ts";
import { foreach, foreachBatch } from "../../../runtime/sinks/foreach.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { frame } from "./outputs.ts";

const batch = { batchId: 4, start: 40, end: 42 };
const outputs = [frame(2, 40), frame(2, 41)];
const context = sinkContext({ partition: 2 });

Deno.test("foreach: each output comes alone and in order, the next once the function is done", async () => {
  const seen: string[] = [];
  const sink = foreach<Output>(async (output, { partition }) => {
    seen.push(`begins ${partition}`);
    await Promise.resolve();
    seen.push(output === outputs[0] ? "first" : "second");
  });
  const task = await sink.open(context);
  await task.write!(outputs, batch);
  assert.deepEqual(seen, ["begins 2", "first", "begins 2", "second"]);
});

Deno.test("foreach: where the function throws, the rest does not come", async () => {
  let calls = 0;
  const task = await foreach(() => {
    calls++;
    throw new Error("No database");
  }).open(context);
  await assert.rejects(async () => await task.write!(outputs, batch), /No database/);
  assert.equal(calls, 1);
});

Deno.test("foreachBatch: the function gets the batch, its id and the lane", async () => {
  const seen: unknown[] = [];
  const sink = foreachBatch((...given) => void seen.push(given));
  await (await sink.open(context)).write!(outputs, batch);
  assert.deepEqual(seen, [[outputs, batch, context]]);
});

Deno.test("foreach, foreachBatch: what is no function is refused", () => {
  const stream = query("test").readStream();
  for (const sink of [foreach, foreachBatch]) {
    assert.throws(
      () => stream.writeStream(sink("print" as never)),
      /^TypeError: Cannot write by foreach.* with "print": expected a function$/,
    );
  }
});
