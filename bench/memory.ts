// Memory of `deno task queries greyscale` with three live cameras at 15 frames/s: how much, and
// whether it grows.
import { fileURLToPath } from "node:url";
import project from "../deno.json" with { type: "json" };
import { type BenchLog, benchLogs } from "./support/logs.ts";
import { optionsOf } from "./support/options.ts";
import { lineChart } from "./support/plot.ts";
import { processStats } from "./support/process_stats.ts";
import { report, table } from "./support/report.ts";
import { runLiveCameras } from "./support/live_cameras.ts";
import { median, slope } from "./support/stats.ts";

const PARTITIONS = 3;
const FPS = 15;
const SAMPLE_MS = 1_000;
const GOAL = 250;
/** Starting is no steady state: compilers and caches fill. */
const WARM_UP_SHARE = 0.25;

interface Sample {
  readonly second: number;
  readonly megabytes: number;
}

/** The command of `deno task queries`, without the task's own process around it. */
function queriesCommand(args: readonly string[]): Deno.ChildProcess {
  const [, ...flags] = project.tasks.queries.split(" ");
  return new Deno.Command(Deno.execPath(), {
    cwd: fileURLToPath(new URL("../", import.meta.url)),
    args: [...flags, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

async function watch(target: BenchLog, seconds: number): Promise<Sample[]> {
  const topic = `memory-${crypto.randomUUID()}`;
  await target.log.createTopic(topic, PARTITIONS);
  const child = queriesCommand([
    ...["greyscale", "--log", target.url, "--topic", topic, "--group", topic],
    ...["--starting-offsets", "earliest", "--port", "0"],
  ]);
  const samples: Sample[] = [];
  const started = performance.now();
  const timer = setInterval(() => {
    samples.push({
      second: Math.round((performance.now() - started) / 1000),
      megabytes: processStats(child.pid).megabytes,
    });
  }, SAMPLE_MS);
  try {
    await runLiveCameras(target, { topic, cameras: PARTITIONS, fps: FPS, seconds });
  } finally {
    clearInterval(timer);
    child.kill("SIGTERM");
    await child.status;
  }
  return samples;
}

/** Growth in MiB an hour. */
function growth(samples: readonly Sample[]): number {
  return slope(samples.map(({ second, megabytes }) => [second / 3600, megabytes] as const));
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    seconds: 120,
    kafka: "",
    only: "",
    out: "docs/results/memory",
  });
  const { seconds } = values;
  const targets = await benchLogs(values);
  const all: { log: string; samples: Sample[] }[] = [];
  try {
    for (const target of targets) {
      all.push({ log: target.name, samples: await watch(target, seconds) });
    }
  } finally {
    for (const target of targets) await target.close();
  }
  const rows = all.map(({ log, samples }) => {
    const steady = samples.filter(({ second }) => second >= seconds * WARM_UP_SHARE);
    const third = Math.ceil(steady.length / 3);
    const level = (list: readonly Sample[]) => median(list.map(({ megabytes }) => megabytes));
    const most = Math.max(...samples.map(({ megabytes }) => megabytes));
    return [
      log,
      level(steady).toFixed(0),
      level(steady.slice(0, third)).toFixed(0),
      level(steady.slice(-third)).toFixed(0),
      most.toFixed(0),
      growth(steady).toFixed(0),
      most <= GOAL ? "reached" : "missed",
    ];
  });
  const lines = [
    `Resident memory of \`deno task queries greyscale\` with its viewer, ${PARTITIONS} cameras × ${FPS} frames/s of 640×480, ` +
    `${seconds} s; the first quarter counts only for the most. Goal: the most ≤ ${GOAL} MiB.`,
    "",
    ...table([
      "log",
      "median, MiB",
      "first third",
      "last third",
      "most",
      "slope, MiB an hour",
      "",
    ], rows),
  ];
  await report({
    name: "memory",
    title: "Memory with three live cameras",
    args,
    lines,
    out: values.out,
    files: {
      "memory.svg": lineChart(
        "Resident memory, greyscale, 3 × 15 frames/s",
        { x: "seconds", y: "MiB" },
        all.map(({ log, samples }) => ({
          name: log,
          points: samples.filter((_, i) => i % Math.ceil(samples.length / 8) === 0)
            .map(({ second, megabytes }) => [second, megabytes] as const),
        })),
      ),
    },
  });
}
