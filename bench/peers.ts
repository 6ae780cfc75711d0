// Framelane beside what a user would pick instead: the same frames, the same machine, the same run,
// rounds interleaved. Writes a table and plots. `--only windows` leaves nothing but the
// windows, beside the best Python.
import { fileURLToPath } from "node:url";
import { ProgressBar } from "../cli/progress_bar.ts";
import { clipFrames } from "./frames.ts";
import { codecLoop } from "./support/codec_loop.ts";
import { optionsOf } from "./support/options.ts";
import { type Measured, type Outcome, type PeerRow, peersReport } from "./support/peers_report.ts";
import { drain, live } from "./pipeline.ts";
import { print } from "./print.ts";
import { type BenchLog, fillTopic, kafkaLog } from "./support/logs.ts";
import { preparePeers } from "./support/peer_packages.ts";
import { FIRST_FRAMES } from "./support/window_tensors.ts";
import { runLiveCameras } from "./support/live_cameras.ts";
import { report } from "./support/report.ts";

const PARTITIONS = 3;
const WINDOWS = new URL("./support/window_tensors.ts", import.meta.url).href;
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

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
  let printed = "";
  let called: Promise<void> | undefined;
  const listening = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      printed = (printed + text).slice(-20_000);
      if (printed.includes("ready")) called ??= onReady?.();
    }
  })();
  const output = await new Response(child.stdout).text();
  await listening;
  await called;
  const line = output.trim().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) {
    throw new Error(`${command.join(" ")} gave no result: ${printed.slice(-2000)}`);
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
  program: readonly string[],
  more: readonly string[] = [],
): Contender {
  const command = ({ url }: BenchLog, topic: string, frames: number) => [
    ...program,
    ...[url.replace("kafka://", ""), topic, String(PARTITIONS), String(frames)],
    ...more,
  ];
  return {
    name,
    about,
    backlog: async (target, topic, frames) =>
      outcome(await runPeer(command(target, topic, frames))),
    live: async (target, topic, frames, cameras) => {
      const report = await runPeer([...command(target, topic, frames), "live"], cameras);
      return [...report.latencies];
    },
  };
}

/** Framelane as a user runs it for the cold figures, and its driver for the steady ones. */
const framelane: Contender = {
  name: "framelane",
  about: "greyscale query, an executor for each partition",
  async backlog(target, topic, frames) {
    const started = performance.now();
    const group = `peers-${crypto.randomUUID()}`;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt"],
        ...["read", "write", "net", "env", "ffi", "sys"].map((kind) => `--allow-${kind}`),
        ...[here("../main.ts"), "queries", "greyscale", "--log", target.url, "--topic", topic],
        ...["--group", group, "--partitions", "0,1,2", "--starting-offsets", "earliest"],
        ...["--trigger", "available-now", "--json"],
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

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    rounds: 5,
    frames: 3000,
    "live-seconds": 8,
    only: "",
    skip: "",
    out: "docs/results/peers",
    kafka: "",
  });
  const { rounds, frames: total, "live-seconds": seconds } = values;
  const { python, jars, missing } = await preparePeers(print);
  const allowed = ["net", "env", "read", "ffi", "sys"].map((kind) => `--allow-${kind}`);
  const deno = [Deno.execPath(), "run", ...allowed];
  let contenders: Contender[] = [
    framelane,
    peer(
      "pyspark",
      "PySpark 4.0.0 Structured Streaming, OpenCV in a pandas UDF",
      [python, "pyspark_streaming.py"],
      [jars],
    ),
    peer(
      "python-best",
      "confluent-kafka + OpenCV, a process for each partition",
      [python, "python_best.py"],
    ),
    peer(
      "python-classic",
      "kafka-python + OpenCV, one consumer",
      [python, "python_classic.py"],
    ),
    peer("kafkajs-sharp", "KafkaJS + sharp in Deno", [...deno, "kafkajs_sharp.ts"]),
  ];
  const windows = peer("windows", "", [python, "python_best.py"], ["windows"]);
  const skipped = new Map<string, string>(missing);
  for (const name of values.skip.split(",").filter(Boolean)) skipped.set(name, "as asked");
  const isIn = (name: string) => values.only === "" || values.only.split(",").includes(name);
  const hasWindows = !skipped.has("python-best") && (isIn("python-best") || isIn("windows"));
  contenders = contenders.filter(({ name }) => !skipped.has(name) && isIn(name));
  for (const [name, why] of skipped) print(`skipped ${name}: ${why}`);

  const frames = await clipFrames();
  const target = await kafkaLog(values.kafka);
  const measured: Measured = {
    bare: [],
    rows: contenders.map(({ name, about }): PeerRow => ({ name, about, backlog: [], live: [] })),
    windows: { framelane: [], "python-best": [] },
    skipped: [...skipped],
  };
  const rowOf = (name: string) => measured.rows.find((row) => row.name === name)!;
  const begun = performance.now();
  try {
    const topic = `peers-${crypto.randomUUID()}`;
    await fillTopic(target.log, topic, PARTITIONS, Math.ceil(total / PARTITIONS), frames);
    const bar = new ProgressBar({ title: "Peers" });
    const steps = rounds * (2 + contenders.length * (seconds > 0 ? 2 : 1));
    let done = 0;
    const step = (round: number, what: string) =>
      bar.update(done++, steps, `round ${round} of ${rounds}, ${what}`);
    const say = (line: string) => {
      bar.clear();
      print(line);
    };
    for (let round = 1; round <= rounds; round++) {
      if (contenders.length > 0) {
        step(round, "bare codec loop");
        measured.bare.push(await codecLoop(frames, total));
      }
      for (const contender of contenders) {
        step(round, contender.name);
        const result = await contender.backlog(target, topic, total);
        rowOf(contender.name).backlog.push(result);
        say(
          `round ${round} ${contender.name.padEnd(15)} ${
            result.steady.toFixed(0).padStart(6)
          } frames/s steady, ` +
            `${result.cold.toFixed(0).padStart(6)} from cold start, first frame after ${
              result.firstFrame.toFixed(2)
            } s`,
        );
      }
      step(round, "windows");
      if (hasWindows) {
        const ours = await windowsPerSecond(target, topic);
        const theirs = (await windows.backlog(target, topic, total)).steady;
        measured.windows.framelane.push(ours);
        measured.windows["python-best"].push(theirs);
        say(
          `round ${round} windows         ${ours.toFixed(0).padStart(6)} frames/s, python-best ${
            theirs.toFixed(0)
          }`,
        );
      }
      if (seconds === 0) continue;
      for (const contender of contenders) {
        step(round, `${contender.name} live`);
        const latencies = await liveOf(contender, target, seconds);
        rowOf(contender.name).live.push(latencies);
        say(`round ${round} ${contender.name.padEnd(15)} ${latencies.length} frames live`);
      }
    }
    bar.clear();
  } finally {
    await target.close();
  }
  const lines = [
    `${total} frames of 640×480 in ${PARTITIONS} partitions on Kafka; live: 3 cameras × 15 frames/s for ${seconds} s. ` +
    `${rounds} interleaved rounds in ${((performance.now() - begun) / 60_000).toFixed(1)} minutes.`,
    "",
  ];
  const { lines: tables, files } = peersReport(measured);
  await report({
    name: "peers",
    title: "Framelane and its peers",
    args,
    lines: [...lines, ...tables],
    out: values.out,
    files,
  });
}

/** Frames a second into windows, like the peer's: from the first frame that was done to the last. */
async function windowsPerSecond(target: BenchLog, topic: string): Promise<number> {
  const channel = new BroadcastChannel(FIRST_FRAMES);
  const firsts: number[] = [];
  channel.onmessage = ({ data }: MessageEvent<number>) => void firsts.push(data);
  const { frames, ended } = await drain(target, topic, WINDOWS);
  channel.close();
  if (firsts.length !== PARTITIONS) {
    throw new Error(`${firsts.length} lanes reported a first frame`);
  }
  return (frames - 1) * 1000 / (ended - Math.min(...firsts));
}

/** Capture to sink of every frame, milliseconds, at 3 × 15 frames/s. */
async function liveOf(
  contender: Contender,
  target: BenchLog,
  seconds: number,
): Promise<number[]> {
  if (contender.live === undefined) return await live(target, seconds);
  const topic = `live-${crypto.randomUUID()}`;
  await target.log.createTopic(topic, PARTITIONS);
  const cameras = () => runLiveCameras(target, { topic, cameras: PARTITIONS, fps: 15, seconds });
  return await contender.live(target, topic, seconds * 15 * PARTITIONS, cameras);
}
