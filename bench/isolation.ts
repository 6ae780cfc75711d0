/**
 * What a lane that holds its thread does to the others: their latency with and without it, in one
 * run.
 *
 *     deno task bench isolation [--seconds 35] [--block-seconds 30]
 *
 * @module
 */
import { parseArgs } from "node:util";
import { Driver } from "../runtime/driver/driver.ts";
import { print } from "./print.ts";
import { type BenchLog, embeddedLog } from "./support/logs.ts";
import { runLiveCameras } from "./support/run_live_cameras.ts";
import { percentile } from "./support/stats.ts";

const PARTITIONS = 3;
const QUERY = new URL("../tests/support/queries/blocking.ts", import.meta.url).href;

/** Latencies of the lanes 1 and 2, milliseconds, while lane 0 blocks for so long at offset 20. */
async function measure(target: BenchLog, seconds: number, blockMs: number): Promise<number[]> {
  Deno.env.set("FRAMELANE_TEST_BLOCK_MS", String(blockMs));
  const topic = `isolation-${crypto.randomUUID()}`;
  await target.log.createTopic(topic, PARTITIONS);
  const latencies: number[] = [];
  const driver = new Driver({
    log: target.log,
    logUrl: target.url,
    topic,
    queries: [{
      name: "blocking",
      module: QUERY,
      group: crypto.randomUUID(),
      sinks: [],
      source: { startingOffsets: "earliest" },
    }],
    partitions: [0, 1, 2],
    report: print,
    onMeasurements: ({ partition }, { endToEnd }) => {
      if (partition !== 0) latencies.push(...endToEnd.map((value) => value * 1000));
    },
  });
  await driver.start();
  await runLiveCameras(target, { topic, cameras: PARTITIONS, fps: 15, seconds });
  await driver.stop("abort");
  return latencies;
}

/** `deno task bench isolation`. */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: "string", default: "35" },
      "block-seconds": { type: "string", default: "30" },
    },
  });
  const target = await embeddedLog();
  try {
    for (
      const [name, block] of [["nobody blocks", 0], [
        "one blocks",
        Number(values["block-seconds"]),
      ]] as const
    ) {
      const latencies = await measure(target, Number(values.seconds), block * 1000);
      print(
        `${name.padEnd(14)} ${latencies.length} frames of the others, p50 ${
          percentile(latencies, 0.5).toFixed(1)
        } ms, p99 ${percentile(latencies, 0.99).toFixed(1)} ms, most ${
          Math.max(...latencies).toFixed(0)
        } ms`,
      );
    }
  } finally {
    await target.close();
  }
}
