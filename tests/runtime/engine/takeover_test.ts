/** Who may commit: a second owner, and the generations of a group. */
import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/definition/frame.ts";
import type { Sink } from "../../../runtime/definition/sink.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { query } from "../../../runtime/definition/query.ts";
import { display } from "../../../runtime/sinks/display.ts";
import { foreachBatch } from "../../../runtime/sinks/foreach.ts";
import { collect, FakeClock, type MemoryLog, startQuery } from "../../../runtime/testing.ts";
import { append, logOf, offsets, upTo } from "./kit.ts";
import { until } from "../../support/until.ts";

Deno.test("a second owner fences the first, which writes nothing more", async () => {
  const source = logOf(3);
  const first = collect<Frame>();
  const second = collect<Frame>();
  const definition = (sink: ReturnType<typeof collect<Frame>>) =>
    query("owner").readStream({ startingOffsets: "earliest" }).writeStream(sink);
  const a = startQuery(definition(first), { log: source });
  await until("3 outputs", () => first.outputs.length >= 3);
  const b = startQuery(definition(second), { log: source });
  // The second one has taken over when it has read to the end.
  append(source, 1, 3);
  await assert.rejects(a.ended, (error) => error instanceof LogError && error.code === "FENCED");
  await until("1 outputs", () => second.outputs.length >= 1);
  b.stop();
  await b.ended;
  assert.deepEqual(offsets(first.outputs), [0, 1, 2]);
  assert.deepEqual(offsets(second.outputs), [3]);
});

const [old, young] = [1, 2].map((generation) => ({ memberId: "m", generation }));

/** A log whose group has gone on to the young generation; take-overs pass the gate. */
function regrouped(): {
  source: MemoryLog;
  opening: PromiseWithResolvers<void>;
  gate: PromiseWithResolvers<void>;
  refused: PromiseWithResolvers<void>;
} {
  const source = logOf(3);
  const opening = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const refused = Promise.withResolvers<void>();
  const open = source.committer.bind(source);
  source.committer = async (options) => {
    opening.resolve();
    await gate.promise;
    const committer = await open(options);
    let membership = options.membership;
    return {
      queryId: committer.queryId,
      committed: committer.committed,
      planned: committer.planned,
      plan: (batch) => committer.plan(batch),
      // deno-lint-ignore require-await
      commit: async (...args) => {
        if (membership !== young) {
          refused.resolve();
          throw new LogError("STALE_MEMBERSHIP", "It is of the past");
        }
        return committer.commit(...args);
      },
      renew: (newer) => void (membership = newer),
      close: () => committer.close(),
    };
  };
  return { source, opening, gate, refused };
}

Deno.test("a generation that comes during a take-over is the one that commits", async () => {
  const { source, opening, gate } = regrouped();
  const sink = collect<Frame>();
  const running = startQuery(
    query("renewed").readStream({ startingOffsets: "earliest" }).writeStream(sink)
      .trigger("available-now"),
    { log: source, membership: old! },
  );
  await opening.promise;
  running.renew(young!);
  gate.resolve();
  await running.ended;
  assert.deepEqual(offsets(sink.outputs), upTo(3));
});

Deno.test("a generation that is not announced ends the run: its restart asks for it", async () => {
  const { source, gate, refused } = regrouped();
  gate.resolve();
  const clock = new FakeClock();
  const running = startQuery(
    query("renewed").readStream({ startingOffsets: "earliest" })
      .writeStream(collect<Frame>()).trigger("available-now"),
    { log: source, membership: old!, clock },
  );
  await refused.promise;
  // The wait begins after the refusal.
  await clock.advance(0);
  await clock.advance(60_000);
  await assert.rejects(
    running.ended,
    (error) =>
      error instanceof LogError && error.code === "STALE_MEMBERSHIP" && error.retryable &&
      /no newer generation came in 60 s/.test(error.message),
  );
});

Deno.test("a run in whose place another one was started commits nothing", async () => {
  const source = logOf(3);
  let owned = true;
  const definition = query("replaced").readStream({ startingOffsets: "earliest" })
    .map((frame: Frame) => {
      owned = false;
      return frame;
    })
    .writeStream(display()).trigger("available-now");
  const running = startQuery(definition, { log: source, owns: () => owned });
  await assert.rejects(
    running.ended,
    (error) => error instanceof LogError && error.code === "FENCED",
  );
  assert.equal((await source.checkpoints({}))[0]?.committed, undefined);
});

Deno.test("a run that is aborted while its operators open, opens no sink: the next one may have it", async () => {
  const opening = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let opened = 0;
  const running = startQuery(
    query("slow").readStream().process<Frame>({
      name: "slow",
      open: async () => {
        opening.resolve();
        await gate.promise;
        return { process: (frame) => [frame] };
      },
    }).writeStream({ uri: "once", delivery: "exactly-once", open: () => (opened++, {}) }),
    { log: logOf(0) },
  );
  await opening.promise;
  running.stop("abort");
  gate.resolve();
  await running.ended;
  assert.equal(opened, 0);
});

Deno.test("a run that is aborted while a sink takes its batch gives it to no other sink: the next one may", async () => {
  const writing = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const calls: string[] = [];
  const slow: Sink<Frame> = {
    uri: "slow",
    delivery: "exactly-once",
    open: () => ({ write: () => (writing.resolve(), gate.promise) }),
  };
  const running = startQuery(
    query("busy").readStream({ startingOffsets: "earliest" })
      .writeStream(slow, foreachBatch(() => void calls.push("function"))),
    { log: logOf(1) },
  );
  await writing.promise;
  running.stop("abort");
  gate.resolve();
  await running.ended;
  assert.deepEqual(calls, []);
});
