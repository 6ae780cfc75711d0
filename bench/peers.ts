/**
 * Framelane beside what a user would pick instead: the same frames, the same machine, the same run,
 * rounds interleaved. Writes a table, a JSON file and a plot.
 *
 *     deno task bench peers [--rounds 5] [--frames 3000] [--live-seconds 20] [--only NAME,…] [--skip NAME,…] [--out DIR] [--kafka HOST:PORT]
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ProgressBar } from "../cli/progress_bar.ts";
import { codecLoop } from "./codec.ts";
import { clipFrames } from "./frames.ts";
import { barChart } from "./support/plot.ts";
import { drain, live } from "./pipeline.ts";
import { print } from "./print.ts";
import { type BenchLog, fillTopic, kafkaLog } from "./support/logs.ts";
import { preparePeers } from "./support/peer_packages.ts";
import { runLiveCameras } from "./support/run_live_cameras.ts";
import { median, percentile, spread } from "./support/stats.ts";

const PARTITIONS = 3;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What one run of one contender gave. */
interface Outcome {
  /** Frames a second from the first frame that was done to the last. */
  readonly steady: number;
  /** Frames a second from the start of the process to the last frame. */
  readonly cold: number;
  /** Seconds from the start of the process to the first frame that was done. */
  readonly firstFrame: number;
}

/** Something that does the work. */
interface Contender {
  readonly name: string;
  readonly about: string;
  backlog(target: BenchLog, topic: string, frames: number): Promise<Outcome>;
  /** Capture to sink, milliseconds, at 3 × 15 frames/s. */
  live?(
    target: BenchLog,
    topic: string,
    frames: number,
    cameras: () => Promise<void>,
  ): Promise<number[]>;
}

interface PeerReport {
  readonly frames: number;
  readonly steadyFrames: number;
  readonly steadySeconds: number;
  readonly firstFrameSeconds: number;
  readonly totalSeconds: number;
  readonly latencies: readonly number[];
}

/** Runs a peer's program; `onReady` when it says that it waits for frames. */
async function runPeer(
  command: readonly string[],
  onReady?: () => Promise<void>,
): Promise<PeerReport> {
  const [program, ...args] = command as [string, ...string[]];
  const child = new Deno.Command(program, {
    args,
    cwd: here("./peers/"),
    env: { PEER_STARTED: String(Date.now() / 1000) },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let said = "";
  let called: Promise<void> | undefined;
  const listening = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said = (said + text).slice(-20_000);
      if (said.includes("ready")) called ??= onReady?.();
    }
  })();
  const output = await new Response(child.stdout).text();
  await listening;
  await called;
  const line = output.trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) {
    throw new Error(`${command.join(" ")} gave no result: ${said.slice(-2000)}`);
  }
  return JSON.parse(line);
}

function outcome(report: PeerReport): Outcome {
  return {
    steady: report.steadyFrames / report.steadySeconds,
    cold: report.frames / report.totalSeconds,
    firstFrame: report.firstFrameSeconds,
  };
}

function peer(
  name: string,
  about: string,
  command: (broker: string, topic: string, frames: number, live: boolean) => string[],
): Contender {
  const broker = (target: BenchLog) => target.url.replace("kafka://", "");
  return {
    name,
    about,
    backlog: async (target, topic, frames) =>
      outcome(await runPeer(command(broker(target), topic, frames, false))),
    live: async (target, topic, frames, cameras) => {
      const report = await runPeer(command(broker(target), topic, frames, true), cameras);
      return [...report.latencies];
    },
  };
}

/** Framelane as a user runs it for the cold figures, and its driver for the steady ones. */
const framelane: Contender = {
  name: "framelane",
  about: "greyscale query, executors = cores",
  async backlog(target, topic, frames) {
    const started = performance.now();
    const group = `peers-${crypto.randomUUID()}`;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--allow-read",
        "--allow-write",
        "--allow-net",
        "--allow-env",
        "--allow-ffi",
        "--allow-sys",
        here("../main.ts"),
        "queries",
        "greyscale",
        "--log",
        target.url,
        "--topic",
        topic,
        "--group",
        group,
        "--partitions",
        "0,1,2",
        "--starting-offsets",
        "earliest",
        "--trigger",
        "available-now",
        "--json",
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const output = await new Response(child.stdout).text();
    const total = (performance.now() - started) / 1000;
    const summary = JSON.parse(output.trim().split("\n").at(-1)!);
    if (summary.outputs !== frames) {
      throw new Error(`Framelane processed ${summary.outputs} frames`);
    }
    const { framesPerSecond } = await drain(target, topic);
    return {
      steady: framesPerSecond,
      cold: frames / total,
      firstFrame: total - frames / framesPerSecond,
    };
  },
};

/** `deno task bench peers`. */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "5" },
      frames: { type: "string", default: "3000" },
      "live-seconds": { type: "string", default: "20" },
      only: { type: "string" },
      skip: { type: "string", default: "" },
      out: { type: "string", default: "docs/results" },
      kafka: { type: "string" },
    },
  });
  const [rounds, total, seconds] = [values.rounds, values.frames, values["live-seconds"]].map(
    Number,
  ) as [number, number, number];
  const { python, jars, missing } = await preparePeers(print);
  const deno = [
    Deno.execPath(),
    "run",
    "--allow-net",
    "--allow-env",
    "--allow-read",
    "--allow-ffi",
    "--allow-sys",
  ];
  let contenders: Contender[] = [
    framelane,
    peer("pyspark", "PySpark 4.0.0 Structured Streaming, OpenCV in a pandas UDF", (b, t, n, l) => [
      python,
      "pyspark_streaming.py",
      b,
      t,
      String(PARTITIONS),
      String(n),
      jars,
      ...(l ? ["live"] : []),
    ]),
    peer("python-best", "confluent-kafka + OpenCV, a process for each partition", (b, t, n, l) => [
      python,
      "python_best.py",
      b,
      t,
      String(PARTITIONS),
      String(n),
      ...(l ? ["live"] : []),
    ]),
    peer("python-classic", "kafka-python + OpenCV, one consumer", (b, t, n, l) => [
      python,
      "python_classic.py",
      b,
      t,
      String(PARTITIONS),
      String(n),
      ...(l ? ["live"] : []),
    ]),
    peer("kafkajs-sharp", "KafkaJS + sharp in Deno", (b, t, n, l) => [
      ...deno,
      "kafkajs_sharp.ts",
      b,
      t,
      String(PARTITIONS),
      String(n),
      ...(l ? ["live"] : []),
    ]),
  ];
  const skipped = new Map<string, string>(missing);
  for (const name of values.skip.split(",").filter(Boolean)) skipped.set(name, "as asked");
  const only = values.only?.split(",");
  contenders = contenders.filter(({ name }) =>
    !skipped.has(name) && (only === undefined || only.includes(name))
  );
  for (const [name, why] of skipped) print(`skipped ${name}: ${why}`);

  const frames = await clipFrames();
  const target = await kafkaLog(values.kafka);
  const outcomes = new Map(contenders.map((one) => [one, [] as Outcome[]]));
  const bare: number[] = [];
  const latencies = new Map<string, number[]>();
  try {
    const topic = `peers-${crypto.randomUUID()}`;
    await fillTopic(target.log, topic, PARTITIONS, Math.ceil(total / PARTITIONS), frames);
    const bar = new ProgressBar({ title: "Peers" });
    let done = 0;
    const step = (what: string) => bar.update(done++, rounds * (contenders.length + 1), what);
    for (let round = 1; round <= rounds; round++) {
      step(`round ${round} of ${rounds}, bare codec loop`);
      bare.push((await codecLoop(frames, { total })).framesPerSecond);
      for (const contender of contenders) {
        step(`round ${round} of ${rounds}, ${contender.name}`);
        const result = await contender.backlog(target, topic, total);
        outcomes.get(contender)!.push(result);
        bar.clear();
        print(
          `round ${round} ${contender.name.padEnd(15)} ${
            result.steady.toFixed(0).padStart(6)
          } frames/s steady, ` +
            `${result.cold.toFixed(0).padStart(6)} from cold start, first frame after ${
              result.firstFrame.toFixed(2)
            } s`,
        );
      }
    }
    bar.clear();
    if (seconds > 0) {
      latencies.set("framelane", await live(target, seconds));
      for (const contender of contenders) {
        if (contender.live === undefined) continue;
        const liveTopic = `live-${crypto.randomUUID()}`;
        await target.log.createTopic(liveTopic, PARTITIONS);
        latencies.set(
          contender.name,
          await contender.live(
            target,
            liveTopic,
            seconds * 15 * PARTITIONS,
            () =>
              runLiveCameras(target, {
                topic: liveTopic,
                cameras: PARTITIONS,
                fps: 15,
                seconds,
              }),
          ),
        );
      }
    }
  } finally {
    await target.close();
  }
  const ours = outcomes.get(framelane) ?? [];
  const rows = contenders.map((contender) => {
    const list = outcomes.get(contender)!;
    const ratio = (field: "steady" | "cold") =>
      median(list.map((run, i) => (ours[i]?.[field] ?? NaN) / run[field]));
    const lag = latencies.get(contender.name) ?? [];
    return {
      name: contender.name,
      about: contender.about,
      steady: list.map(({ steady }) => steady),
      cold: list.map(({ cold }) => cold),
      firstFrame: median(list.map(({ firstFrame }) => firstFrame)),
      steadyRatio: ratio("steady"),
      coldRatio: ratio("cold"),
      p50: percentile(lag, 0.5),
      p99: percentile(lag, 0.99),
    };
  });
  const lines = [
    `Greyscale over a backlog of ${total} frames 640×480, ${PARTITIONS} partitions, Kafka; live: 3 cameras × 15 frames/s. ` +
    `${navigator.hardwareConcurrency} cores, ${rounds} interleaved rounds, medians (lowest–highest).`,
    "",
    "| | steady frames/s | ours ÷ theirs | from cold start | ours ÷ theirs | first frame, s | live p50, ms | live p99, ms |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows.map((row) =>
      `| ${row.name}: ${row.about} | ${spread(row.steady)} | ${row.steadyRatio.toFixed(2)} | ${
        spread(row.cold)
      } | ${row.coldRatio.toFixed(2)} | ${row.firstFrame.toFixed(2)} | ${figure(row.p50)} | ${
        figure(row.p99)
      } |`
    ),
    `| bare codec loop, no log | ${spread(bare)} | ${
      median(ours.map(({ steady }, i) => steady / bare[i]!)).toFixed(2)
    } | | | | | |`,
    ...[...skipped].map(([name, why]) => `| ${name} | skipped: ${why} | | | | | | |`),
  ];
  print(["", ...lines].join("\n"));
  await Deno.mkdir(values.out, { recursive: true });
  await Deno.writeTextFile(
    `${values.out}/peers.md`,
    `# Framelane and its peers\n\n${lines.join("\n")}\n\n![frames per second](peers.svg)\n`,
  );
  await Deno.writeTextFile(
    `${values.out}/peers.json`,
    JSON.stringify({ rows, bare }, null, 2) + "\n",
  );
  await Deno.writeTextFile(
    `${values.out}/peers.svg`,
    barChart("Greyscale over a backlog, frames per second", [
      ...rows.map(({ name, steady }) => ({ name, values: steady })),
      { name: "bare codec loop", values: bare },
    ]),
  );
}

const figure = (value: number) => Number.isFinite(value) ? value.toFixed(0) : "–";
