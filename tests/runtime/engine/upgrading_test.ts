/** The table of `docs/upgrading.md`, row by row. */
import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/definition/frame.ts";
import { query, type QueryDefinition, type Stream } from "../../../runtime/definition/query.ts";
import { windowOperator } from "../../../runtime/windows/window_operator.ts";
import type { Sink } from "../../../runtime/definition/sink.ts";
import { collect, runQuery, startQuery } from "../../../runtime/testing.ts";
import { append, logOf } from "./kit.ts";

const page = await Deno.readTextFile(new URL("../../../docs/upgrading.md", import.meta.url));

/** Counts frames, and notes the count under the step's name. */
const counter = (name: string, by = 1) => ({
  name,
  init: () => ({ n: 0 }),
  handleInput: (state: { n: number }, frame: Frame) => {
    state.n += by;
    return [{ ...frame, result: { scores: { ...frame.result?.scores, [name]: state.n } } }];
  },
});

type Steps = (stream: Stream<Frame>) => Stream<Frame>;
type Define = (sink: Sink<Frame>) => QueryDefinition;

const define = (steps: Steps, options = {}, name = "q"): Define => (sink) =>
  steps(query(name).readStream({ startingOffsets: "earliest", ...options })).writeStream(sink)
    .trigger("available-now");

const count: Steps = (frames) => frames.transformWithState(counter("count"));
const a: Steps = (frames) => frames.transformWithState(counter("a"));
const windows = (frames: number, name?: string): Steps => (stream) =>
  stream.process(windowOperator({ frames }), name === undefined ? {} : { name })
    .map((window) => ({
      ...window.frames[0]!,
      result: { scores: { first: window.firstOffset, frames: window.frames.length } },
    }));

/** What a change gives: the scores of the last output, how many outputs there are, what is reported. */
interface Expected {
  readonly scores?: Readonly<Record<string, number>>;
  readonly outputs?: number;
  readonly report?: RegExp;
  readonly refused?: RegExp;
}

/** Four frames by the first definition, four by the second: what is expected of the second run. */
const ROWS: readonly [change: string, happens: string, Define, Define, Expected][] = [
  ["nothing", "continues where it was", define(count), define(count), {
    scores: { count: 8 },
    outputs: 4,
  }],
  [
    "a step without state is added, removed or moved",
    "continues where it was",
    define((s) => count(s.map((frame) => frame))),
    define((s) => count(s.filter(() => true)).map((frame) => frame)),
    { scores: { count: 8 } },
  ],
  [
    "steps with state change places",
    "each keeps its state",
    define((s) => count(a(s))),
    define((s) => a(count(s))),
    { scores: { a: 8, count: 8 } },
  ],
  [
    "a step with state is added",
    "it begins without state, and that is reported",
    define(count),
    define((s) => a(count(s))),
    { scores: { a: 4, count: 8 }, report: /step a is new/ },
  ],
  [
    "a step with state is removed or renamed",
    "refused by name (`CHECKPOINT_CHANGED`)",
    define(count),
    define(a),
    { refused: /named "count", and the query has "a"/ },
  ],
  [
    "… and the query drops it with `dropState`",
    "continues without it, and that is reported",
    define(count),
    (sink) => define(a)(sink).dropState("count"),
    { scores: { a: 4 }, report: /step count is dropped/ },
  ],
  [
    "… and the new step takes the old name with `{ name }`",
    "it keeps the state",
    define(count),
    define((s) => s.transformWithState(counter("a"), { name: "count" })),
    { scores: { a: 8 } },
  ],
  [
    'a step drops its state with `{ state: "drop" }`',
    "it begins without state once, and that is reported",
    define(count),
    define((s) => s.transformWithState(counter("count"), { state: "drop" })),
    { scores: { count: 4 }, report: /count drops its state/ },
  ],
  [
    "the handler of a step with state is another one",
    "it gets the old state as it is",
    define(count),
    define((s) => s.transformWithState(counter("count", 10))),
    { scores: { count: 44 } },
  ],
  [
    "windows are cut otherwise",
    "they begin at the commit; those that were open are lost",
    define(windows(3)),
    define(windows(2)),
    { scores: { first: 6, frames: 2 }, outputs: 2, report: /window\(frames=3\) is gone/ },
  ],
  [
    "windows keep their name and are cut otherwise",
    "they begin at the oldest frame of those that were open",
    define(windows(3, "cut")),
    define(windows(2, "cut")),
    { scores: { first: 5, frames: 2 }, outputs: 2 },
  ],
  [
    "`startingOffsets` or `startingTimestamp`",
    "ignored: the first start decided it",
    define(count),
    define(count, { startingOffsets: "latest" }),
    { scores: { count: 8 }, outputs: 4 },
  ],
  [
    "trigger, overload policy, limits of a batch",
    "continues where it was",
    define(count),
    (sink) =>
      define(count, { maxFramesPerTrigger: 1 })(sink).trigger("once").overload("drop-oldest"),
    { scores: { count: 8 }, outputs: 4 },
  ],
  [
    "sinks",
    "continues where it was; new sinks get what comes",
    define(count),
    (sink) =>
      count(query("q").readStream({ startingOffsets: "earliest" })).writeStream(
        collect<Frame>(),
        sink,
      ).trigger("available-now"),
    { scores: { count: 8 }, outputs: 4 },
  ],
  [
    "the query's name",
    "a new query: it begins as `startingOffsets` says",
    define(count),
    define(count, {}, "other"),
    { scores: { count: 8 }, outputs: 8 },
  ],
];

for (const [change, happens, before, after, expected] of ROWS) {
  Deno.test(`upgrading: ${change}: ${happens}`, async () => {
    const log = logOf(4);
    await runQuery(before(collect<Frame>()), { log });
    append(log, 4, 4);
    const sink = collect<Frame>();
    const running = startQuery(after(sink), { log });
    if (expected.refused !== undefined) {
      await assert.rejects(running.ended, expected.refused);
      return;
    }
    await running.ended;
    assert.deepEqual(sink.outputs.at(-1)!.result?.scores, expected.scores);
    if (expected.outputs !== undefined) assert.equal(sink.outputs.length, expected.outputs);
    assert.match(running.reports.join(), expected.report ?? /^$/);
  });
}

Deno.test("docs/upgrading.md has these rows and no others", () => {
  const rows = page.split("\n").filter((line) => line.startsWith("| ")).slice(1)
    .filter((line) => !line.startsWith("| -"))
    .map((line) => line.split("|").slice(1, 3).map((cell) => cell.trim()));
  assert.deepEqual(rows, ROWS.map(([change, happens]) => [change, happens]));
});
