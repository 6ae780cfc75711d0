// Objects end to end, on all cores, beside the model alone and beside the best Python: rounds
// interleaved, so that a busy machine is busy for all.
import { fileURLToPath } from "node:url";
import { SHIPPED_DETECTOR } from "../queries/operators/detect.ts";
import { readManifest } from "../queries/operators/model/mod.ts";
import { frameSpec } from "../queries/operators/model/window_tensor.ts";
import { Tensorizer } from "../runtime/mod.ts";
import { print } from "./print.ts";
import { type BenchLog, benchLogs, fillTopic } from "./support/logs.ts";
import { drain } from "./pipeline.ts";
import { LaneMeter } from "./support/lane_meter.ts";
import { pythonPeer } from "./support/peer_packages.ts";
import { cost } from "./support/process_stats.ts";
import { meanOf, type PeerRun, type Rate, rateOf, Rates } from "./support/rates.ts";
import { machine } from "./support/report.ts";

const MODEL = fileURLToPath(new URL("../models/centernet/centernet.onnx", import.meta.url));
const CORES = navigator.hardwareConcurrency;
const ALONE = "model alone", SCRIPT = "python, kafka", MOST = "model and decoding";

/** Milliseconds of processor to make a frame the model's input, which no detector can do without. */
async function decoding(frames: readonly Uint8Array[]): Promise<number> {
  const [input] = readManifest(SHIPPED_DETECTOR).inputs;
  const tensorizer = new Tensorizer(frameSpec(input!, true));
  return await cost(frames.length, async () => {
    for (const frame of frames) (await tensorizer.tensor(frame)).release();
  });
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
  const peer = await pythonPeer("python_objects.py", "models.txt");
  const folder = await Deno.makeTempDir();
  await Deno.writeFile(`${folder}/frame.jpg`, frames[0]!);
  const logs = await benchLogs({ only, kafka });
  const topic = "objects", all = count * CORES;
  const module = new URL("./support/metered_detect.ts", import.meta.url).href;
  const lanes = { query: "detect", partitions: CORES, executors: CORES, report: () => {} };
  const rates = new Rates();
  const script = async (...source: string[]) =>
    rateOf(await peer<PeerRun>(...source, String(CORES), String(all), MODEL));
  const framelane = async (target: BenchLog) => {
    const meter = new LaneMeter();
    await drain(target, topic, module, lanes, (progress) => meter.reported(progress));
    return meter.rate();
  };
  const contenders: Record<string, () => Promise<Rate>> = {};
  for (const target of logs) {
    contenders[`framelane, ${target.name}`] = () => framelane(target);
    if (target.name !== "kafka") continue;
    const broker = target.url.replace("kafka://", "");
    contenders[SCRIPT] = () => script(broker, topic);
  }
  try {
    for (const { log } of logs) await fillTopic(log, topic, CORES, count, frames);
    for (let round = 0; round <= rounds; round++) {
      // The first round warms caches up. A busy machine changes: the model alone runs before and after each.
      const alone = [await script("-", folder)];
      for (const [name, run] of Object.entries(contenders)) {
        rates.add(name, await run());
        alone.push(await script("-", folder));
      }
      const model = meanOf(alone), ms = model.ms + await decoding(frames);
      rates.add(ALONE, model);
      rates.add(MOST, { ms, rate: model.rate * model.ms / ms });
      if (round === 0) rates.clear();
    }
  } finally {
    for (const target of logs) await target.close();
    await Deno.remove(folder, { recursive: true });
  }
  print(`objects in 640x480 JPEGs, ${CORES} cores, median of ${rounds} rounds, ${machine()}`);
  rates.print([ALONE, MOST, SCRIPT]);
}
