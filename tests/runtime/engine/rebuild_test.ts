/** What a restart rebuilds: bad frames are read again, state and frames of older commits stay known. */
import assert from "node:assert/strict";
import {
  BadFrameError,
  firstOffsetOf,
  type Frame,
  isFinding,
  type Output,
  type Window,
} from "../../../runtime/definition/frame.ts";
import type { Operator } from "../../../runtime/definition/operator.ts";
import { query } from "../../../runtime/definition/query.ts";
import type { Sink } from "../../../runtime/definition/sink.ts";
import { collect, FakeClock, runQuery, startQuery } from "../../../runtime/testing.ts";
import { windowOperator } from "../../../runtime/windows/window_operator.ts";
import { until } from "../../support/until.ts";
import { append, clock, deadLetters, logOf, offsets, upTo } from "./kit.ts";

const TOPIC = "VideoStreaming";

Deno.test("frames that failed are read again for an open window, and count once", async () => {
  const log = logOf(6);
  const sink = collect<Window>();
  let calls: number[] = [];
  const definition = query("windows").readStream({ startingOffsets: "earliest" })
    .map((frame) => {
      calls.push(frame.offset);
      if (frame.offset === 1) throw new BadFrameError("odd", "odd");
      if (frame.offset === 2) throw new Error("fails");
      return frame;
    })
    .process(windowOperator({ frames: 8 })).writeStream(sink as never).trigger("available-now");
  assert.equal((await runQuery(definition, { log, clock })).deadLettered, 2);
  append(log, 6, 6);
  calls = [];
  const again = startQuery(definition, { log, clock });
  assert.equal((await again.ended).deadLettered, 0);
  assert.deepEqual(again.reports, []);
  // The checkpoint knows that the operator fails on frame 2.
  assert.deepEqual(calls, upTo(12).filter((offset) => offset !== 2));
  assert.deepEqual(sink.outputs.map(({ frames }) => offsets(frames)), [[0, 3, 4, 5, 6, 7, 8, 9]]);
  assert.deepEqual(deadLetters(log), [["odd", 1], ["operator-error", 2]]);
});

Deno.test("the checkpoint forgets failed inputs that no restart reads again", async () => {
  const log = logOf(40);
  const definition = query("failing").readStream({
    startingOffsets: "earliest",
    maxFramesPerTrigger: 1,
  })
    .map((frame) => {
      if (frame.offset < 30) throw new Error("fails");
      return frame;
    })
    .writeStream(collect<Frame>()).trigger("available-now")
    .onOperatorError({ kind: "dead-letter", tries: 1, maxInARow: 100 });
  await runQuery(definition, { log, clock });
  assert.equal(deadLetters(log).length, 30);
  const [{ committed } = {}] = await log.checkpoints();
  assert.ok(committed!.stateBytes! < 200, `${committed!.stateBytes} bytes`);
});

Deno.test("a sink that needs outputs of old windows gets them after every restart", async () => {
  const log = logOf(14);
  const written: number[] = [];
  let refed: number[] = [];
  const first = (windows: readonly Window[]) => windows.map(({ firstOffset }) => firstOffset);
  const sink: Sink<Window> = {
    uri: "remembering",
    delivery: "exactly-once",
    open: () => ({
      write: (windows) => void written.push(...first(windows)),
      restartOffset: () => 5,
      refeed: (windows) => void refed.push(...first(windows)),
    }),
  };
  const definition = query("again").readStream({
    startingOffsets: "earliest",
    maxFramesPerTrigger: 2,
  })
    // A window is always open: the state of a batch's end is restored from before it.
    .window({ frames: 4, hop: 3 }).writeStream(sink).trigger("available-now");
  for (const more of [2, 2, 2]) {
    refed = [];
    await runQuery(definition, { log });
    append(log, more);
  }
  assert.deepEqual(written, [0, 3, 6, 9, 12]);
  assert.deepEqual(refed, [3, 6, 9, 12]);
});

Deno.test("a timer that fails again and again is given up, and the query goes on without it", async () => {
  const log = logOf(2);
  const sink = collect<Frame>();
  let calls = 0;
  const definition = query("timed").readStream({ startingOffsets: "earliest" })
    .process<Frame>({
      name: "timed",
      kind: "state",
      open: () => ({
        process: (frame) => [frame],
        nextTimer: () => 5000,
        onTimer() {
          calls++;
          throw new Error("fails");
        },
      }),
    })
    .writeStream(sink).trigger("available-now");
  const error = await runQuery(definition, { log, clock }).catch((error) => error);
  assert.deepEqual(error.input, { operator: "timed", offset: 0, timer: 5000 });
  const running = startQuery(definition, {
    log,
    clock,
    deadInputs: [{ ...error.input, message: "fails" }],
  });
  assert.equal((await running.ended).frames, 2);
  assert.equal(calls, 2);
  assert.match(running.reports.join(), /Dead-lettered: .* the timer of 5000: fails/);
  assert.deepEqual(offsets(sink.outputs), upTo(2));
});

Deno.test("an error of Framelane's own on a frame costs that frame", async () => {
  const log = logOf(3);
  const sink = collect<Frame>();
  const inspect = ([first]: Uint8Array) => {
    if (first === 1) throw new TypeError("a fault");
  };
  const definition = query("inspected").readStream({ startingOffsets: "earliest" })
    .writeStream(sink).trigger("available-now");
  assert.equal((await runQuery(definition, { log, inspect })).deadLettered, 1);
  assert.deepEqual(offsets(sink.outputs), [0, 2]);
  assert.deepEqual(deadLetters(log), [["error", 1]]);
});

Deno.test("an interval notices a topic created again that is shorter", async () => {
  for (const ms of [20, 2000]) {
    const log = logOf(10);
    const sink = collect<Frame>();
    const fake = new FakeClock(1_000_000);
    const running = startQuery(
      query("anew").readStream({ startingOffsets: "earliest", failOnDataLoss: false })
        .writeStream(sink).trigger(`interval:${ms}ms`),
      { log, clock: fake },
    );
    const outputs = (count: number) =>
      until(`${count} outputs`, () => fake.advance(ms).then(() => sink.outputs.length === count));
    await outputs(10);
    log.makeAnew(TOPIC);
    append(log, 4, 14);
    await outputs(14);
    running.stop();
    await fake.advance(ms);
    assert.equal((await running.ended).dropped, 4);
    assert.deepEqual(offsets(sink.outputs), [...upTo(10), ...upTo(4)]);
  }
});

Deno.test("a start by age begins at the first frame since then", async () => {
  const log = logOf(10);
  // Captured at 1000 to 1900.
  const clock = new FakeClock(61_450);
  for (const [startingOffsets, first] of [["-1 minutes", 5], ["-60000 ms", 5], ["-1 hours", 0]]) {
    const sink = collect<Frame>();
    const definition = query(`from${first}`).readStream({ startingOffsets } as never)
      .writeStream(sink).trigger("available-now");
    await runQuery(definition, { log, clock, group: String(startingOffsets) });
    assert.equal(sink.outputs[0]!.offset, first);
  }
});

/** Keeps an episode open from a frame on, until the run ends or a timer is due. */
function episodes(ends: "finish" | "onTimer"): Operator<Frame, Output> {
  return {
    name: "episodes",
    kind: "state",
    open({ state, topic, partition }) {
      let open = state?.[0] === 1;
      let last = Number(state?.[1] ?? 0);
      const end = () => {
        if (!open) return [];
        open = false;
        const at = { firstOffset: last, lastOffset: last, timestamp: last };
        return [{ topic, partition, key: null, ...at, result: { scores: { end: 1 } } }];
      };
      return {
        process(frame) {
          [open, last] = [true, frame.offset];
          return [frame];
        },
        snapshot: () => new Uint8Array([Number(open), last]),
        ...(ends === "onTimer" ? { nextTimer: () => open ? 0 : undefined } : {}),
        [ends]: end,
      };
    },
  };
}

for (const ends of ["finish", "onTimer"] as const) {
  Deno.test(`what ${ends} ended stays ended, though a sink needs older outputs again`, async () => {
    const log = logOf(3);
    const written: string[] = [];
    const sink: Sink = {
      uri: "remembering",
      delivery: "exactly-once",
      open: () => ({
        write(outputs) {
          for (const output of outputs) {
            written.push(`${isFinding(output) ? "end " : ""}${firstOffsetOf(output)}`);
          }
        },
        restartOffset: () => 1,
        refeed: () => {},
      }),
    };
    const definition = query("ended").readStream({ startingOffsets: "earliest" })
      .process(episodes(ends)).writeStream(sink).trigger("available-now");
    for (let run = 0; run < 6; run++) {
      if (run === 3) append(log, 1, 3);
      await runQuery(definition, { log });
    }
    assert.deepEqual(written.filter((one) => one.startsWith("end")), ["end 2", "end 3"]);
    assert.deepEqual(written.filter((one) => !one.startsWith("end")), ["0", "1", "2", "3"]);
  });
}
