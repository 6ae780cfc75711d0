/** What makes no sense is refused where it is written, with what was given and what is accepted. */
import { FakeClock } from "../../../runtime/testing/fake_clock.ts";
import assert from "node:assert/strict";
import { detect, gate, model, motion, tamper, track } from "../../../queries/operators/mod.ts";
import {
  display,
  type Frame,
  query,
  type ReadStreamOptions,
  sessionWindow,
  type Window,
  type WindowOptions,
} from "../../../runtime/mod.ts";

const frames = () => query("q").readStream();
const whole = () => frames().writeStream(display());
const reads = (options: unknown) => () => query("q").readStream(options as ReadStreamOptions);
const windows = (options: unknown) => () => frames().window(options as WindowOptions);
const sessions = (options: unknown) => () =>
  frames().process(sessionWindow({ while: () => true, afterMs: 1, ...options as object }));
const state = (parts: unknown) => () =>
  frames().transformWithState({
    name: "s",
    init: () => 0,
    handleInput: () => [],
    ...parts as object,
  });

const CENTERNET = "models/centernet/model.json";
/** Operators with options, each given some that are wrong. */
const operator = (make: (options: never) => unknown, options: object) => () =>
  make(options as never);

/** What is written, and what the refusal says. */
const REFUSED: readonly [what: string, write: () => unknown, says: RegExp][] = [
  ["options that are none", reads(null), /expected an object with startingOffsets.*given null/],
  ["offsets that are none", reads({ startingOffsets: 5 }), /starting offsets 5: expected earliest/],
  ["a list of offsets", reads({ startingOffsets: [] }), /starting offsets \[\]: expected earliest/],
  [
    "an end before the end",
    reads({ endingOffsets: "-5 frames" }),
    /Cannot end a read at "-5 frames"/,
  ],
  ["an end of a number", reads({ endingOffsets: 7 }), /Cannot end a read at 7: expected latest/],
  ["an end at earliest", reads({ endingOffsets: { T: { 0: -2 } } }), /Cannot end a read at/],
  ["a delay without unit", reads({ maxTriggerDelay: 5 }), /Cannot read duration "5"|duration 5/],
  [
    "a word for a switch",
    reads({ failOnDataLoss: "no" }),
    /failOnDataLoss: expected true or false/,
  ],
  ["a name of a number", reads({ queryName: 5 }), /Cannot name a query 5: expected 1 to 64/],
  [
    "several at once",
    reads({ startingOffsets: "x", startingTimestamp: "y", maxFramesPerTrigger: 0 }),
    /starting offsets "x".*startingTimestamp "y".*maxFramesPerTrigger: expected a whole number/,
  ],
  ["no name", () => query(undefined as never), /Cannot name a query undefined/],
  ["no trigger", () => whole().trigger(undefined as never), /Cannot use trigger undefined/],
  [
    "no policy",
    () => whole().overload(undefined as never),
    /overload policy undefined: expected wait/,
  ],
  [
    "a number that is another policy's",
    () => whole().overload({ kind: "drop-oldest", every: 3 } as never),
    /overload policy drop-oldest: every: unknown; expected maxLagFrames/,
  ],
  [
    "tries without a dead letter",
    () => whole().onOperatorError({ kind: "stop", tries: 3 } as never),
    /onOperatorError stop: tries: unknown/,
  ],
  ["a name with a slip", operator(motion, { treshold: 5 }), /treshold: unknown.*mean threshold\?/],
  [
    "a wrong number of the motion before it",
    operator(gate, { minRegion: 2, everyMs: -1 }),
    /Cannot use gate options: minRegion: .*; everyMs: expected a number from 0 to 86400000, given -1/,
  ],
  ["text for a number", operator(tamper, { intervalMs: "5" }), /intervalMs: .* given "5"/],
  [
    "text for a switch",
    operator(track, { keepOthers: "no" }),
    /keepOthers: expected true or false/,
  ],
  [
    "one label alone",
    operator((o) => detect(CENTERNET, o), { labels: "person" }),
    /labels: expected a list of labels, given "person"/,
  ],
  [
    "an unknown device",
    operator((o) => detect(CENTERNET, o), { device: "gpu" }),
    /device: expected cpu, cuda, coreml or webgpu, given "gpu"/,
  ],
  [
    "half a thread",
    operator((o) => model(CENTERNET, o), { threads: 0.5, reduce: 1 }),
    /Cannot use model options: threads: .* given 0.5; reduce: expected true or false, given 1/,
  ],
  ["no windows", windows(undefined), /expected an object with frames, .*given undefined/],
  [
    "windows that never close",
    windows({ durationMs: 1, latenessMs: Infinity }),
    /latenessMs: expected/,
  ],
  [
    "more ticks than a thread can take",
    windows({ frames: 4, fps: 1e9 }),
    /fps: expected .*at most 1000/,
  ],
  [
    "a gap of a million ticks",
    windows({ frames: 4, fps: 10, maxGapMs: 1e9 }),
    /maxGapMs: expected at most 10000 ticks/,
  ],
  [
    "a frame in a million windows",
    windows({ durationMs: 1e3, hopMs: 1e-3 }),
    /hopMs: expected at least/,
  ],
  ["the same by count", windows({ frames: 1e6, hop: 1 }), /hop: expected at least frames \/ 10000/],
  [
    "options of windows by count, for windows of time",
    windows({ durationMs: 1000, hop: 1, fps: 5, latenessMs: 1, gap: "pad" }),
    /hop: goes with frames.*latenessMs, fps: expected at most one.*gap: pad goes with frames/,
  ],
  [
    "options of windows of time, for windows by count",
    windows({ frames: 4, hopMs: 1, maxStepMs: 9, silenceMs: 5, latenessMs: 5 }),
    /hopMs: goes with.*maxStepMs: goes with.*silenceMs: with frames it needs.*latenessMs: goes with/,
  ],
  [
    "more frames than a batch may have",
    reads({ minFramesPerTrigger: 65 }),
    /minFramesPerTrigger: expected at most maxFramesPerTrigger \(64\), given 65/,
  ],
  [
    "a time that is none",
    reads({ startingOffsets: "2026-13-31" }),
    /offsets "2026-13-31": expected/,
  ],
  ["sessions without an end", sessions({ maxMs: Infinity }), /maxMs: expected a number above 0/],
  ["sessions with a time in words", sessions({ afterMs: "5" }), /afterMs: expected .*given "5"/],
  ["options of other windows", sessions({ gap: 1 }), /gap: unknown; expected while, afterMs/],
  ["sessions of nothing", sessions({ while: undefined }), /while: expected a function/],
  ["metrics of nothing", () => frames().observe("m", {}), /expected metrics such as/],
  ["no operator", () => frames().process(undefined as never), /expected an operator with a name/],
  [
    "an operator that does nothing",
    () => frames().process({ name: "x" } as never),
    /function open/,
  ],
  [
    "no step",
    () => frames().process({ name: "x", open: () => ({ process: () => [] }) }, null as never),
    /Cannot add a step: expected an object with name, state/,
  ],
  [
    "no processor",
    () => frames().transformWithState(undefined as never),
    /Cannot keep the state of a step named undefined/,
  ],
  [
    "a timer's handler that is none",
    state({ handleExpiredTimer: 5 }),
    /Cannot use handleExpiredTimer of s: expected a function/,
  ],
  [
    "steps that are no names",
    () => whole().dropState(5 as never),
    /Cannot drop the state of \[5\]/,
  ],
  [
    "a sink that cannot be opened",
    () => frames().writeStream({ open: 5 } as never),
    /with the sink {"open":5}: expected one such as/,
  ],
];

for (const [what, write, says] of REFUSED) {
  Deno.test(`refused at definition: ${what}`, () => assert.throws(write, { message: says }));
}

Deno.test("a session asks for an answer at once", async () => {
  const { open } = sessionWindow({
    while: ((_frame: Frame) => Promise.resolve(false)) as never,
    afterMs: 1,
  });
  const task = await open({ clock: new FakeClock() } as never);
  assert.throws(
    () => task.process({ timestamp: 0 } as Frame),
    /Cannot use an asynchronous while in session/,
  );
});

Deno.test("a step of another name keeps all else that its operator says", () => {
  const said = { settings: "s", reads: ["model.onnx"], concurrency: 2, observes: "seen" };
  const open = () => ({ process: (item: Frame) => [item] });
  const { plan } = frames().process({ name: "a", ...said, open }, { name: "b" })
    .writeStream(display());
  const { open: _, ...step } = plan.operators[0]!;
  assert.deepEqual(step, { name: "b", ...said });
  class Counter {
    #own = "state" as const;
    name = "a";
    open = open;
    get kind() {
      return this.#own;
    }
  }
  const own = frames().process(new Counter(), { name: "b" }).writeStream(display()).plan.operators;
  assert.deepEqual([own[0]!.name, own[0]!.kind], ["b", "state"]);
});

Deno.test("an odd window that makes sense is taken", () => {
  const first = (window: Window) => window.frames[0]!;
  for (const options of [{ frames: 1 }, { frames: 2, hop: 9 }, { durationMs: 5, hopMs: 50 }]) {
    frames().window(options).map(first).writeStream(display());
  }
});
