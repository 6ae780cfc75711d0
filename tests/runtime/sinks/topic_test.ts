import { LogError } from "../../../runtime/log/log.ts";
import assert from "node:assert/strict";
import { BadFrameError, type Output } from "../../../runtime/definition/frame.ts";
import { deadLetterRecord, deadLetterTopic } from "../../../runtime/sinks/dead_letter.ts";
import { topic } from "../../../runtime/sinks/topic.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { finding, frame } from "./outputs.ts";

async function recordsOf(outputs: readonly Output[]) {
  const task = await topic({ name: "OUT" }).open(sinkContext({ query: "grey", partition: 1 }));
  return task.records!(outputs, { batchId: 0, start: 0, end: 100 });
}

Deno.test("topic: a frame keeps key, time and headers and says where it comes from", async () => {
  const { result: _, ...plain } = frame(1, 7);
  const [record] = await recordsOf([{
    ...plain,
    key: "CAMERA-2",
    headers: { "seq": "7", "label": "x", "query": "before", "source-first-offset": "1" },
  }]);
  const { smaller, ...whole } = record!;
  assert.deepEqual(whole, {
    topic: "OUT",
    partition: 1,
    key: "CAMERA-2",
    timestamp: plain.timestamp,
    value: plain.value,
    headers: {
      "seq": "7",
      "label": "x",
      "query": "grey",
      "source-topic": "VideoStreaming",
      "source-partition": "1",
      "source-offset": "7",
      "content-type": "image/jpeg",
    },
  });
  // What is too large for the topic goes elsewhere.
  const letter = smaller!(new LogError("TOO_LARGE", "Too large"));
  assert.deepEqual([letter.topic, letter.partition], ["VideoStreaming.dead-letters", 1]);
  assert.equal(letter.headers["reason"], "too-large");
  assert.equal(letter.headers["__streams.errors.offset"], "7");
});

Deno.test("topic: what was found on a frame goes into the header result", async () => {
  const [record] = await recordsOf([frame(1, 7)]);
  const result = JSON.parse(record!.headers["result"]!);
  assert.deepEqual(result.scores, { motion: 0.7 });
  assert.equal(result.query, "grey");
});

Deno.test("topic: a finding becomes JSON with its window's offsets", async () => {
  const [record] = await recordsOf([finding(1, 4)]);
  assert.deepEqual(record!.headers, {
    "query": "grey",
    "source-topic": "VideoStreaming",
    "source-partition": "1",
    "source-first-offset": "4",
    "source-last-offset": "7",
    "content-type": "application/json",
  });
  assert.equal(record!.timestamp, finding(1, 4).timestamp);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(record!.value)).window.lastOffset, 7);
});

Deno.test("topic: bad names, and the topic that is read, are refused", async () => {
  for (const name of ["", "a b", "..", "x".repeat(250)]) {
    assert.throws(() => topic({ name }), /Cannot write to topic .*: expected 1 to 249/);
  }
  await assert.rejects(
    async () => await topic({ name: "VideoStreaming" }).open(sinkContext()),
    /it is the topic that the query reads/,
  );
  assert.deepEqual(topic({ name: "OUT" }).topics, ["OUT"]);
});

Deno.test("dead letters: the record is as it was, with what went wrong", () => {
  const bad = frame(1, 7);
  const record = deadLetterRecord(bad, new BadFrameError("corrupt", "No picture"));
  assert.equal(record.topic, deadLetterTopic("VideoStreaming"));
  assert.equal(record.topic, "VideoStreaming.dead-letters");
  assert.equal(record.partition, 1);
  assert.equal(record.value, bad.value);
  assert.equal(record.timestamp, bad.timestamp);
  const { "__streams.errors.stacktrace": stack, ...headers } = record.headers;
  assert.match(stack!, /BadFrameError: No picture/);
  assert.deepEqual(headers, {
    "label": "label 1",
    "__streams.errors.exception": "BadFrameError",
    "__streams.errors.message": "No picture",
    "__streams.errors.topic": "VideoStreaming",
    "__streams.errors.partition": "1",
    "__streams.errors.offset": "7",
    "reason": "corrupt",
  });
  assert.equal(
    deadLetterRecord(bad, "x".repeat(9000)).headers["__streams.errors.message"]!.length,
    2001,
  );
  assert.equal(deadLetterRecord(bad, "odd").headers["reason"], "error");
});

Deno.test("dead letters: one that is too large keeps its reason alone", () => {
  const value = new Uint8Array(2 << 20).fill(7);
  const bad = { ...frame(1, 7), value, headers: { label: "x".repeat(1000) } };
  const whole = deadLetterRecord(bad, new BadFrameError("corrupt", "No picture"));
  assert.equal(whole.value, value);
  assert.equal(whole.headers["label"], bad.headers.label);
  assert.equal(whole.headers["truncated"], undefined);
  const small = whole.smaller!(new LogError("TOO_LARGE", "Too large"));
  assert.equal(small.value.length, 0);
  assert.equal(small.headers["label"], undefined);
  assert.equal(small.headers["truncated"], String(2 << 20));
  assert.equal(small.headers["reason"], "corrupt");
  assert.equal(small.headers["__streams.errors.offset"], "7");
  assert.equal(small.topic, whole.topic);
  assert.equal(small.smaller, undefined);
});
