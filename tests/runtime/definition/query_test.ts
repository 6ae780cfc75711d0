import assert from "node:assert/strict";
import { type Frame, query, type Window } from "../../../runtime/mod.ts";
import { systemClock } from "../../../runtime/base/clock.ts";
import { loadDefinition } from "../../../runtime/definition/query_options.ts";
import { display, foreach, foreachBatch } from "../../../runtime/mod.ts";
import { silent } from "../query_fixtures.ts";

Deno.test("wrong types do not compile", () => {
  const frames = query("types").readStream();
  const windows = frames.window({ frames: 4 });
  const onFrames = silent<Frame, Frame>();
  const onWindows = silent<Window, Frame>();
  frames.process(onFrames).writeStream(display());
  windows.process(onWindows).writeStream(display());
  frames.writeStream(foreach((frame) => void frame.offset), display());
  windows.writeStream(foreachBatch((batch) => void batch.map(({ frames }) => frames.length)));
  // @ts-expect-error an operator on windows cannot be put where frames flow
  frames.process(onWindows);
  // @ts-expect-error an operator on frames cannot be put where windows flow
  windows.process(onFrames);
  // @ts-expect-error windows are no outputs: something must be made of them first
  windows.writeStream(display());
  // @ts-expect-error windows cannot be cut into windows
  assert.throws(() => windows.window({ frames: 2 }));
  // @ts-expect-error no such option
  assert.throws(() => query("types").readStream({ startingOffset: "earliest" }));
  // @ts-expect-error no such place to start
  assert.throws(() => query("types").readStream({ startingOffsets: "first" }));
  // @ts-expect-error what flows is known inside functions too
  frames.map((frame) => frame.colour);
});

Deno.test("names are checked, and say what is accepted", () => {
  assert.throws(() => query("no spaces"), /"no spaces".*letters, digits/);
  assert.equal(query("a").readStream({ queryName: "b" }).writeStream(display()).plan.name, "b");
  assert.throws(() => query("a").readStream({ queryName: "a/b" }), /"a\/b": expected 1 to 64/);
});

Deno.test("all faults of the source options are named together", () => {
  assert.throws(
    () => query("q").readStream({ maxFramesPerTrigger: 0, maxTriggerDelay: "soon" }),
    /maxFramesPerTrigger: expected a whole number from 1 up, given 0.*"soon"/,
  );
});

Deno.test("explain prints the plan, one line a step", () => {
  const plan = query("plan").readStream({ startingOffsets: "earliest" })
    // Plain JavaScript passes what is not set, too.
    .window({ frames: 16, hop: 8, fps: 8, every: undefined } as object)
    .process(silent<Window, Frame>())
    .writeStream(display())
    .trigger("interval:500ms")
    .overload("latest");
  assert.equal(
    plan.explain(),
    [
      "query plan",
      '  readStream startingOffsets="earliest"',
      "  window(frames=16 hop=8 fps=8)",
      "  silent",
      "  writeStream display (live)",
      "  trigger interval:500ms",
      "  overload latest",
      "  onOperatorError dead-letter",
    ].join("\n"),
  );
});

Deno.test("a state that cannot be rewound may not stand before a window", () => {
  const counted = query("order").readStream().transformWithState<{ n: number }, Frame>({
    name: "count",
    init: () => ({ n: 0 }),
    handleInput: (_state, frame) => [frame],
  });
  assert.throws(
    () =>
      counted.process({ ...silent<Frame, Frame>(), kind: "window" as const }).writeStream(
        display(),
      ),
    /silent comes after count/,
  );
});

Deno.test("triggers and overload policies refuse what they do not know", () => {
  const definition = query("t").readStream().writeStream(display());
  // @ts-expect-error no such trigger
  assert.throws(() => definition.trigger("often"), /"often".*available-now/);
  // @ts-expect-error no such kind of trigger
  assert.throws(() => definition.trigger({ kind: "often" }), /"often".*available-now/);
  for (const ms of [0, -5, NaN, Infinity]) {
    assert.throws(() => definition.trigger({ kind: "interval", ms }), /interval with ms from 1 up/);
  }
  assert.throws(() => definition.trigger("interval:0ms"), /interval/);
  assert.throws(() => definition.overload("drop" as "wait"), /drop-oldest/);
});

Deno.test("what makes no sense is refused at definition", () => {
  const stream = query("q").readStream();
  assert.throws(() => stream.writeStream(), /query q without a sink: expected at least one/);
  const exact = (uri: string) => ({ uri, delivery: "exactly-once" as const, open: () => ({}) });
  for (const twice of ["events:out/x", "events:./out/x", "events:out//x"]) {
    const write = () => stream.writeStream(exact("events:out/x"), exact(twice));
    assert.throws(
      write,
      /with "events:out\/x" and "events:.*": they write to the same place/,
      twice,
    );
  }
  const folder = Deno.makeTempDirSync();
  Deno.symlinkSync(folder, `${folder}/link`);
  for (const name of ["", "/new"]) {
    const [one, other] = [`images:${folder}${name}`, `images:${folder}/link${name}`];
    assert.throws(() => stream.writeStream(exact(one), exact(other)), /the same place/, name);
  }
  stream.writeStream(exact(`images:${folder}/link`), exact(`images:${folder}/new`));
  Deno.writeTextFileSync(`${folder}/one`, "");
  Deno.linkSync(`${folder}/one`, `${folder}/other`);
  const hard = ["one", "other"].map((name) => exact(`events:${folder}/${name}`));
  assert.throws(() => stream.writeStream(...hard), /the same place/);
  Deno.removeSync(folder, { recursive: true });
  stream.writeStream(exact("events:/out/x"), exact("events:out/x"), exact("images:out/x"));
  stream.writeStream(display(), display());
  const nothing = undefined as unknown as () => void;
  assert.throws(() => stream.writeStream(nothing as never), /sink undefined: expected one such as/);
  const sink = { uri: "mine", delivery: "sometimes", open: () => ({}) };
  assert.throws(() => stream.writeStream(sink as never), /as delivery live, exactly-once/);
  const step = (parts: object) =>
    stream.process({ name: "s", open: () => ({ process: () => [] }), ...parts } as never);
  for (const concurrency of [0, NaN, -1, "4"]) {
    assert.throws(() => step({ concurrency }), /concurrency: expected a whole number from 1 up/);
  }
  assert.throws(() => step({ kind: "stateful" }), /kind: expected/);
  assert.throws(() => foreachBatch(nothing), /foreachBatch with undefined: expected a function/);
  assert.throws(() => foreach(nothing), /foreach with undefined: expected a function/);
  assert.throws(() => stream.map(nothing), /map with undefined: expected a function/);
  assert.throws(
    () => stream.filter(nothing as never),
    /filter with undefined: expected a function/,
  );
  assert.throws(
    () => stream.transformWithState({ name: "s", init: nothing, handleInput: () => [] }),
    /init of s: expected a function/,
  );
  for (const startingOffsets of ["-1.5 frames", "-0.5 offsets"] as const) {
    assert.throws(
      () => query("q").readStream({ startingOffsets: startingOffsets as "earliest" }),
      /Cannot read starting offsets/,
    );
  }
});

Deno.test("a timer at no time is refused, with the step's name", async () => {
  const task = await query("q").readStream().transformWithState<unknown, Frame>({
    name: "late",
    init: () => ({}),
    handleInput: (_state, _frame, timers) => {
      timers.register(Date.parse("not a date"));
      return [];
    },
  }).writeStream(display()).plan.operators[0]!.open({
    query: "q",
    topic: "T",
    partition: 0,
    clock: systemClock,
    signal: new AbortController().signal,
  });
  assert.throws(() => task.process({}), /timer of late at NaN: expected epoch milliseconds/);
});

Deno.test("a definition that was made by hand is checked as a whole", async () => {
  const { plan } = query("made").readStream().map((frame) => frame).writeStream(display());
  const load = (parts: object) =>
    loadDefinition("made", { default: { plan: { ...plan, ...parts } } });
  assert.deepEqual((await load({})).plan, plan);
  const faults: [parts: object, says: RegExp][] = [
    [{ name: "../made" }, /Cannot name a query "..\/made"/],
    [{ source: null }, /Cannot use source options/],
    [{ operators: null }, /Cannot run query made: expected a list of operators/],
    [{ operators: [null] }, /Cannot add a step: expected an operator .* given null/],
    [{ sinks: {} }, /Cannot run query made without a sink/],
    [{ trigger: "now" }, /Cannot read trigger "now"/],
    [{ overload: null }, /Cannot use overload policy null/],
    [{ onOperatorError: undefined }, /Cannot use onOperatorError/],
  ];
  for (const [parts, says] of faults) await assert.rejects(load(parts), says);
});

Deno.test("what a module declares beside its query is checked", async () => {
  const definition = query("made").readStream().writeStream(display());
  const faults: [exported: object, says: RegExp][] = [
    [{ parameters: 5 }, /parameters: expected types such as .* given 5/],
    [{ parameters: ["model"] }, /parameters: .* given \["model"\]/],
    [{ parameters: null }, /parameters: expected types such as .* given null/],
    [{ parameters: { threshold: "float" } }, /parameters: .* given \{"threshold":"float"\}/],
    [
      { default: () => Promise.reject(undefined) },
      /^QueryOptionsError: Cannot make query made: undefined/,
    ],
  ];
  for (const [exported, says] of faults) {
    await assert.rejects(loadDefinition("made", { default: definition, ...exported }), says);
  }
});

Deno.test("a function that declares no parameters takes a model, zones and a device", async () => {
  const definition = query("made").readStream().writeStream(display());
  const made = (options: object) => Object.keys(options).length > 0 && definition;
  assert.ok(await loadDefinition("made", { default: made }, { model: "m.json", device: "cpu" }));
  const declared = { default: made, parameters: { threshold: "number" } } as const;
  await assert.rejects(
    loadDefinition("made", declared, { model: "m.json", threshold: "high" }),
    /--model[^]*\nCannot use query made: parameter threshold is "high": expected a number/,
  );
  await assert.rejects(
    loadDefinition("made", { default: definition }, { zones: "z.json" }),
    /--zones/,
  );
});

Deno.test("a file that is no query is wrong use, and is named with the place of its fault", async () => {
  const faults: [code: string, says: RegExp][] = [
    ["export const x = 1;", /^QueryOptionsError: Cannot use data:.* as a query: expected a query/],
    ["\nnull.x;", /^QueryOptionsError: Cannot load data:[^]*: Cannot read [^]*null\.x;:2:\d+\)$/],
    ["throw undefined;", /^QueryOptionsError: Cannot load data:.*: undefined was thrown$/],
  ];
  for (const [code, says] of faults) {
    const module = `data:text/javascript,${encodeURIComponent(code)}`;
    await assert.rejects(loadDefinition("made", module), says);
  }
  await assert.rejects(
    loadDefinition("made", "file:///none/%C3%A4%20b.ts"),
    /^QueryOptionsError: Cannot load \/none\/ä b\.ts: /,
  );
});
