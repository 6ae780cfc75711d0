// The main job, measured: greyscale over a backlog beside the bare codec loop, and live latency.
// Greyscale as it ships keeps each frame's luma as it is coded; told a quality it decodes and
// encodes, as the bare loop does.
import type { StreamingQueryProgress } from "../runtime/mod.ts";
import { ProgressBar } from "../cli/progress_bar.ts";
import { clipFrames } from "./frames.ts";
import { print } from "./print.ts";
import { codecLoop } from "./support/codec_loop.ts";
import { type BenchLog, benchLogs, fillTopic } from "./support/logs.ts";
import { moduleOf, type OneQuery, oneQuery } from "./support/one_query.ts";
import { optionsOf } from "./support/options.ts";
import { cpuSeconds, watchMemory } from "./support/process_stats.ts";
import { type LiveCameras, runLiveCameras } from "./support/live_cameras.ts";
import { median, percentile, spread } from "./support/stats.ts";
import { SteadyTime } from "./support/steady_time.ts";

const PARTITIONS = 3;
const GREYSCALE = moduleOf("greyscale");
const WAYS = {
  "greyscale": GREYSCALE,
  "greyscale, quality 80": new URL("./support/recode.ts", import.meta.url).href,
} as const;

interface Run {
  readonly framesPerSecond: number;
  readonly steady: SteadyTime;
  readonly cpuMsPerFrame: number;
  readonly frames: number;
  /** Epoch milliseconds. */
  readonly ended: number;
}

/** Runs a query over everything in a topic; the time begins when the first lane starts. */
export async function drain(
  target: BenchLog,
  topic: string,
  module = GREYSCALE,
  more: Partial<OneQuery> = {},
  onProgress?: (progress: StreamingQueryProgress) => void,
): Promise<Run> {
  let started: number | undefined;
  const steady = new SteadyTime();
  const driver = oneQuery(target, {
    topic,
    query: "greyscale",
    module,
    partitions: PARTITIONS,
    trigger: "available-now",
    ...more,
  });
  let cpu = 0;
  driver.streams.addListener({
    onQueryStarted: () => {
      if (started !== undefined) return;
      started = performance.now();
      cpu = cpuSeconds();
    },
    onQueryProgress: ({ progress }) => {
      steady.reported(progress.partition, progress.totals.outputs);
      onProgress?.(progress);
    },
  });
  await driver.start();
  if (!await driver.awaitTermination()) throw new Error("A query failed");
  const now = performance.now();
  const ended = performance.timeOrigin + now;
  const spent = cpuSeconds();
  const frames = driver.streams.all.reduce((sum, { totals }) => sum + totals.outputs, 0);
  await driver.stop();
  return {
    framesPerSecond: frames * 1000 / (now - started!),
    steady,
    cpuMsPerFrame: (spent - cpu) * 1000 / frames,
    frames,
    ended,
  };
}

/** Three cameras live, in another process; capture to sink of every frame, milliseconds. */
export async function live(
  target: BenchLog,
  seconds: number,
  module = GREYSCALE,
  more: Partial<LiveCameras> = {},
): Promise<number[]> {
  const topic = `live-${crypto.randomUUID()}`;
  await target.log.createTopic(topic, PARTITIONS);
  const latencies: number[] = [];
  const driver = oneQuery(target, {
    topic,
    query: "greyscale",
    module,
    partitions: PARTITIONS,
    onLatencies: (milliseconds) => void latencies.push(...milliseconds),
  });
  await driver.start();
  await runLiveCameras(target, { topic, cameras: PARTITIONS, fps: 15, seconds, ...more });
  await Promise.all(driver.streams.all.map((query) => query.processAllAvailable()));
  await driver.stop();
  return latencies;
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    rounds: 5,
    frames: 3000,
    "live-seconds": 10,
    kafka: "",
    only: "",
  });
  const rounds = values.rounds;
  const total = values.frames;
  const memory = watchMemory();
  const frames = await clipFrames();
  const kilobytes = frames.reduce((sum, { length }) => sum + length, 0) / frames.length / 1000;
  print(
    `Backlog of ${total} frames 640×480 (${kilobytes.toFixed(0)} KB), ${PARTITIONS} partitions, ` +
      `${navigator.hardwareConcurrency} cores, ${rounds} rounds`,
  );
  const targets = await benchLogs(values);
  try {
    const topic = `backlog-${crypto.randomUUID()}`;
    for (const target of targets) {
      await fillTopic(target.log, topic, PARTITIONS, Math.ceil(total / PARTITIONS), frames);
    }
    const bare: number[] = [];
    const rows = targets.flatMap((target) =>
      Object.entries(WAYS).map(([way, module]) => ({
        name: `${way}, ${target.name}`,
        run: () => drain(target, topic, module),
        runs: [] as Run[],
        ratios: [] as number[],
      }))
    );
    const bar = new ProgressBar({ title: "Pipeline" });
    for (let round = 0; round <= rounds; round++) {
      bar.update(round, rounds + 1, round === 0 ? "warming up" : `round ${round} of ${rounds}`);
      const loop = await codecLoop(frames, total);
      // The first round warms caches and compilers up.
      if (round > 0) bare.push(loop);
      for (const { run, runs, ratios } of rows) {
        const result = await run();
        if (round === 0) continue;
        runs.push(result);
        ratios.push(result.framesPerSecond / loop);
      }
    }
    bar.clear();
    print(`${"bare codec loop".padEnd(32)} ${spread(bare)} frames/s`);
    for (const { name, runs, ratios } of rows) {
      print(
        `${name.padEnd(32)} ${spread(runs.map((run) => run.framesPerSecond))} frames/s, ` +
          `${(median(ratios) * 100).toFixed(1)} % of the bare loop, ` +
          `${median(runs.map((run) => run.cpuMsPerFrame)).toFixed(2)} ms CPU per frame`,
      );
    }
    for (const target of targets) {
      const latencies = await live(target, values["live-seconds"]);
      const [p50, p99] = [percentile(latencies, 0.5), percentile(latencies, 0.99)];
      print(
        `${`live 3 × 15 fps, ${target.name}`.padEnd(32)} p50 ${p50.toFixed(0)} ms, p99 ${
          p99.toFixed(0)
        } ms, capture to sink`,
      );
    }
    print(`${"peak memory".padEnd(32)} ${memory.stop().toFixed(0)} MiB, bench and all`);
  } finally {
    for (const target of targets) await target.close();
  }
}
