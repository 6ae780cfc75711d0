/**
 * Batch size × linger × compression on Apache Kafka: real frames through the cameras' publisher and
 * Framelane's reader, as three tables and a page; then the classic job of 192 images.
 *
 *     deno task bench kafka [--repeats 5] [--frames 900] [--live-seconds 3] [--fps 25] [--kafka HOST:PORT]
 *       [--settings 16384/0/none,65536/10/zstd] [--out .framelane/bench/kafka]
 *       [--batch-bytes 16384,512000 --linger-ms 0,50 --compression none,zstd]
 *
 * @module
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Admin } from "@platformatic/kafka";
import { ProgressBar } from "../cli/progress_bar.ts";
import { clipFrames } from "./frames.ts";
import {
  CLASSIC_IMAGES,
  type ClassicRun,
  classicRun,
  fillFolder,
  PYTHON_WATCHDOG,
} from "./kafka/classic.ts";
import { pageOf } from "./kafka/page.ts";
import { gridOf, nameOf, parseSettings, type Setting, USUAL_SETTINGS } from "./kafka/settings.ts";
import {
  csvOf,
  markdownOf,
  metricsRows,
  resultRows,
  summarize,
  type Summary,
  type Trial,
} from "./kafka/tables.ts";
import { burst, live, type TrialBed } from "./kafka/trial.ts";
import { print } from "./print.ts";
import { type BenchLog, kafkaLog } from "./support/logs.ts";
import { machineLine, thisMachine } from "./support/machine.ts";
import { spread } from "./support/stats.ts";

const PARTITIONS = 3;
/** What cameras encode with unless told otherwise. */
const QUALITY = 80;
const DEFAULT_OUT = ".framelane/bench/kafka";

/** What was asked for. */
interface Plan {
  readonly settings: readonly Setting[];
  readonly repeats: number;
  readonly frames: number;
  readonly live: { readonly fps: number; readonly seconds: number };
}

/** `deno task bench kafka`. */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      repeats: { type: "string", default: "5" },
      frames: { type: "string", default: "900" },
      "live-seconds": { type: "string", default: "3" },
      fps: { type: "string", default: "25" },
      settings: { type: "string" },
      "batch-bytes": { type: "string" },
      "linger-ms": { type: "string" },
      compression: { type: "string" },
      kafka: { type: "string" },
      out: { type: "string", default: DEFAULT_OUT },
    },
  });
  const plan: Plan = {
    settings: settingsOf(values),
    repeats: positive("repeats", values.repeats),
    // The same of every partition.
    frames: Math.ceil(positive("frames", values.frames) / PARTITIONS) * PARTITIONS,
    live: {
      fps: positive("fps", values.fps),
      seconds: positive("live-seconds", values["live-seconds"]),
    },
  };
  const machine = await thisMachine(values.kafka ?? "ours");
  print(machineLine(machine));
  const frames = await clipFrames({ quality: QUALITY });
  const kilobytes = frames.reduce((sum, { length }) => sum + length, 0) / frames.length / 1000;
  print(
    `${plan.settings.length} settings, ${plan.repeats} interleaved repeats of ${plan.frames} frames of 640×480 ` +
      `(${
        kilobytes.toFixed(0)
      } KB), ${PARTITIONS} partitions; live ${PARTITIONS} × ${plan.live.fps} frames/s`,
  );
  const target = await kafkaLog(values.kafka);
  const scratch = await Deno.makeTempDir({ prefix: "framelane-bench-" });
  try {
    const trials = await sweep(target, frames, plan);
    const summaries = summarize(trials);
    for (const summary of summaries) print(lineOf(summary));
    const folder = join(scratch, "images");
    await fillFolder(folder, [...frames, ...await clipFrames({ quality: 90 })]);
    const classic = await classicJob(target, folder, plan.repeats);
    const classicLine = `${CLASSIC_IMAGES} images: out ${
      spread(classic.map((run) => run.out))
    } images/s, in ${
      spread(classic.map((run) => run.in))
    } images/s, beside ${PYTHON_WATCHDOG.out} out and ${PYTHON_WATCHDOG.in} in that a Python system ` +
      `with watchdog is reported to do (not measured here)`;
    print(classicLine);
    const report = { machine, summaries, classic, partitions: PARTITIONS, live: plan.live };
    await Deno.mkdir(values.out, { recursive: true });
    const files = {
      "producer_metrics.csv": csvOf(metricsRows(trials, "producer")),
      "consumer_metrics.csv": csvOf(metricsRows(trials, "consumer")),
      "kafka_performance_results.csv": csvOf(resultRows(summaries)),
      "report.json": JSON.stringify(report, null, 2) + "\n",
      "index.html": pageOf(report),
      "README.md": readme(machineLine(machine), args, markdownOf(summaries), classicLine),
    };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(values.out, name), text);
    }
    print(`Written to ${values.out}: ${Object.keys(files).join(", ")}`);
  } finally {
    await target.close();
    await Deno.remove(scratch, { recursive: true });
  }
}

/** The folder's page where only text is shown. */
function readme(machine: string, args: readonly string[], table: string, classic: string): string {
  return `# Batch size × linger × compression on Kafka\n\n` +
    `Made by \`deno task bench kafka${args.map((arg) => ` ${arg}`).join("")}\`.\n\n${machine}\n\n` +
    `[The page with plots](index.html) shows all of it; every repeat is in ` +
    `[producer_metrics.csv](producer_metrics.csv) and [consumer_metrics.csv](consumer_metrics.csv), ` +
    `medians and extremes are in [kafka_performance_results.csv](kafka_performance_results.csv).\n\n` +
    `Medians (lowest–highest):\n\n${table}\n${classic}\n`;
}

/** All trials, in rounds in which every setting has its turn, so that a busy moment strikes them all. */
async function sweep(
  target: BenchLog,
  frames: readonly Uint8Array[],
  { settings, repeats, frames: count, live: pace }: Plan,
): Promise<Trial[]> {
  const bed: TrialBed = {
    log: target.log,
    frames,
    partitions: PARTITIONS,
    ...(target.brokerPid === undefined ? {} : { brokerPid: target.brokerPid }),
  };
  const bar = new ProgressBar({ title: "Kafka" });
  const total = (repeats + 1) * settings.length;
  const trials: Trial[] = [];
  let done = 0;
  for (let repeat = 0; repeat <= repeats; repeat++) {
    // Nobody is always the first, nor always after the same neighbour's garbage.
    const order = settings.map((_, index) => settings[(index + repeat) % settings.length]!);
    for (const setting of order) {
      const round = repeat === 0 ? "warming up" : `repeat ${repeat} of ${repeats}`;
      bar.update(done++, total, `${round}, ${nameOf(setting)}`);
      for (const load of ["burst", "live"] as const) {
        const topic = `bench-${load}-${crypto.randomUUID()}`;
        const result = load === "burst"
          ? await burst(bed, topic, setting, count)
          : await live(bed, topic, setting, { ...pace, ...(repeat === 0 ? { seconds: 0.5 } : {}) });
        if (repeat > 0) trials.push({ ...result, setting, load, repeat });
        await deleteTopic(target, topic);
      }
    }
  }
  bar.clear();
  return trials;
}

async function classicJob(target: BenchLog, folder: string, repeats: number) {
  const bar = new ProgressBar({ title: `${CLASSIC_IMAGES} images` });
  const runs: ClassicRun[] = [];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    bar.update(repeat, repeats + 1, repeat === 0 ? "warming up" : `run ${repeat} of ${repeats}`);
    const topic = `bench-classic-${crypto.randomUUID()}`;
    const run = await classicRun(target.log, topic, folder);
    if (repeat > 0) runs.push(run);
    await deleteTopic(target, topic);
  }
  bar.clear();
  return runs;
}

/** Gigabytes of old trials would fill the disk and keep it busy. */
async function deleteTopic({ url }: BenchLog, topic: string): Promise<void> {
  const admin = new Admin({
    clientId: "framelane-bench",
    bootstrapBrokers: url.replace("kafka://", "").split(","),
  });
  try {
    await admin.deleteTopics({ topics: [topic] });
  } finally {
    await admin.close();
  }
}

function lineOf(summary: Summary): string {
  const { producer, consumer, liveEndP50, liveEndP99 } = summary;
  const rate = ({ median, low, high }: typeof liveEndP50) =>
    `${median.toFixed(0)} (${low.toFixed(0)}–${high.toFixed(0)})`.padEnd(18);
  return `${summary.name.padEnd(18)} out ${rate(producer.messagesPerSecond)} in ${
    rate(consumer.messagesPerSecond)
  } frames/s, CPU ${producer.cpuMsPerMessage.median.toFixed(2)} + ${
    consumer.cpuMsPerMessage.median.toFixed(2)
  } ms a frame, live p50 ${liveEndP50.median.toFixed(1)} p99 ${
    liveEndP99.median.toFixed(1)
  } ms, ${summary.errors} errors`;
}

function settingsOf(values: {
  readonly settings?: string | undefined;
  readonly "batch-bytes"?: string | undefined;
  readonly "linger-ms"?: string | undefined;
  readonly compression?: string | undefined;
}): readonly Setting[] {
  const { settings, "batch-bytes": batch, "linger-ms": linger, compression } = values;
  if (settings !== undefined) return parseSettings(settings);
  if (batch === undefined && linger === undefined && compression === undefined) {
    return USUAL_SETTINGS;
  }
  return gridOf(
    (batch ?? "16384,65536,512000").split(",").map(Number),
    (linger ?? "0,10,50").split(",").map(Number),
    (compression ?? "none,gzip,snappy,lz4,zstd").split(","),
  );
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) {
    throw new RangeError(`Cannot measure with --${name} ${text}: expected a number above 0`);
  }
  return name === "repeats" ? Math.ceil(value) : value;
}
