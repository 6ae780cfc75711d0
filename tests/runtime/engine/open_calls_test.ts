/** Operators and sinks that hang are named, and only as long as they do. */
import assert from "node:assert/strict";
import { query } from "../../../runtime/definition/query.ts";
import { StreamingExecution } from "../../../runtime/engine/execution.ts";
import { deadLetterRecord } from "../../../runtime/sinks/dead_letter.ts";
import { FakeClock, settle } from "../../../runtime/testing.ts";
import { logOf } from "./kit.ts";

Deno.test("an operator and a sink that hang are named after 10 s, until they have ended", async () => {
  const operator = Promise.withResolvers<void>(), sink = Promise.withResolvers<void>();
  const { plan } = query("hangs").readStream({ startingOffsets: "earliest" })
    .process({
      name: "slow",
      open: () => ({ process: async (frame) => (await operator.promise, [frame]) }),
    })
    .writeStream({
      uri: "deaf:",
      delivery: "exactly-once",
      open: () => ({ write: () => sink.promise }),
    })
    .trigger("available-now");
  const log = logOf(2), clock = new FakeClock(0), reader = await log.reader();
  const execution = new StreamingExecution({
    ...{ plan, log, reader, clock, topic: "VideoStreaming", partition: 0, group: "g", runId: "r" },
    pictures: { show() {} },
    inspect() {},
    deadLetter: deadLetterRecord,
    report() {},
  });
  const ended = execution.run();
  await settle();
  await clock.advance(9_999);
  assert.equal(execution.longCalls, "");
  await clock.advance(1);
  assert.equal(execution.longCalls, "Operator slow has not ended for 10 s");
  operator.resolve();
  await settle();
  assert.equal(execution.longCalls, "");
  await clock.advance(10_000);
  assert.equal(
    execution.longCalls,
    "Sink deaf: (batch 0, offsets 0 to 1) has not ended for 10 s",
  );
  sink.resolve();
  await ended;
  assert.equal(execution.longCalls, "");
  await reader.close();
});
