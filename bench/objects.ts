// Objects end to end, on all cores, beside the model alone and beside the best Python: rounds
// interleaved, so that a busy machine is busy for all.
import { fileURLToPath } from "node:url";
import { print } from "./print.ts";
import { benchLogs, fillTopic } from "./support/logs.ts";
import { drain } from "./pipeline.ts";
import { moduleOf } from "./support/one_query.ts";
import { pythonPeer } from "./support/peer_packages.ts";
import { type PeerRun, rateOf, Rates } from "./support/rates.ts";
import { machine } from "./support/report.ts";

const MODEL = fileURLToPath(new URL("../models/centernet/centernet.onnx", import.meta.url));
const CORES = navigator.hardwareConcurrency;

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
  const peer = await pythonPeer("python_objects.py", "models.txt");
  const folder = await Deno.makeTempDir();
  await Deno.writeFile(`${folder}/frame.jpg`, frames[0]!);
  const logs = await benchLogs({ only, kafka });
  const topic = "objects", all = count * CORES;
  const lanes = { query: "detect", partitions: CORES, executors: CORES, report: () => {} };
  const rates = new Rates();
  const script = async (...source: string[]) =>
    rateOf(await peer<PeerRun>(...source, String(CORES), String(all), MODEL));
  try {
    for (const { log } of logs) await fillTopic(log, topic, CORES, count, frames);
    for (let round = 0; round < rounds; round++) {
      rates.add("model alone", await script("-", folder));
      for (const target of logs) {
        const run = await drain(target, topic, moduleOf("detect"), lanes);
        rates.add(`framelane, ${target.name}`, run.steady.rate());
        if (target.name !== "kafka") continue;
        rates.add("python, kafka", await script(target.url.replace("kafka://", ""), topic));
      }
    }
  } finally {
    for (const target of logs) await target.close();
    await Deno.remove(folder, { recursive: true });
  }
  print(`objects in 640x480 JPEGs, ${CORES} cores, median of ${rounds} rounds, ${machine()}`);
  rates.print(["model alone", "python, kafka"]);
}
