import assert from "node:assert/strict";
import { alerts } from "../../../queries/operators/alerts.ts";
import {
  BadFrameError,
  type Frame,
  type Output,
  type Result,
  type Window,
} from "../../../runtime/frame.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { query } from "../../../runtime/query.ts";
import { display } from "../../../runtime/sinks/display.ts";
import type { Sink } from "../../../runtime/sinks/sink.ts";
import { collect, FakeClock, MemoryLog, runQuery, startQuery } from "../../../runtime/testing.ts";

function log(frames: number, partitions = 1): MemoryLog {
  const log = new MemoryLog();
  log.createTopic("VideoStreaming", partitions);
  append(log, frames);
  return log;
}

function append(log: MemoryLog, frames: number, from = 0, session = "s"): void {
  for (let i = from; i < from + frames; i++) {
    log.append("VideoStreaming", 0, [{
      key: "CAMERA-1",
      value: new Uint8Array([i]),
      timestamp: 1000 + i * 100,
      headers: { session, seq: String(i) },
    }]);
  }
}

const offsets = (frames: readonly Frame[]) => frames.map(({ offset }) => offset);
const upTo = (end: number) => Array.from({ length: end }, (_, i) => i);

Deno.test("available-now takes every frame once, in order, and resumes after the last", async () => {
  const source = log(10);
  const sink = collect<Frame>();
  const definition = query("all").readStream({
    startingOffsets: "earliest",
    maxFramesPerTrigger: 4,
  })
    .writeStream(sink).trigger("available-now");
  const totals = await runQuery(definition, { log: source });
  assert.deepEqual(offsets(sink.outputs), upTo(10));
  assert.equal(totals.frames, 10);
  assert.deepEqual(sink.batches.map(({ start, end }) => [start, end]), [[0, 4], [4, 8], [8, 10]]);
  assert.equal((await runQuery(definition, { log: source })).frames, 0);
  append(source, 3, 10);
  await runQuery(definition, { log: source });
  assert.deepEqual(offsets(sink.outputs), upTo(13));
});

Deno.test("once takes all there is in one batch", async () => {
  const sink = collect<Frame>();
  await runQuery(
    query("once").readStream({ startingOffsets: "earliest" }).writeStream(sink).trigger("once"),
    { log: log(200) },
  );
  assert.equal(sink.batches.length, 1);
  assert.deepEqual(offsets(sink.outputs), upTo(200));
});

Deno.test("outputs keep source order whatever order the operator finishes in", async () => {
  const source = log(50);
  const sink = collect<Frame>();
  const delays = new Map<number, PromiseWithResolvers<void>>();
  const definition = query("order").readStream({ startingOffsets: "earliest" })
    .process<Frame>({
      name: "slow",
      concurrency: 5,
      open: () => ({
        process: async (frame: Frame) => {
          const gate = Promise.withResolvers<void>();
          delays.set(frame.offset, gate);
          // Finishes in the wrong order: the last of each five first.
          if (delays.size === 5 || frame.offset === 49) {
            for (const [, waiting] of [...delays].reverse()) waiting.resolve();
            delays.clear();
          }
          await gate.promise;
          return [frame];
        },
      }),
    })
    .writeStream(sink).trigger("available-now");
  await runQuery(definition, { log: source });
  assert.deepEqual(offsets(sink.outputs), upTo(50));
});

Deno.test("asap runs until it is stopped and commits the batch that runs", async () => {
  const source = log(3);
  const sink = collect<Frame>();
  const enough = Promise.withResolvers<void>();
  const running = startQuery(
    query("asap").readStream({ startingOffsets: "earliest" })
      .map((frame) => {
        if (frame.offset === 5) enough.resolve();
        return frame;
      })
      .writeStream(sink),
    { log: source },
  );
  append(source, 3, 3);
  await enough.promise;
  running.stop();
  const totals = await running.ended;
  assert.equal(totals.frames, 6);
  assert.deepEqual(offsets(sink.outputs), upTo(6));
});

Deno.test("a bad frame costs itself and goes to the dead letters", async () => {
  const source = log(6);
  const sink = collect<Frame>();
  const totals = await runQuery(
    query("bad").readStream({ startingOffsets: "earliest" })
      .map((frame) => {
        if (frame.offset === 2) throw new BadFrameError("corrupt", "No end of image");
        return frame;
      })
      .writeStream(sink).trigger("available-now"),
    {
      log: source,
      inspect: (value) => {
        if (value[0] === 4) throw new BadFrameError("empty", "No bytes");
      },
    },
  );
  assert.deepEqual(offsets(sink.outputs), [0, 1, 3, 5]);
  assert.equal(totals.deadLettered, 2);
  const letters = source.frames("VideoStreaming.dead-letters", 0);
  assert.deepEqual(letters.map(({ value, headers }) => [value[0], headers["reason"]]), [
    [2, "corrupt"],
    [4, "empty"],
  ]);
});

Deno.test("a crash at any step and a restart give the outputs of an undisturbed run", async () => {
  for (const point of ["plan", "before-commit", "after-commit"] as const) {
    for (let at = 1; at <= 5; at++) {
      const source = log(10);
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

Deno.test("windows are the same with a restart after every batch", async () => {
  const whole = collect<Window>();
  const options = { frames: 5, hop: 2 } as const;
  await runQuery(
    query("w").readStream({ startingOffsets: "earliest" }).window(options).writeStream(whole)
      .trigger("available-now"),
    { log: log(30) },
  );
  const pieces = collect<Window>();
  const source = log(0);
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

Deno.test("a second owner fences the first, which writes nothing more", async () => {
  const source = log(3);
  const first = collect<Frame>();
  const second = collect<Frame>();
  const definition = (sink: ReturnType<typeof collect<Frame>>) =>
    query("owner").readStream({ startingOffsets: "earliest" }).writeStream(sink);
  const a = startQuery(definition(first), { log: source });
  while (first.outputs.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
  const b = startQuery(definition(second), { log: source });
  // The second one has taken over when it has read to the end.
  append(source, 1, 3);
  await assert.rejects(a.ended, (error) => error instanceof LogError && error.code === "FENCED");
  while (second.outputs.length < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  b.stop();
  await b.ended;
  assert.deepEqual(offsets(first.outputs), [0, 1, 2]);
  assert.deepEqual(offsets(second.outputs), [3]);
});

Deno.test("lost frames stop the query by name, or are counted when that is allowed", async () => {
  const source = log(10);
  const definition = (failOnDataLoss: boolean, sink = collect<Frame>()) => ({
    sink,
    definition: query("loss").readStream({ startingOffsets: "earliest", failOnDataLoss })
      .writeStream(sink).trigger("available-now"),
  });
  const first = definition(true);
  source.fail = (point) => {
    if (point === "read" && source.frames("VideoStreaming", 0).length === 10) {
      source.fail = () => {};
    }
  };
  await runQuery(first.definition, { log: source });
  append(source, 10, 10);
  source.expire("VideoStreaming", 0, 14);
  await assert.rejects(
    runQuery(first.definition, { log: source }),
    /Cannot read VideoStreaming partition 0 from offset 10: 4 frames were deleted before loss read them; the log holds 14 to 20/,
  );
  const second = definition(false);
  const totals = await runQuery(second.definition, { log: source });
  assert.deepEqual(offsets(second.sink.outputs), [14, 15, 16, 17, 18, 19]);
  assert.equal(totals.dropped, 4);
});

Deno.test("a topic made anew stops the query by name, in a run and after it", async () => {
  for (const trigger of ["asap", "available-now"] as const) {
    const source = log(10);
    const sink = collect<Frame>();
    const definition = query("anew").readStream({ startingOffsets: "earliest" })
      .writeStream(sink).trigger("available-now");
    await runQuery(definition, { log: source });
    source.makeAnew("VideoStreaming");
    append(source, 3);
    await assert.rejects(
      runQuery(definition, { log: source, overrides: { trigger: { kind: trigger } } }),
      (error) =>
        error instanceof LogError && error.code === "OFFSET_OUT_OF_RANGE" &&
        /from offset 10: the topic was deleted and made anew; the log holds 0 to 3/.test(
          error.message,
        ),
    );
    assert.deepEqual(offsets(sink.outputs), upTo(10));
  }
});

Deno.test("a topic made anew is gone on with where that is allowed, its losses counted exactly", async () => {
  const source = log(10);
  const sink = collect<number>();
  const running = startQuery(
    query("anew").readStream({ startingOffsets: "earliest", failOnDataLoss: false })
      // What is open when the old topic goes is given up: no window spans both.
      .window({ frames: 4, hop: 4 })
      .map((window: Window) => window.frames.map(({ headers }) => Number(headers["seq"])))
      .writeStream(sink as never),
    { log: source },
  );
  const windows = async (count: number) => {
    while (sink.outputs.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  await windows(2);
  source.makeAnew("VideoStreaming");
  // 10 to 16 were in the old topic only, or nowhere.
  append(source, 5, 17);
  await windows(3);
  append(source, 3, 22);
  await windows(4);
  running.stop();
  const totals = await running.ended;
  assert.deepEqual(sink.outputs, [[0, 1, 2, 3], [4, 5, 6, 7], [17, 18, 19, 20], [21, 22, 23, 24]]);
  assert.deepEqual([totals.dropped, totals.gaps, totals.frames], [7, 0, 18]);
  assert.match(running.reports.join(), /made anew: going on at 0 instead of 10/);
  assert.match(running.reports.join(), /Lost 7 frames/);
});

Deno.test("a query that starts on a topic made anew counts its losses too, where that can be known", async () => {
  for (const trigger of ["asap", "available-now"] as const) {
    for (const session of ["s", "another"]) {
      const source = log(10);
      const sink = collect<Frame>();
      const definition = query("anew")
        .readStream({ startingOffsets: "earliest", failOnDataLoss: false })
        .writeStream(sink).trigger("available-now");
      await runQuery(definition, { log: source });
      source.makeAnew("VideoStreaming");
      append(source, 3, 20, session);
      const running = startQuery(definition, {
        log: source,
        overrides: { trigger: { kind: trigger } },
      });
      while (sink.outputs.length < 13) await new Promise((resolve) => setTimeout(resolve, 1));
      running.stop();
      const { dropped, gaps } = await running.ended;
      assert.deepEqual(offsets(sink.outputs), [...upTo(10), 0, 1, 2]);
      assert.deepEqual([dropped, gaps], [session === "s" ? 10 : 0, 0]);
      assert.match(
        running.reports.join(),
        session === "s" ? /Lost 10 frames/ : /Nobody knows how many frames/,
      );
    }
  }
});

Deno.test("a restart hides no gap of the camera's numbers", async () => {
  const source = log(10);
  const definition = query("gap").readStream({ startingOffsets: "earliest" })
    .writeStream(collect<Frame>()).trigger("available-now");
  await runQuery(definition, { log: source });
  append(source, 3, 14);
  assert.equal((await runQuery(definition, { log: source })).gaps, 4);
});

/** A sink that must see its outputs again from the last offset that is a multiple of 8. */
function remembering(refed: number[]): Sink<Frame> & { outputs: Frame[] } {
  const outputs: Frame[] = [];
  return {
    uri: "remembering",
    delivery: "exactly-once",
    outputs,
    open: () => ({
      write: (more) => void outputs.push(...more),
      restartOffset: () => (outputs.at(-1)?.offset ?? 0) & ~7,
      refeed: (more) => void refed.push(...more.map(({ offset }) => offset)),
    }),
  };
}

Deno.test("frames that only a sink wants again may be gone: nothing is lost by that", async () => {
  const source = log(14);
  const refed: number[] = [];
  const sink = remembering(refed);
  const definition = query("again").readStream({
    startingOffsets: "earliest",
    maxFramesPerTrigger: 4,
  })
    .map((frame) => frame).writeStream(sink).trigger("available-now");
  await runQuery(definition, { log: source });
  append(source, 4, 14);
  source.expire("VideoStreaming", 0, 11);
  const running = startQuery(definition, { log: source });
  assert.deepEqual([(await running.ended).dropped, offsets(sink.outputs)], [0, upTo(18)]);
  assert.deepEqual(refed, [11, 12, 13]);
  assert.match(running.reports.join(), /again from offset 8: the log holds 11 on. Nothing is lost/);
});

Deno.test("frames that an open window wants again may not be gone, unless that is allowed", async () => {
  const source = log(14);
  const definition = (failOnDataLoss: boolean, sink = collect<Window>()) => ({
    sink,
    definition: query("again").readStream({ startingOffsets: "earliest", failOnDataLoss })
      .window({ frames: 8, hop: 8 }).writeStream(sink as never).trigger("available-now"),
  });
  await runQuery(definition(true).definition, { log: source });
  append(source, 8, 14);
  source.expire("VideoStreaming", 0, 11);
  await assert.rejects(
    runQuery(definition(true).definition, { log: source }),
    /from offset 8: 3 frames that its open windows need were deleted; the log holds 11 to 22/,
  );
  const { sink, definition: allowed } = definition(false);
  const totals = await runQuery(allowed, { log: source });
  // They were processed: none is lost, though a window is.
  assert.equal(totals.dropped, 0);
  assert.deepEqual(sink.outputs.map(({ firstOffset }) => firstOffset), [11]);
});

Deno.test("starting offsets: earliest, latest, JSON, last frames, timestamp", async () => {
  const cases: [Record<string, unknown>, number[]][] = [
    [{ startingOffsets: "earliest" }, upTo(6)],
    [{ startingOffsets: "latest" }, []],
    [{ startingOffsets: { VideoStreaming: { "0": 4 } } }, [4, 5]],
    [{ startingOffsets: { VideoStreaming: { "0": -2 } } }, upTo(6)],
    [{ startingOffsets: "-2 frames" }, [4, 5]],
    [{ startingTimestamp: 1300 }, [3, 4, 5]],
  ];
  for (const [options, expected] of cases) {
    const sink = collect<Frame>();
    await runQuery(
      query("start").readStream(options).writeStream(sink).trigger("available-now"),
      { log: log(6) },
    );
    assert.deepEqual(offsets(sink.outputs), expected, JSON.stringify(options));
  }
});

Deno.test("the overload policies leave out what they say and count it", async () => {
  for (
    const [policy, expected, dropped] of [
      ["wait", upTo(40), 0],
      ["latest", [39], 39],
      ["drop-oldest", upTo(40).slice(10), 10],
    ] as const
  ) {
    const sink = collect<Frame>();
    const done = Promise.withResolvers<void>();
    const running = startQuery(
      query("busy").readStream({ startingOffsets: "earliest" })
        .map((frame) => {
          if (frame.offset === 39) done.resolve();
          return frame;
        })
        .writeStream(sink).overload(policy),
      { log: log(40) },
    );
    await done.promise;
    running.stop();
    const totals = await running.ended;
    assert.deepEqual(offsets(sink.outputs), expected, policy);
    assert.equal(totals.dropped, dropped, policy);
  }
});

Deno.test("a query that takes all there is leaves nothing out", async () => {
  for (const trigger of ["available-now", "once"]) {
    const sink = collect<Frame>();
    const definition = query("all").readStream({ startingOffsets: "earliest" })
      .writeStream(sink).overload("latest").trigger(trigger);
    const totals = await runQuery(definition, { log: log(40) });
    assert.deepEqual(offsets(sink.outputs), upTo(40), trigger);
    assert.equal(totals.dropped, 0, trigger);
  }
});

Deno.test("state and timers survive a restart", async () => {
  const source = log(4);
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

Deno.test("gaps, duplicates and reorderings of the camera's numbers are counted", async () => {
  const source = log(0);
  for (const seq of [0, 1, 4, 4, 3, 5]) {
    source.append("VideoStreaming", 0, [{
      key: null,
      value: new Uint8Array([seq]),
      timestamp: seq,
      headers: { session: "s", seq: String(seq) },
    }]);
  }
  const totals = await runQuery(
    query("seq").readStream({ startingOffsets: "earliest" }).writeStream(collect<Frame>())
      .trigger("available-now"),
    { log: source },
  );
  assert.deepEqual([totals.gaps, totals.duplicates, totals.orderViolations], [2, 1, 1]);
});

Deno.test("alerts are remembered in a topic of their own, with the commit of their batch, once", async () => {
  // Scores of ten frames a second: an episode from 2 to 150, and one that is open at the end.
  const score = (offset: number) => (offset >= 2 && offset < 150) || offset >= 160 ? 0.9 : 0.1;
  const definition = (sink: Sink<Output>) =>
    query("doors").readStream({ startingOffsets: "earliest", maxFramesPerTrigger: 7 })
      .process({
        name: "scores",
        open: () => ({
          process: (
            frame: Frame,
          ) => [{ ...frame, result: { scores: { door: score(frame.offset) } } }],
        }),
      })
      .process(alerts({ label: "door" }))
      .writeStream(sink).trigger("available-now");
  for (const [sink, crashAt] of [[collect<Output>(), 4], [display(), 1]] as const) {
    const source = log(170);
    let commits = 0;
    source.fail = (point) => {
      if (point === "before-commit" && ++commits === crashAt) throw new Error("killed");
    };
    await assert.rejects(runQuery(definition(sink), { log: source }), /killed/);
    await runQuery(definition(sink), { log: source });
    const remembered = source.frames("VideoStreaming.alerts", 0);
    assert.ok(
      remembered.every(({ key, headers }) =>
        key?.startsWith("doors-0-door-") && headers["query"] === "doors"
      ),
    );
    const states = remembered.map(({ value }) => {
      const { alert, window, topic, camera } = JSON.parse(
        new TextDecoder().decode(value),
      ) as Result;
      assert.deepEqual([topic, camera], ["VideoStreaming", "CAMERA-1"]);
      return `${alert!.id.slice(-3)} ${alert!.state} ${window!.firstOffset}`;
    });
    const all = [
      "r-2 start 2",
      "r-2 update 52",
      "r-2 update 102",
      "r-2 end 150",
      "160 start 160",
      "160 end 169",
    ];
    // What goes on is told of every five seconds, and again after a restart.
    const again = states.filter((state) => !all.includes(state));
    assert.ok(
      again.length <= 3 && again.every((state) => state.startsWith("r-2 update")),
      `${again}`,
    );
    for (const edge of ["start", "end"]) {
      const edges = (list: string[]) => list.filter((state) => state.includes(edge));
      assert.deepEqual(edges(states), edges(all));
    }
  }
});

const [old, young] = [1, 2].map((generation) => ({ memberId: "m", generation }));

/** A log whose group has gone on to the young generation; take-overs pass the gate. */
function regrouped(): {
  source: MemoryLog;
  opening: PromiseWithResolvers<void>;
  gate: PromiseWithResolvers<void>;
  refused: PromiseWithResolvers<void>;
} {
  const source = log(3);
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

Deno.test("a generation that nobody tells ends the run: its restart asks for it", async () => {
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
      /no newer generation was heard of for 60 s/.test(error.message),
  );
});

Deno.test("what was shown before a restart is not shown again", async () => {
  const source = log(10);
  const definition = query("live").readStream({ startingOffsets: "earliest" })
    .writeStream(display()).trigger("available-now");
  const shown = new BigInt64Array(1);
  source.fail = (point) => {
    if (point === "before-commit") throw new Error("killed");
  };
  const first = startQuery(definition, { log: source, shown });
  await assert.rejects(first.ended, /killed/);
  assert.deepEqual(first.published.map((frame) => (frame as Frame).offset), upTo(10));
  source.fail = () => {};
  append(source, 2, 10);
  const measured: number[] = [];
  const second = startQuery(definition, {
    log: source,
    shown,
    onProgress: ({ numInputRows }) => measured.push(numInputRows),
  });
  const { outputs } = await second.ended;
  assert.deepEqual(second.published.map((frame) => (frame as Frame).offset), [10, 11]);
  assert.equal(outputs, 12);
  assert.equal(measured.reduce((sum, rows) => sum + rows, 0), 12);
});

Deno.test("what a timer makes is shown after a restart, though its frame was shown before", async () => {
  const source = log(3);
  const clock = new FakeClock(10_000);
  const silence: Output = {
    topic: "VideoStreaming",
    partition: 0,
    key: "CAMERA-1",
    firstOffset: 2,
    lastOffset: 2,
    timestamp: 5_000,
    result: {},
  };
  const fired = Promise.withResolvers<void>();
  const definition = query("silence").readStream({ startingOffsets: "earliest" })
    .transformWithState<null, Output>({
      name: "silence",
      init: () => null,
      handleInput: (_state, frame, timers) => {
        if (frame.offset === 2) timers.register(5_000);
        return [];
      },
      handleExpiredTimer: () => {
        fired.resolve();
        return [silence];
      },
    })
    .writeStream(display()).trigger("asap");
  const shown = new BigInt64Array([3n]);
  const running = startQuery(definition, { log: source, clock, shown });
  await fired.promise;
  running.stop();
  await running.ended;
  assert.deepEqual(running.published, [silence]);
});
