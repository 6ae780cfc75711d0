// What models cost, how many cameras this machine carries, and how soon an alert is there.
//
// With `--only objects` it runs a detector end to end beside the model alone and a Python script, with
// `--only gate` on a still scene and on one with known events. Without a manifest it measures the
// query `objects`. Rates are runs for each second of processor time, all threads together: what one
// core does that does nothing else.
import { alerts } from "../queries/operators/alerts.ts";
import { model, readManifest } from "../queries/operators/model/mod.ts";
import { OutputReaders } from "../queries/operators/model/readers/mod.ts";
import { openSession } from "../queries/operators/model/session.ts";
import { frameSpec, WindowTensor } from "../queries/operators/model/window_tensor.ts";
import { detect } from "../queries/operators/detect.ts";
import type { Frame } from "../runtime/definition/frame.ts";
import { decodeReduced, type Operator, type Output, query, Tensorizer } from "../runtime/mod.ts";
import type { Sink } from "../runtime/definition/sink.ts";
import { MemoryLog, runQuery, startQuery } from "../runtime/testing.ts";
import { numberedJpeg, orderModel } from "../tests/queries/operators/model/order_kit.ts";
import { clipFrames } from "./frames.ts";
import { measureGate } from "./gate.ts";
import { measureObjects } from "./objects.ts";
import { print } from "./print.ts";
import { optionsOf } from "./support/options.ts";
import { cost } from "./support/process_stats.ts";
import { percentile } from "./support/stats.ts";

const TOPIC = "VideoStreaming";
const VIDEOMAE = new URL("../models/presets/videomae_base.json", import.meta.url);
const CENTERNET = `${import.meta.dirname}/../models/centernet/model.json`;

/** Milliseconds of processor time for each of `times` calls. */
async function costOf(times: number, call: (i: number) => Promise<unknown>): Promise<number> {
  for (let i = 0; i < Math.min(50, times); i++) await call(i);
  return await cost(times, async () => {
    for (let i = 0; i < times; i++) await call(i);
  });
}

function rate(ms: number): string {
  return (1000 / ms).toFixed(ms > 10 ? 1 : 0);
}

/** How many frames a second one core turns into tensors. */
async function measureTensors(frames: readonly Uint8Array[], times: number): Promise<void> {
  const decode = await costOf(times, async (i) => {
    (await decodeReduced(frames[i % frames.length]!, 3, 2)).release();
  });
  const [input] = readManifest(VIDEOMAE).inputs;
  const tensorizer = new Tensorizer({ ...frameSpec(input!, true), resize: "fill" });
  const whole = await costOf(times, async (i) => {
    (await tensorizer.tensor(frames[i % frames.length]!)).release();
  });
  print(
    `640x480 JPEG to 224x224 RGB float32, one core: ${rate(whole)} frames/s ` +
      `(${whole.toFixed(2)} ms, of which ${decode.toFixed(2)} to decode at half size)`,
  );
}

/** What a model costs by itself, and inside a query. */
async function measureModel(
  path: string,
  frames: readonly Uint8Array[],
  runs: number,
  fps: number,
): Promise<void> {
  const manifest = readManifest(path || CENTERNET);
  const [input] = manifest.inputs;
  if (manifest.inputs.length > 1 || manifest.state.length > 0) {
    throw new Error("Cannot measure this model: expected one input and no state");
  }
  const session = await openSession(manifest.file);
  const tensorizer = new Tensorizer(frameSpec(input!, true));
  const window = new WindowTensor(input!);
  const { fetches } = new OutputReaders(manifest);
  const tensors = await Promise.all(
    Array.from({ length: manifest.frames }, (_, i) => tensorizer.tensor(frames[i]!)),
  );
  const infer = await costOf(
    runs,
    () => session.run({ [input!.name]: window.fill(tensors) }, fetches, () => {}),
  );
  tensors.forEach((tensor) => tensor.release());
  const tensor = await costOf(runs, async (i) => {
    (await tensorizer.tensor(frames[i % frames.length]!)).release();
  });
  await session.close();
  const bare = infer + manifest.hop * tensor;
  print(
    `${manifest.name}, one core: ${rate(infer)} runs/s (${infer.toFixed(1)} ms), ` +
      `with ${manifest.hop} new frames each ${rate(bare)} (${bare.toFixed(1)} ms)`,
  );
  const operator: Operator<Frame, Output> = path === "" ? detect() : model(path);
  const whole = await costInQuery(operator, manifest, frames, runs);
  const engine = Math.max(0, whole - bare);
  print(
    `  in a query ${whole.toFixed(1)} ms: ${engine.toFixed(2)} ms are the engine and reading the ` +
      `outputs, ${(100 * engine / infer).toFixed(1)} % of the inference`,
  );
  const cores = navigator.hardwareConcurrency;
  const seen = manifest.sampling !== undefined && "fps" in manifest.sampling
    ? manifest.sampling.fps
    : fps;
  const cameras = Math.floor(cores * 1000 / (whole / manifest.hop * seen));
  print(`  ${cores} cores carry ${cameras} cameras of which it sees ${seen} frames/s each`);
}

async function costInQuery(
  operator: Operator<Frame, Output>,
  { frames: width, hop }: { readonly frames: number; readonly hop: number },
  frames: readonly Uint8Array[],
  runs: number,
): Promise<number> {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 2);
  const records = Array.from({ length: width + hop * (runs - 1) }, (_, i) => ({
    key: null,
    value: frames[i % frames.length]!,
    timestamp: 40 * i,
    headers: {},
  }));
  log.append(TOPIC, 0, records.slice(0, width + 20 * hop));
  log.append(TOPIC, 1, records);
  const nothing: Sink<Output> = {
    uri: "nothing",
    delivery: "exactly-once",
    open: () => ({ write: () => {} }),
  };
  const definition = query("bench").readStream({ startingOffsets: "earliest" })
    .process(operator).writeStream(nothing).trigger("available-now");
  await runQuery(definition, { log, partition: 0 });
  return await cost(runs, () => runQuery(definition, { log, partition: 1 }));
}

/** How long after something happens before three cameras an alert says so. */
async function measureDelay(seconds: number): Promise<void> {
  const fps = 15, cameras = 3, frames = 8, hop = 3, [k, n] = [2, 3];
  // The event lasts long enough for its alert, and so does the rest after it.
  const framesPerState = 4 * frames;
  const log = new MemoryLog();
  await log.createTopic(TOPIC, cameras);
  const calm = numberedJpeg(0), event = numberedJpeg(1);
  const begun: number[][] = Array.from({ length: cameras }, () => []);
  const delays: number[] = [];
  const sink: Sink<Output> = {
    uri: "delays",
    delivery: "exactly-once",
    open: ({ partition }) => ({
      write(outputs) {
        for (const { result } of outputs) {
          if (result?.alert?.state !== "start") continue;
          delays.push(Date.now() - begun[partition]!.at(-1)!);
        }
      },
    }),
  };
  const definition = query("delay").readStream({ startingOffsets: "earliest" })
    .process(model(orderModel("nchw")))
    .process(alerts({ label: "last", enter: 1, exit: 0.5, of: [k, n] }))
    .writeStream(sink);
  const running = begun.map((_, partition) => startQuery(definition, { log, partition }));
  const ticks = Math.round(seconds * fps);
  const start = performance.now();
  for (let tick = 0; tick < ticks; tick++) {
    const wait = start + tick * 1000 / fps - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, wait)));
    for (let partition = 0; partition < cameras; partition++) {
      const phase = tick + partition * 7;
      const isEvent = Math.floor(phase / framesPerState) % 2 === 1;
      if (isEvent && phase % framesPerState === 0) begun[partition]!.push(Date.now());
      const value = isEvent ? event : calm;
      log.append(TOPIC, partition, [{ key: null, value, timestamp: Date.now(), headers: {} }]);
    }
  }
  running.forEach((one) => one.stop());
  await Promise.all(running.map(({ ended }) => ended));
  const allowed = (frames + (k - 1) * hop) * 1000 / fps + 1000;
  print(
    `alerts of ${cameras} cameras at ${fps} frames/s, windows of ${frames} every ${hop}, ${k} of ` +
      `${n}: ${delays.length} alerts, delay p50 ${percentile(delays, 0.5).toFixed(0)} ms, ` +
      `p95 ${percentile(delays, 0.95).toFixed(0)} ms (allowed ${allowed.toFixed(0)})`,
  );
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    manifest: "",
    runs: 200,
    fps: 5,
    seconds: 40,
    only: "",
    rounds: 3,
    log: "",
    kafka: "",
  });
  const frames = await clipFrames({ quality: 80 });
  if (values.only === "objects") {
    const { rounds, runs: count, log: only, kafka } = values;
    return await measureObjects(frames, { rounds, count, only, kafka });
  }
  if (values.only === "gate") return await measureGate(values.rounds);
  await measureTensors(frames, 1000);
  if (values.only === "tensors") return;
  await measureModel(values.manifest, frames, values.runs, values.fps);
  await measureDelay(values.seconds);
}
