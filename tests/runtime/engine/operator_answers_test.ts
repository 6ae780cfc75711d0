/** What operators answer between their inputs, and sinks that fail: named, and never for ever. */
import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/definition/frame.ts";
import type { Operator } from "../../../runtime/definition/operator.ts";
import { OperatorError } from "../../../runtime/definition/operator_error.ts";
import { query } from "../../../runtime/definition/query.ts";
import { foreachBatch } from "../../../runtime/sinks/foreach.ts";
import { collect, FakeClock, runQuery, startQuery } from "../../../runtime/testing.ts";
import { records } from "../../support/frames.ts";
import { withLog } from "../../support/log.ts";
import { logOf, offsets, upTo } from "./kit.ts";
import { freePort } from "../../../tools/kafka/probe.ts";

// deno-lint-ignore no-explicit-any
type Anything = any;

Deno.test("timers that are no time, or stand still, are refused by the operator's name", async () => {
  const timed = (register: (time: number) => number) => {
    const definition = query("timers").readStream({ startingOffsets: "earliest" })
      .transformWithState<object, Frame>({
        name: "alarm",
        init: () => ({}),
        handleInput(_, frame, timers) {
          timers.register(register(1));
          return [frame];
        },
        handleExpiredTimer(_, time, timers) {
          timers.register(register(time));
          return [];
        },
      }).writeStream(collect<Frame>()).trigger("available-now");
    return runQuery(definition, { log: logOf(3), clock: new FakeClock(10_000) });
  };
  await assert.rejects(
    timed(() => NaN),
    /alarm of query timers .* offset 0: Cannot register a timer of alarm at NaN/,
  );
  // A time of its own that comes again, at a later start: once handled, it must not stand.
  const custom = (nextTimer: () => number) => {
    const operator: Operator<Frame, Frame> = {
      name: "tick",
      kind: "state",
      open: () => ({ process: (frame) => [frame], nextTimer, onTimer: () => [] }),
    };
    return runQuery(
      query("ticks").readStream({ startingOffsets: "earliest" }).process(operator)
        .writeStream(collect<Frame>()).trigger("available-now"),
      { log: logOf(3), clock: new FakeClock(10_000) },
    );
  };
  await assert.rejects(custom(() => NaN), {
    code: "OPERATOR_FAILED",
    message: /tick of query ticks .*Cannot set a timer at NaN/,
  });
  await assert.rejects(
    custom(() => 5),
    /tick of query ticks .* the timer of 5: Cannot set the same timer/,
  );
});

Deno.test("an operator that fails on no input is named, and answers that make no sense end its query", async () => {
  const fail = () => {
    throw new TypeError("Cannot read gauge");
  };
  const task = (answers: Anything) => () => ({ process: (frame: Frame) => [frame], ...answers });
  const faults: [open: () => Anything, says: RegExp, code?: string][] = [
    [fail, /Cannot read gauge/],
    [() => Promise.reject(null), /null was thrown/],
    [
      () => null,
      /Cannot use what open returned, null: expected a function process/,
      "OPERATOR_FAILED",
    ],
    [() => ({}), /Cannot use what open returned, \{\}/, "OPERATOR_FAILED"],
    [task({ snapshot: fail }), /Cannot read gauge/],
    [task({ snapshot: () => 7 }), /Cannot save 7 as state/, "OPERATOR_FAILED"],
    [task({ restartOffset: fail }), /Cannot read gauge/],
    [task({ restartOffset: () => NaN }), /Cannot restart at NaN/, "OPERATOR_FAILED"],
    [task({ restartOffset: () => -1 }), /Cannot restart at -1/, "OPERATOR_FAILED"],
    [task({ nextTimer: fail }), /Cannot read gauge/],
    [task({ nextTimer: () => "5" }), /Cannot set a timer at "5"/, "OPERATOR_FAILED"],
    [task({ watermark: fail }), /Cannot read gauge/],
  ];
  for (const [open, says, code] of faults) {
    const operator: Operator<Frame, Frame> = { name: "gauge", kind: "state", open };
    const definition = query("faulty").readStream({ startingOffsets: "earliest" })
      .process(operator).writeStream(collect<Frame>()).trigger("available-now");
    const error = await runQuery(definition, { log: logOf(4) }).then(() => undefined, (e) => e);
    assert.ok(error instanceof OperatorError, `${says}: ${error}`);
    assert.match(
      error.message,
      /^Operator gauge of query faulty failed at VideoStreaming partition 0: /,
    );
    assert.match(error.message, says);
    assert.equal(error.input, undefined);
    assert.equal(error.code, code);
  }
});

Deno.test("a state that no checkpoint takes stops the query with what to do", async () => {
  await withLog(async (_url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const producer = await log.producer();
    await producer.append("VideoStreaming", 0, records(1, 1));
    await producer.close();
    const definition = query("hoarder").readStream({ startingOffsets: "earliest" })
      .transformWithState<{ kept: string }, Frame>({
        name: "keeps-all",
        init: () => ({ kept: "" }),
        handleInput(state, frame) {
          state.kept = "x".repeat(2 ** 21);
          return [frame];
        },
      }).writeStream(collect<Frame>()).trigger("available-now");
    await assert.rejects(runQuery(definition, { log }), {
      code: "TOO_LARGE",
      message:
        /Cannot save the state of this query, \d+ bytes \(keeps-all \d+ bytes\): .*Keep less/,
    });
  });
});

Deno.test("what a sink throws is named with its batch; the code of another system stays", async () => {
  const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  const port = freePort();
  const failures: [() => unknown, string | undefined][] = [
    [() => {
      throw new TypeError("no code");
    }, undefined],
    [() => Promise.reject(refused), "ECONNREFUSED"],
    [() => Promise.reject(new Error("upload", { cause: refused })), "ECONNREFUSED"],
    [() => fetch(`http://127.0.0.1:${port}/`), "FETCH_FAILED"],
    [() => Promise.reject(new DOMException("too late", "TimeoutError")), "TIMED_OUT"],
  ];
  for (const [fail, code] of failures) {
    const definition = query("faulty").readStream({ startingOffsets: "earliest" })
      .writeStream(foreachBatch(async () => void await fail())).trigger("available-now");
    await assert.rejects(runQuery(definition, { log: logOf(4) }), {
      name: "SinkFailedError",
      code,
      message:
        /^Sink foreachBatch of query faulty failed at VideoStreaming partition 0, batch 0 \(offsets 0 to 3\): /,
    });
  }
});

Deno.test("an operator may use one list for all its outputs, and a list may fail when it is read", async () => {
  const list: Frame[] = [];
  const reused: Operator<Frame, Frame> = {
    name: "reused",
    concurrency: 4,
    open: () => ({
      process(frame) {
        list.splice(0, list.length, frame);
        return list;
      },
    }),
  };
  const traps: Operator<Frame, Frame> = {
    name: "traps",
    open: () => ({
      process: (frame) =>
        frame.offset !== 5 ? [frame] : new Proxy([frame], {
          get(target, property) {
            if (property === "length") throw new Error("no length");
            return Reflect.get(target, property);
          },
        }),
    }),
  };
  const sink = collect<Frame>();
  const definition = query("lists").readStream({ startingOffsets: "earliest" })
    .process(reused).process(traps).map((frame) => frame)
    .writeStream(sink).trigger("available-now");
  const { deadLettered } = await runQuery(definition, { log: logOf(10) });
  assert.deepEqual(offsets(sink.outputs), upTo(10).filter((offset) => offset !== 5));
  assert.equal(deadLettered, 1);
});

Deno.test("promises of any library are waited for in map and filter", async () => {
  const promised = <T>(value: T) => ({ then: (use: (value: T) => void) => use(value) }) as Anything;
  const sink = collect<Frame>();
  const definition = query("promises").readStream({ startingOffsets: "earliest" })
    .map((frame): Frame => promised(frame)).filter(({ offset }) => promised(offset % 2 === 0))
    .writeStream(sink).trigger("available-now");
  await runQuery(definition, { log: logOf(5) });
  assert.deepEqual(offsets(sink.outputs), [0, 2, 4]);
});

Deno.test("results of a query's own items are its own, and are not recorded", async () => {
  const log = logOf(3);
  const sink = collect<unknown>();
  const definition = query("own").readStream({ startingOffsets: "earliest" })
    .map((frame): unknown =>
      frame.offset === 0 ? { result: null } : { result: { scores: { a: 1 } } }
    )
    .writeStream(sink).trigger("available-now");
  await runQuery(definition, { log });
  assert.equal(sink.outputs.length, 3);
  assert.deepEqual(await log.topics(), ["VideoStreaming"]);
});

Deno.test("a query's own items may have fields named as those of frames", async () => {
  const items = [
    { topic: "cams/1/alert", payload: "" },
    { partition: 0, result: { ok: true } },
    { topic: "cams/1/alert", partition: 7, offset: 1, result: { ok: true } },
  ];
  const given: unknown[] = [];
  const definition = query("own").readStream({ startingOffsets: "earliest" })
    .map(({ offset }): unknown => items[offset])
    .writeStream(foreachBatch((outputs) => void given.push(...outputs))).trigger("available-now");
  const { deadLettered } = await runQuery(definition, { log: logOf(3) });
  assert.deepEqual([given, deadLettered], [items, 0]);
});

Deno.test("a handler that returns text when a timer is due fails: its letters are not outputs", async () => {
  const text: Anything = "text";
  for (const [answer, expired] of [[text, []], [[], text]]) {
    const definition = query("text").readStream({ startingOffsets: "earliest" })
      .transformWithState<object, string>({
        name: "talks",
        timeMode: "event",
        init: () => ({}),
        handleInput(_, { offset, timestamp }, timers) {
          timers.register(timestamp + 1);
          return offset === 0 ? [] : answer;
        },
        handleExpiredTimer: () => expired,
      }).writeStream(collect<string>()).trigger("available-now");
    await assert.rejects(
      runQuery(definition, { log: logOf(2) }),
      /talks of query text .*Cannot use string as outputs/,
    );
  }
});

Deno.test("what a sink does with its batch changes nothing for the next sink, and nothing in the checkpoint", async () => {
  const refused: string[] = [];
  const evil = foreachBatch<Frame>((...args) => {
    const [outputs, batch, context] = args as unknown as [Frame[], Anything, Anything];
    const attempts = [
      () => outputs.length = 0,
      () => outputs.reverse(),
      () => batch.end = 1,
      () => context.partition = 7,
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (error) {
        refused.push((error as Error).name);
      }
    }
  });
  const log = logOf(3);
  const sink = collect<Frame>();
  const definition = query("shared").readStream({ startingOffsets: "earliest" })
    .writeStream(evil, sink).trigger("available-now");
  assert.equal((await runQuery(definition, { log })).frames, 3);
  assert.deepEqual(refused, new Array(4).fill("TypeError"));
  assert.deepEqual(offsets(sink.outputs), upTo(3));
  assert.equal((await runQuery(definition, { log })).frames, 0);
});

Deno.test("operators that fail to close leave none open, and are reported whatever they throw", async () => {
  for (const thrown of [new Error("no"), null, undefined]) {
    const closed: string[] = [];
    const closing = (name: string): Operator<Frame, Frame> => ({
      name,
      open: () => ({
        process: (frame) => [frame],
        close() {
          closed.push(name);
          throw thrown;
        },
      }),
    });
    const sink = collect<Frame>();
    const definition = query("closing").readStream({ startingOffsets: "earliest" })
      .process(closing("first")).process(closing("second"))
      .writeStream({
        ...sink,
        open: (context) => ({ ...sink.open(context), close: () => Promise.reject(thrown) }),
      })
      .trigger("available-now");
    const running = startQuery(definition, { log: logOf(3) });
    assert.equal((await running.ended).frames, 3);
    assert.deepEqual(closed, ["first", "second"]);
    assert.equal(running.reports.length, 2, running.reports.join());
    assert.match(running.reports[1]!, /Cannot close: Operator first of query closing/);
  }
});

Deno.test("answers of a sink that make no sense end its query, by the sink's name", async () => {
  const record = {
    ...{ topic: "out", partition: 0, key: null, timestamp: 5, headers: {} },
    value: new Uint8Array(1),
  };
  const records = (parts: Anything) => ({ records: () => [{ ...record, ...parts }] });
  const faults: [task: Anything, says: RegExp][] = [
    [undefined, /on opening: Cannot use what open returned, undefined/],
    [5, /on opening: Cannot use what open returned, 5/],
    [{ restartOffset: () => NaN }, /batch 0 .* Cannot restart at NaN: expected an offset/],
    [{ restartOffset: () => -5 }, /Cannot restart at -5/],
    [{ records: () => null }, /Cannot write null as records: expected a list/],
    [{ records: () => [undefined] }, /a record whose topic is undefined/],
    [records({ topic: "../out" }), /a record whose topic is "..\/out"/],
    [records({ topic: "VideoStreaming" }), /other than VideoStreaming, which is read/],
    [records({ partition: NaN }), /a record whose partition is NaN/],
    [records({ key: 7 }), /a record whose key is 7/],
    [records({ value: "text" }), /a record whose value is "text"/],
    [records({ timestamp: "5" }), /a record whose timestamp is "5"/],
    [records({ headers: null }), /a record whose headers is null/],
    [records({ headers: { lux: 5 } }), /a record whose header lux is 5/],
  ];
  for (const [task, says] of faults) {
    const definition = query("faulty").readStream({ startingOffsets: "earliest" })
      .writeStream({ uri: "mine", delivery: "exactly-once", open: () => task })
      .trigger("available-now");
    await assert.rejects(runQuery(definition, { log: logOf(4) }), (error: Anything) => {
      assert.match(
        error.message,
        /^Sink mine of query faulty failed at VideoStreaming partition 0, /,
      );
      assert.match(error.message, says);
      assert.equal(error.code, "OPERATOR_FAILED");
      return true;
    });
  }
});
