// Batch size × linger × compression on Apache Kafka: real frames through the cameras' publisher and
// Framelane's reader, as tables and plots.
import { Admin } from "@platformatic/kafka";
import { ProgressBar } from "../cli/progress_bar.ts";
import { clipFrames } from "./frames.ts";
import { COLUMNS, type Figures, type Setting, trial } from "./support/kafka_trial.ts";
import { type BenchLog, kafkaLog } from "./support/logs.ts";
import { optionsOf } from "./support/options.ts";
import { barChart } from "./support/plot.ts";
import { csv, report, table } from "./support/report.ts";
import { median, spread } from "./support/stats.ts";

const PARTITIONS = 3;
const QUALITY = 80;
const COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
const SETTINGS = "16384/0/none,128000/20/none,512000/50/none,65536/10/snappy,65536/10/lz4," +
  "512000/50/lz4,65536/10/zstd,512000/50/zstd,32768/5/gzip,512000/50/gzip";
const SIDES = ["producer", "consumer"] as const;

/** One trial with its place in the sweep. */
interface Run {
  readonly setting: string;
  readonly load: "burst" | "live";
  readonly repeat: number;
  readonly producer: Figures;
  readonly consumer: Figures;
}

export async function bench(args: readonly string[]): Promise<void> {
  const options = optionsOf(args, {
    ...{ repeats: 5, frames: 900, "live-seconds": 3, fps: 25, settings: SETTINGS, kafka: "" },
    out: ".framelane/bench/kafka",
  });
  const { repeats, frames: count, fps } = options;
  const settings = options.settings.split(",");
  // Faults in a setting are reported before the broker starts.
  const parsed = settings.map(parseSetting);
  const frames = await clipFrames({ quality: QUALITY });
  const target = await kafkaLog(options.kafka);
  const bed = { log: target.log, frames, partitions: PARTITIONS };
  const bar = new ProgressBar({ title: "Kafka" });
  const runs: Run[] = [];
  try {
    for (let repeat = 0; repeat <= repeats; repeat++) {
      for (const turn of settings.keys()) {
        // Each round begins with another setting, so that none always has the same neighbour.
        const index = (turn + repeat) % settings.length;
        const setting = settings[index]!;
        const round = repeat === 0 ? "warming up" : `repeat ${repeat} of ${repeats}`;
        bar.update(
          repeat * settings.length + turn,
          (repeats + 1) * settings.length,
          `${round}, ${setting}`,
        );
        for (const load of ["burst", "live"] as const) {
          const topic = `bench-${load}-${crypto.randomUUID()}`;
          const seconds = repeat === 0 ? 0.5 : options["live-seconds"];
          const amount = load === "live"
            ? { fps, count: Math.round(fps * seconds) }
            : { count: Math.ceil(count / PARTITIONS) };
          const figures = await trial(bed, topic, parsed[index]!, amount);
          if (repeat > 0) runs.push({ setting, load, repeat, ...figures });
          await deleteTopic(target, topic);
        }
      }
    }
  } finally {
    bar.clear();
    await target.close();
  }
  const of = (setting: string, load: Run["load"], pick: (run: Run) => number) =>
    runs.filter((run) => run.setting === setting && run.load === load).map(pick);
  const rates = (side: (typeof SIDES)[number]) =>
    settings.map((name) => ({
      name,
      values: of(name, "burst", (run) => run[side].messages_per_second),
    }));
  await report({
    ...{ name: "kafka", title: "Batch size × linger × compression on Kafka", args },
    out: options.out,
    lines: [
      `${count} frames of 640×480 in ${PARTITIONS} partitions, ${repeats} interleaved repeats; live: ` +
      `${PARTITIONS} × ${fps} frames/s. Medians (lowest–highest).`,
      "",
      ...table(
        [
          ...["bytes / linger ms / compression", "frames/s out", "frames/s in"],
          ...["CPU ms a frame, out + in", "live ms to the consumer, p50", "p99", "errors"],
        ],
        settings.map((name) => [
          name,
          spread(of(name, "burst", (run) => run.producer.messages_per_second)),
          spread(of(name, "burst", (run) => run.consumer.messages_per_second)),
          SIDES.map((side) =>
            median(of(name, "burst", (run) => run[side].cpu_ms_per_message)).toFixed(2)
          ).join(" + "),
          spread(of(name, "live", (run) => run.consumer.latency_p50_ms), 1),
          spread(of(name, "live", (run) => run.consumer.latency_p99_ms), 1),
          String(
            runs.filter((run) => run.setting === name)
              .reduce((sum, run) => sum + run.producer.errors + run.consumer.errors, 0),
          ),
        ]),
      ),
    ],
    files: {
      ...Object.fromEntries(SIDES.map((side) => [
        `${side}_metrics.csv`,
        csv(runs.map(({ setting, load, repeat, [side]: figures }) => ({
          ...{ setting, load, repeat },
          ...figures,
        }))),
      ])),
      "kafka_performance_results.csv": csv(settings.map((setting) => ({
        setting,
        ...Object.fromEntries(
          (["burst", "live"] as const).flatMap((load) =>
            SIDES.flatMap((side) =>
              COLUMNS.map((column) => [
                `${load}_${side}_${column}`,
                median(of(setting, load, (run) => run[side][column])),
              ])
            )
          ),
        ),
      }))),
      "out.svg": barChart("Into Kafka, frames per second", rates("producer")),
      "in.svg": barChart("Out of Kafka, frames per second", rates("consumer")),
      "live.svg": barChart(
        "Live, camera to consumer, 99th percentile in ms",
        settings.map((name) => ({
          name,
          values: of(name, "live", (run) => run.consumer.latency_p99_ms),
        })),
      ),
    },
  });
}

/** Reads `65536/10/snappy`. */
function parseSetting(text: string): Setting {
  const [batch, linger, name, ...rest] = text.split("/");
  const [batchBytes, lingerMs] = [Number(batch), Number(linger)];
  const compression = COMPRESSIONS.find((one) => one === name);
  if (!(batchBytes >= 1) || !(lingerMs >= 0) || compression === undefined || rest.length > 0) {
    throw new RangeError(
      `Cannot measure with ${JSON.stringify(text)}: expected BATCH_BYTES/LINGER_MS/COMPRESSION, ` +
        `with ${COMPRESSIONS.join(", ")}`,
    );
  }
  return { batchBytes, lingerMs, compression };
}

/** Gigabytes of old trials would fill the disk. */
async function deleteTopic({ url }: BenchLog, topic: string): Promise<void> {
  const bootstrapBrokers = url.replace("kafka://", "").split(",");
  const admin = new Admin({ clientId: "framelane-bench", bootstrapBrokers });
  try {
    await admin.deleteTopics({ topics: [topic] });
  } finally {
    await admin.close();
  }
}
