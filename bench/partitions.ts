// Many partitions: 64 cameras at 5 frames/s beside the same frames over 3 partitions, and 256
// partitions in which nothing happens.
import { print } from "./print.ts";
import { type BenchLog, benchLogs } from "./support/logs.ts";
import { oneQuery } from "./support/one_query.ts";
import { optionsOf } from "./support/options.ts";
import { cpuSeconds, processStats } from "./support/process_stats.ts";
import { report, table } from "./support/report.ts";
import { runLiveCameras } from "./support/live_cameras.ts";
import { median, percentile, spread } from "./support/stats.ts";

/** Frames a second of all cameras together: 64 × 5. */
const RATE = 320;
const FEW = 3;
const MANY = 64;
const IDLE = 256;
/** Starting is no steady state: each executor's code is compiled, and compiled better, for some time. */
const WARM_UP_MS = 15_000;
const IDLE_MS = 10_000;
const QUERIES = ["passthrough", "greyscale"];
const GOALS = { p99Ms: 100, cpuRatio: 1.1, idlePercent: 5 } as const;

interface Run {
  readonly frames: number;
  readonly missing: number;
  readonly p50: number;
  readonly p99: number;
  /** Of the process that runs the query, milliseconds a frame. */
  readonly cpuMsPerFrame: number;
  /** Of the broker, where it was started for this. */
  readonly brokerCpuMsPerFrame?: number;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** All cameras live in another process; the query in this one. */
async function live(
  target: BenchLog,
  query: string,
  partitions: number,
  seconds: number,
): Promise<Run> {
  const topic = `partitions-${crypto.randomUUID()}`;
  await target.log.createTopic(topic, partitions);
  const latencies: number[] = [];
  let since = 0;
  let cpuThen = 0;
  let brokerThen = 0;
  const brokerCpu = () =>
    target.brokerPid === undefined ? 0 : processStats(target.brokerPid).cpuSeconds;
  let warm: ReturnType<typeof setTimeout> | undefined;
  const driver = oneQuery(target, {
    topic,
    query,
    onLatencies: (milliseconds) => {
      warm ??= setTimeout(() => {
        since = performance.now();
        cpuThen = cpuSeconds();
        brokerThen = brokerCpu();
      }, WARM_UP_MS);
      if (since > 0) latencies.push(...milliseconds);
    },
  });
  await driver.start();
  let cpu = 0;
  let broker = 0;
  let until = 0;
  // The cameras' process ends a little after its last frame: the figure is taken before that.
  const end = pause(0).then(async () => {
    while (since === 0) await pause(20);
    await pause((seconds - WARM_UP_MS / 1000 - 2) * 1000);
    cpu = cpuSeconds() - cpuThen;
    broker = brokerCpu() - brokerThen;
    until = performance.now();
  });
  await runLiveCameras(target, { topic, cameras: partitions, fps: RATE / partitions, seconds });
  await end;
  await Promise.all(driver.streams.all.map((handle) => handle.processAllAvailable()));
  await driver.stop();
  const frames = driver.streams.all.reduce((sum, { totals }) => sum + totals.outputs, 0);
  const counted = RATE * (until - since) / 1000;
  return {
    frames,
    // As many as the cameras round to.
    missing: partitions * Math.round(RATE / partitions * seconds) - frames,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    cpuMsPerFrame: cpu * 1000 / counted,
    ...(target.brokerPid === undefined ? {} : { brokerCpuMsPerFrame: broker * 1000 / counted }),
  };
}

/** Percent of a core that the whole runtime takes while no partition has a frame. */
async function idle(target: BenchLog, query: string): Promise<number> {
  const topic = `idle-${crypto.randomUUID()}`;
  await target.log.createTopic(topic, IDLE);
  const driver = oneQuery(target, { topic, query });
  await driver.start();
  while (driver.streams.all.filter(({ state }) => state === "running").length < IDLE) {
    await pause(50);
  }
  await pause(WARM_UP_MS);
  const [cpu, started] = [cpuSeconds(), performance.now()];
  await pause(IDLE_MS);
  const percent = (cpuSeconds() - cpu) / (performance.now() - started) * 100_000;
  await driver.stop();
  return percent;
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    rounds: 3,
    seconds: 30,
    only: "",
    query: QUERIES.join(","),
    idle: true,
    kafka: "",
    out: "docs/results/partitions",
  });
  const { rounds, seconds } = values;
  if (seconds < 20) throw new RangeError(`Cannot measure ${seconds} s: expected 20 or more`);
  const queries = values.query.split(",");
  const targets = await benchLogs(values);
  const live_: string[][] = [];
  const idle_: string[][] = [];
  const verdict = (good: boolean) => good ? "reached" : "missed";
  try {
    for (const target of targets) {
      for (const query of queries) {
        const few: Run[] = [];
        const many: Run[] = [];
        for (let round = 1; round <= rounds; round++) {
          for (const [partitions, list] of [[FEW, few], [MANY, many]] as const) {
            const run = await live(target, query, partitions, seconds);
            list.push(run);
            print(`${target.name} ${query} ${partitions} partitions: ${JSON.stringify(run)}`);
          }
        }
        const ratios = many.map((run, i) => run.cpuMsPerFrame / few[i]!.cpuMsPerFrame);
        const missing = many.reduce((sum, run) => sum + run.missing, 0);
        const p99 = median(many.map((run) => run.p99));
        live_.push([
          target.name,
          query,
          String(missing),
          spread(few.map((run) => run.p99)),
          spread(many.map((run) => run.p99)),
          spread(few.map((run) => run.cpuMsPerFrame), 2),
          spread(many.map((run) => run.cpuMsPerFrame), 2),
          spread(ratios, 2),
          verdict(missing === 0 && p99 <= GOALS.p99Ms && median(ratios) <= GOALS.cpuRatio),
        ]);
      }
      if (values.idle) {
        const percent = await idle(target, queries[0]!);
        print(`${target.name} ${IDLE} idle partitions: ${percent.toFixed(2)} % of a core`);
        idle_.push([
          target.name,
          percent.toFixed(1),
          `< ${GOALS.idlePercent}`,
          verdict(percent < GOALS.idlePercent),
        ]);
      }
    }
  } finally {
    for (const target of targets) await target.close();
  }
  const lines = [
    `${MANY} cameras × ${
      RATE / MANY
    } frames/s of 640×480 over ${MANY} partitions, beside the same ` +
    `${RATE} frames/s over ${FEW}; ${rounds} interleaved rounds of ${seconds} s, medians (lowest–highest). ` +
    `Goals: nothing missing, p99 ≤ ${GOALS.p99Ms} ms, CPU per frame ≤ ${GOALS.cpuRatio} of that with ${FEW} partitions.`,
    "",
    ...table([
      "log",
      "query",
      "frames missing",
      `p99 ms, ${FEW} partitions`,
      `p99 ms, ${MANY}`,
      `CPU ms a frame, ${FEW}`,
      `CPU ms a frame, ${MANY}`,
      "ratio",
      "",
    ], live_),
    "",
    `${IDLE} partitions without frames, percent of a core of the whole runtime:`,
    "",
    ...table(["log", "%", "goal", ""], idle_),
  ];
  await report({
    name: "partitions",
    title: "Many partitions",
    args,
    lines,
    out: values.out,
  });
}
