import assert from "node:assert/strict";
import { detect } from "../../../queries/operators/detect.ts";
import { gate } from "../../../queries/operators/gate.ts";
import { collect, MemoryLog, runQuery } from "../../../runtime/testing.ts";
import { type Frame, query } from "../../../runtime/mod.ts";
import { fillBox } from "../../../runtime/image/mod.ts";
import { framesOf, open, run, runWithRestarts, scene } from "./kit.ts";

const WHITE = [255, 255, 255] as const;

/** Ten frames a second: still, then a square walks for a while, then still again. */
function walk(frames: number, from: number, to: number): Promise<Uint8Array[]> {
  return Promise.all(Array.from({ length: frames }, (_, i) =>
    scene({ noise: i + 1 }, (image) => {
      if (i < from || i >= to) return;
      const left = 20 + 10 * (i - from);
      fillBox(image, [left, 100, left + 40, 140], WHITE);
    })));
}

const marks = (outputs: readonly Frame[]) =>
  outputs.map(({ result }) => (result!.data!["gate"] as unknown as { run: boolean }).run);

Deno.test("gate lets through what moves, a while after it, and one frame an interval", async () => {
  const frames = framesOf(await walk(60, 20, 30));
  const outputs = await run(gate({ everyMs: 2000, holdMs: 500 }), frames);
  assert.equal(outputs.length, 60);
  const ran = marks(outputs).flatMap((isRun, i) => isRun ? [i] : []);
  assert.ok([20, 25, 29].every((i) => ran.includes(i)), `${ran}`);
  assert.ok(ran.length < 30 && ran.includes(0), `${ran}`);
  const gaps = ran.slice(1).map((at, i) => at - ran[i]!);
  assert.ok(Math.max(...gaps) <= 20, `${ran}`);
  const last = outputs.at(-1)!.result!.data!["gate"] as unknown as { skipped: number };
  assert.equal(last.skipped, 60 - ran.length);
});

Deno.test("gate looks at the same frames after any restart", async () => {
  const frames = framesOf(await walk(50, 15, 25));
  const operator = gate({ everyMs: 1500, holdMs: 300 });
  const straight = await run(operator, frames);
  for (const restarts of [[1], [10], [20], [27], [40], [5, 18, 26, 33, 49]]) {
    const { outputs } = await runWithRestarts(operator, frames, new Set(restarts));
    assert.deepEqual(outputs, straight, `restarts at ${restarts}`);
  }
});

Deno.test("a restart comes back to the frame that was analysed last", async () => {
  const task = await open(gate({ everyMs: 20_000, holdMs: 0 }));
  for (const frame of framesOf(await walk(60, 60, 60))) await task.process(frame);
  assert.equal(task.restartOffset!(), 0);
});

Deno.test("a clock that goes back does not delay the next frame that is analysed", async () => {
  const values = await walk(5, 5, 5);
  const frames = framesOf(values).map((frame, i): Frame => (
    { ...frame, timestamp: [0, 6000, 12_000, 4000, 4100][i]! }
  ));
  const outputs = await run(gate({ everyMs: 10_000, holdMs: 0 }), frames);
  assert.deepEqual(marks(outputs), [true, false, true, true, false]);
});

Deno.test("still frames say again what was found last, also after a restart, at no cost", async () => {
  const still = await Deno.readFile(new URL("./stills/astronaut.jpg", import.meta.url));
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  const definition = () => {
    const sink = collect<Frame>();
    const made = query("frugal").readStream({ startingOffsets: "earliest" })
      .process(gate({ holdMs: 0 })).process(detect()).writeStream(sink).trigger("available-now");
    return { sink, made };
  };
  const found = async () => {
    const { sink, made } = definition();
    await runQuery(made, { log });
    return sink.outputs.map(({ result, offset }) => {
      const { gate: mark } = result!.data as unknown as { gate: { run: boolean } };
      return { offset, run: mark.run, ms: result!.inferMs! > 0, frames: result!.frames! };
    });
  };
  const append = (from: number, to: number) =>
    log.append(
      "VideoStreaming",
      0,
      Array.from({ length: to - from }, (_, i) => ({
        key: null,
        value: still,
        timestamp: 100 * (from + i),
        headers: {},
      })),
    );
  append(0, 4);
  const first = await found();
  append(4, 8);
  const second = await found();
  assert.deepEqual([...first, ...second].map(({ offset }) => offset), [0, 1, 2, 3, 4, 5, 6, 7]);
  const [looked] = first;
  assert.ok(looked!.run && looked!.ms);
  for (const { run, ms, frames } of [...first.slice(1), ...second]) {
    assert.deepEqual([run, ms], [false, false]);
    assert.deepEqual(frames[0]!.objects, looked!.frames[0]!.objects);
  }
});
