import assert from "node:assert/strict";
import { model, type ModelOptions } from "../../../../queries/operators/model/model.ts";
import {
  BadFrameError,
  type Finding,
  type Frame,
  type Operator,
  query,
  type Window,
} from "../../../../runtime/mod.ts";
import { collect, MemoryLog, runQuery } from "../../../../runtime/testing.ts";
import { frameOf, open, run, runWithRestarts } from "../kit.ts";
import { numberedJpeg, orderModel } from "./order_kit.ts";

const frames = (count: number, ms = 40) =>
  Array.from({ length: count }, (_, i) => frameOf(numberedJpeg(i), i, ms * i));

function make(name: string, options?: ModelOptions): Operator<Frame, Finding> {
  return model(orderModel(name), options);
}

/** Writes a changed copy of a manifest, beside a link to its model. */
async function changed(
  name: string,
  change: Record<string, unknown>,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const manifest = JSON.parse(await Deno.readTextFile(orderModel(name)));
    const file = orderModel(name).replace(/json$/, "onnx");
    await Deno.copyFile(file, `${folder}/${manifest.file}`);
    await Deno.writeTextFile(`${folder}/model.json`, JSON.stringify({ ...manifest, ...change }));
    await use(`${folder}/model.json`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const seen = (findings: readonly Finding[]) =>
  findings.map(({ result }) => result.frames!.map(({ scores }) => scores!["seen"]));

Deno.test("a finding keeps what earlier operators found on its frames", async () => {
  const objects = [{ label: "motion", score: 0.5, box: [0, 0, 8, 8] as const }];
  const input = frames(8).map((frame, i): Frame =>
    i === 2
      ? {
        ...frame,
        result: {
          scores: { motion: 0.25 },
          frames: [{ offset: 2, timestamp: 80, objects }],
          data: { gate: { run: true } },
        },
      }
      : frame
  );
  const [finding] = await run(make("nthwc"), input);
  const [plain] = await run(make("nthwc"), frames(8));
  const expected = plain!.result.frames!.map((entry) =>
    entry.offset === 2
      ? {
        ...entry,
        objects,
        scores: { motion: 0.25, ...entry.scores },
        data: { gate: { run: true } },
      }
      : entry
  );
  assert.deepEqual(finding!.result.frames, expected);
  assert.deepEqual(finding!.result.scores, plain!.result.scores);
});

Deno.test("a finding names its window, its model and its frames", async () => {
  const input = frames(8).map((frame) => ({ ...frame, key: "CAMERA-7" }));
  const [finding, ...more] = await run(make("nthwc"), input);
  assert.equal(more.length, 0);
  const { result, picture, ...identity } = finding!;
  assert.deepEqual(identity, {
    topic: "T",
    partition: 0,
    key: "CAMERA-7",
    firstOffset: 0,
    lastOffset: 7,
    timestamp: 280,
  });
  assert.equal(picture, input[7]);
  assert.deepEqual(result.window, {
    firstOffset: 0,
    lastOffset: 7,
    firstTimestamp: 0,
    lastTimestamp: 280,
    frames: 8,
    gaps: 0,
  });
  assert.equal(result.model!.name, "nthwc");
  assert.match(result.model!.sha256, /^[0-9a-f]{64}$/);
  assert.ok(result.inferMs! >= 0);
});

Deno.test("sampling, hop and keep choose the frames", async () => {
  const cases = [
    { change: { sampling: { every: 3 } }, first: [0, 3, 6, 9, 12, 15, 18, 21] },
    { change: { sampling: { fps: 10 } }, first: [0, 2, 5, 7, 10, 12, 15, 17] },
    { change: { hop: 8, keep: [2, 5] }, first: [2, 3, 4] },
  ];
  for (const { change, first } of cases) {
    await changed("nthwc", change, async (path) => {
      const findings = await run<Finding>(model(path), frames(30));
      assert.deepEqual(seen(findings)[0], first, JSON.stringify(change));
      assert.deepEqual(findings[0]!.result.frames!.map(({ offset }) => offset), first);
      assert.equal(findings[0]!.result.window!.frames, 8);
    });
  }
});

Deno.test("two inputs are fed from the same window", async () => {
  const findings = await run(make("two"), frames(16));
  assert.deepEqual(
    findings.map(({ result }) => result.frames!.map(({ scores }) => scores!["fast_seen"])),
    [[0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10, 11, 12, 13, 14, 15]],
  );
  assert.deepEqual(
    findings.map(({ result }) => result.scores),
    [{ first: 0, fifth: 4 }, { first: 8, fifth: 12 }],
  );
});

Deno.test("state goes from window to window, and begins anew after a pause or a new camera", async () => {
  const at = (timestamps: readonly number[], session: (i: number) => string = () => "a") =>
    timestamps.map((timestamp, i) =>
      frameOf(numberedJpeg(1), i, timestamp, { session: session(i) })
    );
  const runs = async (input: readonly Frame[], options?: ModelOptions) =>
    (await run(make("state", options), input)).map(({ result }) => result.scores!["runs"]);
  assert.deepEqual(await runs(at([0, 40, 80, 120])), [1, 2, 3, 4]);
  assert.deepEqual(await runs(at([0, 40, 9000, 9040])), [1, 2, 1, 2]);
  assert.deepEqual(await runs(at([0, 40, 9000, 9040]), { maxGapMs: 20_000 }), [1, 2, 3, 4]);
  assert.deepEqual(await runs(at([0, 40, 80, 120], (i) => i < 3 ? "a" : "b")), [1, 2, 3, 1]);
  const sums = (await run(make("state"), frames(5))).map(({ result }) => result.scores!["sum"]);
  assert.deepEqual(sums, [0, 1, 3, 6, 10]);
});

Deno.test("a window far from the one before begins no new state, a pause between them does", async () => {
  const every = (ms: number) => frames(40, ms);
  const paused = every(1000)
    .map((frame, i) => ({ ...frame, timestamp: frame.timestamp + (i < 15 ? 0 : 6000) }));
  const changes = [{ hop: 10 }, { sampling: { every: 10 } }, { sampling: { fps: 1 }, hop: 10 }];
  for (const change of changes) {
    await changed("state", change, async (path) => {
      const runs = async (input: readonly Frame[], restartAt: readonly number[] = []) => {
        const { outputs } = await runWithRestarts(model(path), input, new Set(restartAt));
        return (outputs as Finding[]).map(({ result }) => result.scores!["runs"]);
      };
      const what = JSON.stringify(change);
      assert.deepEqual(await runs(every(1000)), [1, 2, 3, 4], what);
      for (const restartAt of [[], [5], [14], [15], [16], [15, 16, 17]]) {
        assert.deepEqual((await runs(paused, restartAt)).slice(0, 3), [1, 2, 1], what);
      }
    });
  }
});

Deno.test("partitions share a session and keep their states apart", async () => {
  const operator = make("state");
  const tasks = [await open(operator), await open(operator), await open(operator)];
  const input = frames(20);
  const results = await Promise.all(tasks.map(async (task, p) => {
    const sums: number[] = [];
    for (const frame of input.slice(p)) {
      const [finding] = await task.process({ ...frame, partition: p });
      sums.push(finding!.result.scores!["sum"]!);
    }
    return sums.at(-1);
  }));
  assert.deepEqual(results, [190, 190, 189]);
  for (const task of tasks) await task.close?.();
});

Deno.test("a bad frame takes part in no window and costs nothing else", async () => {
  const task = await open(make("nthwc"));
  const findings: Finding[] = [];
  for (const frame of frames(16)) {
    const bad = frame.offset === 4;
    const input = bad ? { ...frame, value: frame.value.subarray(0, 120) } : frame;
    try {
      findings.push(...await task.process(input));
      assert.ok(!bad);
    } catch (error) {
      assert.ok(bad && error instanceof BadFrameError, `${error}`);
    }
  }
  await task.close?.();
  assert.deepEqual(seen(findings), [
    [0, 1, 2, 3, 5, 6, 7, 8],
    [3, 5, 6, 7, 8, 9, 10, 11],
    [7, 8, 9, 10, 11, 12, 13, 14],
  ]);
});

Deno.test("a frame held for missing ticks that turns out bad is stood in for", async () => {
  await changed("nthwc", { sampling: { fps: 10 }, hop: 8 }, async (path) => {
    // At 10 a second the frame at 220 ms is no sample, but is held for the tick at 300 ms.
    const times = [0, 100, 200, 220, 400, 500, 600, 700, 800];
    const input = times.map((time, i) => frameOf(numberedJpeg(i), i, time));
    const broken = { ...input[3]!, value: input[3]!.value.subarray(0, 120) };
    const whole = await run<Finding>(model(path), input);
    assert.deepEqual(seen(whole), [[0, 1, 2, 3, 4, 5, 6, 7]]);
    const patched = await run<Finding>(model(path), input.with(3, broken));
    assert.deepEqual(seen(patched), [[0, 1, 2, 2, 4, 5, 6, 7]]);
  });
});

Deno.test("a query may cut the windows itself", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  const records = frames(40).map(({ value, timestamp }) => ({
    key: null,
    value,
    timestamp,
    headers: {},
  }));
  log.append("VideoStreaming", 0, records);
  const sink = collect<Finding>();
  const definition = query("cut")
    .readStream({ startingOffsets: "earliest" })
    .window({ frames: 8, hop: 4, every: 2 })
    .process(model(orderModel("nchw")))
    .writeStream(sink)
    .trigger("available-now");
  await runQuery(definition, { log });
  assert.deepEqual(
    seen(sink.outputs),
    [0, 8, 16, 24].map((first) => Array.from({ length: 8 }, (_, i) => first + 2 * i)),
  );
  const wrong: Window = {
    topic: "T",
    partition: 0,
    key: null,
    frames: frames(3),
    firstOffset: 0,
    lastOffset: 2,
    firstTimestamp: 0,
    lastTimestamp: 80,
    gaps: 0,
  };
  const task = await model(orderModel("nchw")).open({
    query: "cut",
    topic: "T",
    partition: 0,
    clock: { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() },
    signal: new AbortController().signal,
  });
  await assert.rejects(
    async () => await task.process(wrong),
    /window of 3 frames: it takes 8/,
  );
  await task.close?.();
});

Deno.test("model names a fault of its options", () => {
  assert.equal(model(orderModel("nchw"), { threads: 2 }).name, "model(nchw)");
  assert.throws(() => model(orderModel("nchw"), { threads: 0 }), /threads: expected a whole/);
});

Deno.test("a model whose manifest names no hash says so once its query is loaded; all that ship name theirs", async () => {
  assert.deepEqual(make("nthwc").remarks, []);
  await changed("nthwc", { sha256: undefined }, (path) => {
    const [remark, ...others] = model(path).remarks!;
    const { sha256 } = JSON.parse(Deno.readTextFileSync(orderModel("nthwc")));
    assert.match(remark!, new RegExp(`^Model nthwc .*: its manifest names no hash.*"${sha256}"$`));
    assert.deepEqual(others, []);
    return Promise.resolve();
  });
  const models = new URL("../../../../models/", import.meta.url);
  for await (const { name, isDirectory } of Deno.readDir(models)) {
    // The files of presets come from elsewhere.
    if (!isDirectory || name === "presets") continue;
    const manifest = JSON.parse(await Deno.readTextFile(new URL(`${name}/model.json`, models)));
    assert.match(manifest.sha256, /^[0-9a-f]{64}$/, name);
  }
});
