// Objects end to end, on all cores, beside the model alone and beside the best Python: rounds
// interleaved, so that a busy machine is busy for all.
import { fileURLToPath } from "node:url";
import { print } from "./print.ts";
import { type BenchLog, benchLogs, fillTopic } from "./support/logs.ts";
import { oneQuery } from "./support/one_query.ts";
import { preparePeers } from "./support/peer_packages.ts";
import { median } from "./support/stats.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const MODEL = here("../models/centernet/centernet.onnx");
const CORES = navigator.hardwareConcurrency;

/** Frames a second of the query, from the first lane's start to its end. */
async function endToEnd(target: BenchLog, topic: string): Promise<number> {
  let started: number | undefined;
  const driver = oneQuery(target, {
    topic,
    query: "detect",
    partitions: CORES,
    executors: CORES,
    trigger: "available-now",
    report: () => {},
  });
  driver.streams.addListener({ onQueryStarted: () => void (started ??= performance.now()) });
  await driver.start();
  if (!await driver.awaitTermination()) throw new Error("A query failed");
  const seconds = (performance.now() - started!) / 1000;
  const frames = driver.streams.all.reduce((sum, { totals }) => sum + totals.outputs, 0);
  await driver.stop();
  return frames / seconds;
}

/** Frames a second of the Python script, when all its processes are at work. */
async function script(python: string, args: readonly string[]): Promise<number> {
  const { stdout, stderr, success } = await new Deno.Command(python, {
    args: ["python_objects.py", ...args, MODEL],
    cwd: here("./peers/"),
    env: { PEER_STARTED: String(Date.now() / 1000) },
  }).output();
  const line = new TextDecoder().decode(stdout).trim().split("\n").at(-1)!;
  if (!success) throw new Error(`The script failed: ${new TextDecoder().decode(stderr)}`);
  const { steadyFrames, steadySeconds } = JSON.parse(line);
  return steadyFrames / steadySeconds;
}

/** Measures and prints the rates and their ratios. */
export async function measureObjects(
  frames: readonly Uint8Array[],
  { rounds, count, only, kafka }: {
    readonly rounds: number;
    /** Frames of a partition. */
    readonly count: number;
    readonly only: string;
    readonly kafka: string;
  },
): Promise<void> {
  const { python, missing } = await preparePeers(print);
  if (missing.has("python-best")) throw new Error(missing.get("python-best"));
  const folder = await Deno.makeTempDir();
  await Deno.writeFile(`${folder}/frame.jpg`, frames[0]!);
  const logs = await benchLogs({ only, kafka });
  const topic = "objects", all = count * CORES;
  const rates = new Map<string, number[]>();
  const add = (name: string, rate: number) => rates.set(name, [...rates.get(name) ?? [], rate]);
  try {
    for (const { log } of logs) await fillTopic(log, topic, CORES, count, frames);
    for (let round = 0; round < rounds; round++) {
      add("model alone", await script(python, ["-", folder, String(CORES), String(all)]));
      for (const target of logs) {
        add(`framelane, ${target.name}`, await endToEnd(target, topic));
        if (target.name !== "kafka") continue;
        const broker = target.url.replace("kafka://", "");
        add("python, kafka", await script(python, [broker, topic, String(CORES), String(all)]));
      }
    }
  } finally {
    for (const target of logs) await target.close();
    await Deno.remove(folder, { recursive: true });
  }
  const alone = median(rates.get("model alone")!);
  const peer = rates.has("python, kafka") ? median(rates.get("python, kafka")!) : undefined;
  print(`objects in 640x480 JPEGs, ${CORES} cores, frames/s, median of ${rounds} rounds`);
  for (const [name, values] of rates) {
    const rate = median(values);
    print(
      `  ${name.padEnd(22)} ${rate.toFixed(1).padStart(7)}  ${
        (rate / alone).toFixed(2)
      } of the model` +
        (peer === undefined ? "" : `, ${(rate / peer).toFixed(2)} of the script`),
    );
  }
}
