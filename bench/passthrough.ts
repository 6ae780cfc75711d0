// What is left of the bare Kafka client's speed when a query runs on it that does nothing: the same
// backlog, read by the client's own consumer (one for all, and one for each core) and by the
// `passthrough` query. The client's time runs from its first frame to its last; the query's from the
// start of its first lane until every lane has committed and ended.
import { clipFrames } from "./frames.ts";
import { drain } from "./pipeline.ts";
import type { BareReport, BareRequest } from "./support/bare_consumer.ts";
import { fillTopic, kafkaLog } from "./support/logs.ts";
import { moduleOf } from "./support/one_query.ts";
import { optionsOf } from "./support/options.ts";
import { barChart } from "./support/plot.ts";
import { processStats } from "./support/process_stats.ts";
import { report, table } from "./support/report.ts";
import { median, spread } from "./support/stats.ts";

const PARTITIONS = 3;
const GOAL = 0.8;

/** One way of reading a backlog, and what it took. */
interface Run {
  readonly framesPerSecond: number;
  readonly cpuMsPerFrame: number;
  readonly faultsPerFrame: number;
}

async function measured(frames: number, work: () => Promise<number>): Promise<Run> {
  const before = processStats(Deno.pid);
  const framesPerSecond = await work();
  const after = processStats(Deno.pid);
  return {
    framesPerSecond,
    cpuMsPerFrame: (after.cpuSeconds - before.cpuSeconds) * 1000 / frames,
    faultsPerFrame: (after.minorFaults - before.minorFaults) / frames,
  };
}

/** Frames a second of this many consumers of one group, each in a worker. */
async function bareConsumers(
  count: number,
  request: BareRequest,
  frames: number,
): Promise<number> {
  const url = new URL("./support/bare_consumer.ts", import.meta.url);
  const workers = Array.from({ length: count }, () => new Worker(url, { type: "module" }));
  const reports = new Map<Worker, BareReport>();
  try {
    await new Promise<void>((resolve, reject) => {
      for (const worker of workers) {
        worker.onerror = (event) => reject(new Error(event.message));
        worker.onmessage = ({ data }: MessageEvent<BareReport>) => {
          reports.set(worker, data);
          if ([...reports.values()].reduce((sum, one) => sum + one.count, 0) >= frames) resolve();
        };
        worker.postMessage(request);
      }
    });
    const all = [...reports.values()];
    const first = Math.min(...all.map((one) => one.first));
    const last = Math.max(...all.map((one) => one.last));
    return frames / (last - first) * 1000;
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    rounds: 5,
    frames: 9000,
    kafka: "",
    out: "docs/results/passthrough",
  });
  const { rounds, frames: total } = values;
  const target = await kafkaLog(values.kafka);
  const broker = target.url.replace("kafka://", "");
  const cores = navigator.hardwareConcurrency;
  const names = [
    "bare client, one consumer",
    `bare client, ${cores} consumers`,
    "passthrough query",
  ];
  const runs = names.map((): Run[] => []);
  try {
    const topic = `passthrough-${crypto.randomUUID()}`;
    await fillTopic(target.log, topic, PARTITIONS, total / PARTITIONS, await clipFrames());
    const bare = (count: number) =>
      bareConsumers(count, { broker, topic, group: crypto.randomUUID() }, total);
    const ways = [
      () => bare(1),
      () => bare(cores),
      async () => (await drain(target, topic, moduleOf("passthrough"))).framesPerSecond,
    ];
    // The first round warms caches and compilers up.
    for (let round = 0; round <= rounds; round++) {
      for (const [index, way] of ways.entries()) {
        const run = await measured(total, way);
        if (round > 0) runs[index]!.push(run);
      }
    }
  } finally {
    await target.close();
  }
  const ratios = runs[2]!.map(({ framesPerSecond }, i) =>
    framesPerSecond / Math.max(runs[0]![i]!.framesPerSecond, runs[1]![i]!.framesPerSecond)
  );
  const ratio = median(ratios);
  const lines = [
    `${total} frames of 640×480 in ${PARTITIONS} partitions; ${rounds} interleaved rounds, medians (lowest–highest).`,
    "",
    ...table(
      ["", "frames/s", "CPU ms a frame, start and end included", "page faults a frame"],
      names.map((name, i) => [
        name,
        spread(runs[i]!.map((run) => run.framesPerSecond)),
        spread(runs[i]!.map((run) => run.cpuMsPerFrame), 3),
        spread(runs[i]!.map((run) => run.faultsPerFrame), 1),
      ]),
    ),
    "",
    `The query reaches ${
      spread(ratios, 2)
    } of the faster bare client of its round; goal ≥ ${GOAL}: ${
      ratio >= GOAL ? "reached" : "missed"
    }.`,
  ];
  await report({
    name: "passthrough",
    title: "Passthrough beside the bare Kafka client",
    args,
    lines,
    out: values.out,
    files: {
      "passthrough.svg": barChart(
        "Reading a backlog from Kafka, frames per second",
        names.map((name, i) => ({ name, values: runs[i]!.map((run) => run.framesPerSecond) }))
          .toReversed(),
      ),
    },
  });
}
