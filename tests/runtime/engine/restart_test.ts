/** What a streaming query keeps from one run to the next. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Frame, Window } from "../../../runtime/definition/frame.ts";
import type { StreamingQueryProgress } from "../../../runtime/definition/progress.ts";
import type { Operator } from "../../../runtime/definition/operator.ts";
import { query, type Stream } from "../../../runtime/definition/query.ts";
import { display } from "../../../runtime/sinks/display.ts";
import { foreachBatch } from "../../../runtime/sinks/foreach.ts";
import { collect, type LogReader, runQuery, startQuery } from "../../../runtime/testing.ts";
import { windowOperator } from "../../../runtime/windows/window_operator.ts";
import type { WindowOptions } from "../../../runtime/windows/window_options.ts";
import { until } from "../../support/until.ts";
import { append, logOf, offsets, upTo } from "./kit.ts";

Deno.test("a crash at any step and a restart give the outputs of an undisturbed run", async () => {
  for (const point of ["plan", "before-commit", "after-commit"] as const) {
    for (let at = 1; at <= 5; at++) {
      const source = logOf(10);
      const definition = (sink: ReturnType<typeof collect<Frame>>) =>
        query("crash").readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 3 })
          .writeStream(sink, {
            uri: "topic:OUT",
            delivery: "exactly-once",
            open: () => ({
              records: (outputs) =>
                outputs.map((frame) => ({
                  topic: "OUT",
                  partition: (frame as Frame).partition,
                  key: (frame as Frame).key,
                  value: (frame as Frame).value,
                  timestamp: (frame as Frame).timestamp,
                  headers: {},
                })),
            }),
          }).trigger("available-now");
      let calls = 0;
      source.fail = (where) => {
        if (where === point && ++calls === at) throw new Error("crash");
      };
      await runQuery(definition(collect()), { log: source }).catch((error) =>
        assert.equal(error.message, "crash")
      );
      source.fail = () => {};
      await runQuery(definition(collect()), { log: source });
      assert.deepEqual(source.frames("OUT", 0).map(({ value }) => value[0]), upTo(10));
    }
  }
});

Deno.test("a batch for foreachBatch comes again with its frames, and without those dropped before it", async () => {
  for (const overload of ["latest", { kind: "drop-oldest", maxLagFrames: 4 }] as const) {
    const source = logOf(10);
    const calls: string[] = [];
    const again = Promise.withResolvers<void>();
    const definition = query("again").readStream({ startingOffsets: "earliest" })
      .writeStream(foreachBatch<Frame>((frames, { batchId }) => {
        calls.push(`${batchId}: ${offsets(frames)}`);
        if (calls.length === 1) throw new Error("crash");
        again.resolve();
      })).overload(overload);
    const first = startQuery(definition, { log: source });
    await assert.rejects(first.ended, /crash/);
    append(source, 1, 10);
    const second = startQuery(definition, { log: source });
    await again.promise;
    second.stop();
    await second.ended;
    assert.equal(calls[1], calls[0]);
  }
});

Deno.test("a batch for foreachBatch is one commit where the log has holes and nothing is dropped", async () => {
  for (const overload of ["wait", { kind: "drop-oldest", maxLagFrames: 100 }] as const) {
    const source = logOf(0);
    const opened = await source.reader();
    source.reader = () => Promise.resolve({ ...opened, open: withoutHoles(opened) });
    let commits = 0;
    source.fail = (where) => void (where === "after-commit" && commits++);
    const calls: string[] = [];
    const definition = query("holes").readStream({ startingOffsets: "earliest" })
      .writeStream(foreachBatch<Frame>((frames) => void calls.push(String(offsets(frames)))))
      .overload(overload);
    const running = startQuery(definition, { log: source });
    for (let i = 0; i < 10; i++) {
      source.append("VideoStreaming", 0, [HOLE]);
      append(source, 1, i);
      await until("the batch", () => calls.length > i);
    }
    running.stop();
    await running.ended;
    assert.deepEqual([calls, commits], [upTo(10).map((i) => String(2 * i + 1)), 10]);
  }
});

/** What takes an offset, as the end of a transaction does, and is no frame. */
const HOLE = { key: "", value: new Uint8Array(), timestamp: 0, headers: {} };

function withoutHoles(reader: LogReader): LogReader["open"] {
  return async (...place) => {
    const source = await reader.open(...place);
    const read: typeof source.read = async (...limits) => {
      const frames = await source.read(...limits);
      const found = frames.filter(({ value }) => value.length > 0);
      return found.length > 0 || frames.length === 0 ? found : await read(...limits);
    };
    return Object.assign(Object.create(source) as typeof source, { read });
  };
}

Deno.test("frames of a batch that was not committed are counted once: by the run that commits it", async () => {
  for (const live of [false, true]) {
    const source = logOf(10);
    const counted: number[] = [];
    const definition = () => {
      const stream = query("count").readStream({
        startingOffsets: "earliest",
        maxFramesPerTrigger: 3,
      });
      return (live ? stream.writeStream(display()) : stream.writeStream(collect<Frame>()))
        .trigger("available-now");
    };
    let calls = 0;
    source.fail = (where) => {
      if (where === "before-commit" && ++calls === (live ? 1 : 3)) throw new Error("crash");
    };
    const onProgress = ({ totals }: StreamingQueryProgress) => void counted.push(totals.frames);
    await assert.rejects(runQuery(definition(), { log: source, onProgress }), /crash/);
    assert.equal(counted.at(-1), live ? undefined : 6);
    source.fail = () => {};
    const { frames } = await runQuery(definition(), { log: source });
    assert.equal(frames, live ? 10 : 4);
  }
});

Deno.test("windows are the same with a restart after every batch", async () => {
  const whole = collect<Window>();
  const options = { frames: 5, hop: 2 } as const;
  await runQuery(
    query("w").readStream({ startingOffsets: "earliest" }).window(options).writeStream(whole)
      .trigger("available-now"),
    { log: logOf(30) },
  );
  const pieces = collect<Window>();
  const source = logOf(0);
  for (let i = 0; i < 30; i += 3) {
    append(source, 3, i);
    await runQuery(
      query("w").readStream({ startingOffsets: "earliest" }).window(options).writeStream(pieces)
        .trigger("available-now"),
      { log: source },
    );
  }
  const shape = (windows: readonly Window[]) => windows.map(({ frames }) => offsets(frames));
  assert.equal(whole.outputs.length, 13);
  assert.deepEqual(shape(pieces.outputs), shape(whole.outputs));
});

/** Says of each frame which ones it saw last; a restart reads these again. */
function recent(onFrame = () => {}): Operator<Frame, Frame> {
  return {
    name: "recent",
    kind: "window",
    open() {
      let last: number[] = [];
      return {
        process(frame) {
          onFrame();
          last = [...last.filter((seen) => seen !== frame.offset), frame.offset].slice(-3);
          return [{ ...frame, result: { data: { last } } }];
        },
        restartOffset: () => last.at(-2) ?? last[0],
      };
    },
  };
}

const step = (operator: unknown) => operator as Operator<Frame, Frame>;
const twice = step({
  name: "twice",
  open: () => ({ process: (frame: Frame) => [frame, { ...frame, key: "again" }] }),
});
/** The first frames of windows. */
const firsts = (options: WindowOptions) => [
  step(windowOperator(options)),
  step({ name: "first", open: () => ({ process: ({ frames }: Window) => frames.slice(0, 1) }) }),
];
const upTo12 = fc.integer({ min: 1, max: 12 });
const ms = fc.integer({ min: 200, max: 1500 });
const arbitrarySteps = fc.array(
  fc.oneof(
    fc.constantFrom([recent()], [twice]),
    fc.record({ frames: upTo12, hop: upTo12 }).map(firsts),
    fc.record({ durationMs: ms }).map(firsts),
  ),
  { minLength: 1, maxLength: 3 },
);

Deno.test("windows are the same after restarts, whatever steps come before them", () =>
  fc.assert(
    fc.asyncProperty(arbitrarySteps, fc.array(upTo12), upTo12, async (steps, pieces, frames) => {
      const seen = async (parts: readonly number[]) => {
        const log = logOf(0);
        const sink = collect<Window>();
        let from = 0;
        for (const part of parts) {
          append(log, part, from);
          from += part;
          const read = query("any")
            .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 4 });
          const stream = steps.flat().reduce<Stream<Frame>>(
            (stream, operator, i) => stream.process(operator, { name: `step ${i}` }),
            read,
          ).process(windowOperator({ frames, hop: 2 }));
          await runQuery(stream.writeStream(sink).trigger("available-now"), { log });
        }
        return sink.outputs.map(({ frames }) =>
          frames.map(({ offset, key, result }) => [offset, key, result])
        );
      };
      const sum = pieces.reduce((all, part) => all + part, 0);
      assert.deepEqual(await seen(pieces), await seen([sum]));
    }),
    { numRuns: 200 },
  ));

Deno.test("a restart reads little more again than the windows need, however many batches they span", async () => {
  const log = logOf(900);
  let read = 0;
  const definition = query("long")
    .readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 1 })
    .process(recent(() => read++)).process(windowOperator({ frames: 300, hop: 1 }))
    .writeStream(collect()).trigger("available-now");
  await runQuery(definition, { log });
  read = 0;
  await runQuery(definition, { log });
  assert.ok(read >= 299 && read <= 310, `${read} frames were read again`);
});

Deno.test("state and timers survive a restart", async () => {
  const source = logOf(4);
  const sink = collect<string>();
  const definition = () =>
    query("state").readStream({ startingOffsets: "earliest" })
      .transformWithState<{ count: number }, string>({
        name: "count",
        init: () => ({ count: 0 }),
        handleInput: (state, frame) => [`${frame.offset}:${++state.count}`],
      })
      .writeStream(sink).trigger("available-now");
  await runQuery(definition(), { log: source });
  append(source, 2, 4);
  await runQuery(definition(), { log: source });
  assert.deepEqual(sink.outputs, ["0:1", "1:2", "2:3", "3:4", "4:5", "5:6"]);
});

Deno.test("a restart hides no gap of the camera's numbers", async () => {
  const source = logOf(10);
  const definition = query("gap").readStream({ startingOffsets: "earliest" })
    .writeStream(collect<Frame>()).trigger("available-now");
  await runQuery(definition, { log: source });
  append(source, 3, 14);
  assert.equal((await runQuery(definition, { log: source })).gaps, 4);
});
