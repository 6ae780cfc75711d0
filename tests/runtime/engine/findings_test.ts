/** What a streaming query finds, as the log remembers it. */
import assert from "node:assert/strict";
import type { Frame, Output, Result } from "../../../runtime/definition/frame.ts";
import { query } from "../../../runtime/definition/query.ts";
import type { Sink } from "../../../runtime/definition/sink.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { display } from "../../../runtime/sinks/display.ts";
import { findingsRecord, findingsTopic } from "../../../runtime/sinks/findings.ts";
import { collect, FakeClock, runQuery, startQuery } from "../../../runtime/testing.ts";
import { until } from "../../support/until.ts";
import { append, logOf, offsets, upTo } from "./kit.ts";

const FOUND = findingsTopic("VideoStreaming");

/** A query that finds something in every third frame. */
const finder = (sink: Sink<Output>, found: Result = { scores: { cat: 0.5 } }) =>
  query("cats").readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 7 })
    .process({
      name: "cats",
      open: () => ({
        process: (frame: Frame) => [{ ...frame, ...(frame.offset % 3 ? {} : { result: found }) }],
      }),
    })
    .writeStream(sink).trigger("available-now");

Deno.test("findings are kept once, with the commit of their batch, through a crash", async () => {
  for (const [sink, crashAt] of [[collect<Output>(), 4], [display(), 1]] as const) {
    const log = logOf(60);
    let commits = 0;
    log.fail = (point) => {
      if (point === "before-commit" && ++commits === crashAt) throw new Error("killed");
    };
    await assert.rejects(runQuery(finder(sink), { log }), /killed/);
    await runQuery(finder(sink), { log });
    const kept = log.frames(FOUND, 0);
    const sources = kept.map(({ headers }) => Number(headers["source-first-offset"]));
    assert.deepEqual(
      sources,
      offsets(log.frames("VideoStreaming", 0)).filter((at) => at % 3 === 0),
    );
    const [first] = kept;
    const { query, topic, camera, window, scores } = JSON.parse(
      new TextDecoder().decode(first!.value),
    ) as Result;
    assert.deepEqual([query, topic, camera, window!.lastOffset, scores, first!.timestamp], [
      "cats",
      "VideoStreaming",
      "CAMERA-1",
      0,
      { cat: 0.5 },
      1000,
    ]);
  }
});

Deno.test("a query that finds nothing makes no topic and no record", async () => {
  const log = logOf(20);
  const frames = [{ offset: 0, timestamp: 0, objects: [], scores: {} }];
  for (const found of [{}, { inferMs: 3, frames }, { scores: {}, zones: {} }]) {
    await runQuery(finder(display(), found), { log, group: JSON.stringify(found) });
  }
  assert.deepEqual(await log.topics(), ["VideoStreaming"]);
});

Deno.test("where the topic of findings cannot be made the query continues, and says so once", async () => {
  const log = logOf(60);
  const createTopic = log.createTopic.bind(log);
  let asked = 0;
  log.createTopic = (topic, partitions) => {
    if (topic !== FOUND) return createTopic(topic, partitions);
    asked++;
    return Promise.reject(new LogError("REFUSED", "Not allowed to create it"));
  };
  const sink = collect<Output>();
  const running = startQuery(finder(sink), { log });
  await running.ended;
  assert.deepEqual(offsets(sink.outputs as Frame[]), upTo(60));
  assert.deepEqual(running.reports, ["Cannot keep what queries find: Not allowed to create it"]);
  assert.equal(asked, 1);
});

Deno.test("a topic of findings that cannot be made is tried again after a minute", async () => {
  const log = logOf(7);
  const clock = new FakeClock(1_000_000);
  let asked = 0;
  log.createTopic = () => {
    asked++;
    return Promise.reject(new LogError("REFUSED", "Not allowed to create it"));
  };
  const sink = collect<Output>();
  const running = startQuery(finder(sink).trigger("asap"), { log, clock });
  for (const [seen, tries, ms] of [[7, 1, 59_999], [14, 1, 1], [21, 2, 0]] as const) {
    await until("the commit", () => sink.outputs.length === seen);
    assert.equal(asked, tries);
    await clock.advance(ms);
    append(log, 7, seen);
  }
  running.stop();
  await running.ended;
});

Deno.test("a sink whose records have no topic ends its query: nothing is dropped in silence", async () => {
  const log = logOf(3);
  log.createTopic = () => Promise.reject(new LogError("REFUSED", "Not allowed to create it"));
  const record = { partition: 0, key: null, timestamp: 0, headers: {}, value: new Uint8Array() };
  const sink: Sink<Output> = {
    uri: "elsewhere",
    delivery: "exactly-once",
    open: () => ({ records: () => [{ ...record, topic: "elsewhere" }] }),
  };
  await assert.rejects(runQuery(finder(sink, {}), { log }), /Not allowed to create it/);
  assert.equal((await log.checkpoints())[0]?.committed, undefined);
});

Deno.test("findings say what their query watches, and have a stand-in where they are too large", () => {
  const frame: Frame = {
    topic: "VideoStreaming",
    partition: 2,
    offset: 7,
    timestamp: 1000,
    key: null,
    headers: {},
    value: new Uint8Array(),
    result: {
      zones: { door: 1 },
      frames: [{ offset: 7, timestamp: 1000, objects: [] }],
      data: { text: "x".repeat(1000) },
    },
  };
  const places = { zones: [], lines: [{ name: "door", from: [0, 0], to: [1, 1] }] } as const;
  const record = findingsRecord(frame, "count", places)!;
  const read = (value: Uint8Array) => JSON.parse(new TextDecoder().decode(value));
  assert.deepEqual(read(record.value).places, places);
  const smaller = record.smaller!({ code: "TOO_LARGE", message: "" });
  assert.deepEqual([smaller.topic, smaller.partition], [FOUND, 2]);
  const { zones, frames, data } = read(smaller.value);
  assert.deepEqual([zones, frames, data], [{ door: 1 }, undefined, undefined]);
});
