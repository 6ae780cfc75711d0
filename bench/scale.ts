// Many runtimes on one Kafka: members of one group share hundreds of partitions. How long until all
// partitions run, how long when a member leaves, how many commits a second, how far behind.
//
// Each runtime is a real one, its membership, readers, transactions and query included; they share a
// process and have no workers, so that hundreds of lanes fit on a small machine.
import type { Driver } from "../runtime/driver/driver.ts";
import { openLog } from "../runtime/log/open.ts";
import { print } from "./print.ts";
import { type BenchLog, kafkaLog } from "./support/logs.ts";
import { oneQuery } from "./support/one_query.ts";
import { optionsOf } from "./support/options.ts";
import { lineChart } from "./support/plot.ts";
import { cpuSeconds } from "./support/process_stats.ts";
import { report, table } from "./support/report.ts";
import { runLiveCameras } from "./support/live_cameras.ts";
import { percentile } from "./support/stats.ts";

const LOOK_MS = 5;
/** Longer than any step may take. */
const MOST_MS = 60_000;

/** What one size of group and topic gave. */
interface Run {
  readonly members: number;
  readonly partitions: number;
  /** Start of the runtimes until every partition runs, milliseconds. */
  readonly assignedMs: number;
  /** One runtime is asked to stop, until all of its partitions run elsewhere. */
  readonly movedMs: number;
  readonly movedPartitions: number;
  readonly commitsPerSecond: number;
  readonly framesPerSecond: number;
  /** Capture to sink, milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Most frames that a partition was behind when it committed. */
  readonly mostBehind: number;
  /** Share of a core that all runtimes together took under load. */
  readonly cores: number;
}

/** One runtime: a driver with a log of its own. */
class Runtime {
  readonly driver: Driver;
  readonly close: () => Promise<void>;
  readonly latencies: number[] = [];
  mostBehind = 0;
  commits = 0;
  frames = 0;

  private constructor(driver: Driver, close: () => Promise<void>) {
    this.driver = driver;
    this.close = close;
  }

  static async make(url: string, topic: string, group: string): Promise<Runtime> {
    const log = await openLog(url);
    const driver: Driver = oneQuery({ log, url }, {
      topic,
      query: "passthrough",
      group,
      executors: 0,
      report: () => {},
      onLatencies: (milliseconds) => void runtime.latencies.push(...milliseconds),
    });
    const runtime = new Runtime(driver, () => log.close());
    const batches = new Map<string, number>();
    driver.streams.addListener({
      onQueryProgress: ({ progress }) => {
        const { runId, batchId, numInputRows, sources } = progress;
        runtime.commits += batchId - (batches.get(runId) ?? batchId - 1);
        batches.set(runId, batchId);
        runtime.frames += numInputRows;
        const behind = Number(sources[0]?.metrics?.["maxOffsetsBehindLatest"] ?? 0);
        runtime.mostBehind = Math.max(runtime.mostBehind, behind);
      },
    });
    return runtime;
  }

  /** Partitions whose query runs here. */
  get running(): number[] {
    return this.driver.streams.active.filter(({ state }) => state === "running")
      .map(({ partition }) => partition);
  }

  forget(): void {
    this.latencies.length =
      this.mostBehind =
      this.commits =
      this.frames =
        0;
  }
}

/** Milliseconds until this many partitions run. */
async function untilRunning(runtimes: readonly Runtime[], partitions: number): Promise<number> {
  const started = performance.now();
  for (;;) {
    const running = new Set(runtimes.flatMap((runtime) => runtime.running));
    const ms = performance.now() - started;
    if (running.size === partitions) return ms;
    if (ms > MOST_MS) throw new Error(`Only ${running.size} of ${partitions} partitions run`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function simulate(
  target: BenchLog,
  members: number,
  partitions: number,
  { fps, seconds }: { fps: number; seconds: number },
): Promise<Run> {
  const topic = `scale-${crypto.randomUUID()}`;
  await target.log.createTopic(topic, partitions);
  const runtimes = await Promise.all(
    Array.from({ length: members }, () => Runtime.make(target.url, topic, topic)),
  );
  try {
    const starting = Promise.all(runtimes.map(({ driver }) => driver.start()));
    const assignedMs = await untilRunning(runtimes, partitions);
    await starting;
    for (const runtime of runtimes) runtime.forget();
    const [cpu, begun] = [cpuSeconds(), performance.now()];
    await runLiveCameras(target, {
      topic,
      cameras: partitions,
      fps,
      seconds,
      size: { width: 160, height: 120 },
    });
    await Promise.all(
      runtimes.flatMap(({ driver }) =>
        driver.streams.active.map((handle) => handle.processAllAvailable())
      ),
    );
    const spent = (performance.now() - begun) / 1000;
    const cores = (cpuSeconds() - cpu) / spent;
    const sum = (pick: (runtime: Runtime) => number) =>
      runtimes.reduce((total, runtime) => total + pick(runtime), 0);
    const latencies = runtimes.flatMap((runtime) => runtime.latencies);
    const loaded = {
      commitsPerSecond: sum(({ commits }) => commits) / seconds,
      framesPerSecond: sum(({ frames }) => frames) / seconds,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      mostBehind: Math.max(...runtimes.map(({ mostBehind }) => mostBehind)),
      cores,
    };
    const [leaver, ...others] = runtimes as [Runtime, ...Runtime[]];
    const movedPartitions = leaver.running.length;
    const leaving = leaver.driver.stop();
    const movedMs = await untilRunning(others, partitions);
    await leaving;
    return { members, partitions, assignedMs, movedMs, movedPartitions, ...loaded };
  } finally {
    await Promise.all(runtimes.map(({ driver }) => driver.stop()));
    await Promise.all(runtimes.map(({ close }) => close()));
  }
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    members: "2,4,8",
    partitions: "64,128,256",
    fps: 1,
    seconds: 8,
    kafka: "",
    out: "docs/results/scale",
  });
  const numbers = (text: string) => text.split(",").map(Number);
  const { fps, seconds } = values;
  const target = await kafkaLog(values.kafka);
  const runs: Run[] = [];
  try {
    for (const partitions of numbers(values.partitions)) {
      for (const members of numbers(values.members)) {
        const run = await simulate(target, members, partitions, { fps, seconds });
        runs.push(run);
        print(JSON.stringify(run));
      }
    }
  } finally {
    await target.close();
  }
  const lines = [
    `Runtimes of one group on one broker, frames of 160×120 at ${fps} a second and partition for ${seconds} s; ` +
    "broker, cameras and runtimes share the machine.",
    "",
    ...table(
      [
        "runtimes",
        "partitions",
        "all assigned, ms",
        "one leaves: all run again, ms",
        "partitions moved",
        "commits/s",
        "frames/s",
        "p50, ms",
        "p99, ms",
        "most frames behind",
        "cores of all runtimes",
      ],
      runs.map((run) => [
        String(run.members),
        String(run.partitions),
        run.assignedMs.toFixed(0),
        run.movedMs.toFixed(0),
        String(run.movedPartitions),
        run.commitsPerSecond.toFixed(0),
        run.framesPerSecond.toFixed(0),
        run.p50.toFixed(0),
        run.p99.toFixed(0),
        String(run.mostBehind),
        run.cores.toFixed(2),
      ]),
    ),
  ];
  const chart = (title: string, y: string, pick: (run: Run) => number) =>
    lineChart(
      title,
      { x: "partitions", y },
      numbers(values.members).map((members) => ({
        name: `${members} runtimes`,
        points: runs.filter((run) => run.members === members)
          .map((run) => [run.partitions, pick(run)] as const),
      })),
    );
  await report({
    name: "scale",
    title: "Many runtimes, hundreds of partitions",
    args,
    lines,
    out: values.out,
    files: {
      "assignment.svg": chart("Start until all partitions run", "ms", (run) => run.assignedMs),
      "moved.svg": chart("A runtime leaves until all partitions run", "ms", (run) => run.movedMs),
      "commits.svg": chart("Commits a second", "commits/s", (run) => run.commitsPerSecond),
      "latency.svg": chart("Capture to sink, 99th percentile", "ms", (run) => run.p99),
    },
  });
}
