// What a lane that holds its thread does to the others: their latency with and without it, in one
// run. Few lanes have an executor each; many share some, and must move.
import { print } from "./print.ts";
import { type BenchLog, embeddedLog } from "./support/logs.ts";
import { oneQuery } from "./support/one_query.ts";
import { optionsOf } from "./support/options.ts";
import { runLiveCameras } from "./support/live_cameras.ts";
import { percentile } from "./support/stats.ts";

const FRAMES_PER_SECOND = 15;
const QUERY = new URL("../tests/support/queries/blocking.ts", import.meta.url).href;

/** Latencies of all lanes but lane 0, milliseconds, while lane 0 blocks for this long at offset 20. */
async function measure(
  target: BenchLog,
  lanes: number,
  seconds: number,
  blockMs: number,
): Promise<number[]> {
  Deno.env.set("FRAMELANE_TEST_BLOCK_MS", String(blockMs));
  const topic = `isolation-${crypto.randomUUID()}`;
  await target.log.createTopic(topic, lanes);
  const latencies: number[] = [];
  const driver = oneQuery(target, {
    topic,
    query: "blocking",
    module: QUERY,
    partitions: lanes,
    sinks: [],
    onLatencies: (milliseconds, { partition }) => {
      if (partition !== 0) latencies.push(...milliseconds);
    },
  });
  await driver.start();
  await runLiveCameras(target, { topic, cameras: lanes, fps: FRAMES_PER_SECOND, seconds });
  await driver.stop("abort");
  return latencies;
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, { seconds: 35, "block-seconds": 30, lanes: "3,12" });
  const target = await embeddedLog();
  try {
    for (const lanes of values.lanes.split(",").map(Number)) {
      const p99s: number[] = [];
      for (const block of [0, values["block-seconds"]]) {
        const name = `${lanes} lanes, ${block === 0 ? "none" : "one"} blocks`;
        const latencies = await measure(target, lanes, values.seconds, block * 1000);
        p99s.push(percentile(latencies, 0.99));
        print(
          `${name.padEnd(24)} ${latencies.length} frames of the others, p50 ${
            percentile(latencies, 0.5).toFixed(1)
          } ms, p99 ${p99s.at(-1)!.toFixed(1)} ms, most ${Math.max(...latencies).toFixed(0)} ms`,
        );
      }
      const change = (p99s[1]! / p99s[0]! - 1) * 100;
      print(`${lanes} lanes: p99 of the others ${change >= 0 ? "+" : ""}${change.toFixed(0)} %`);
    }
  } finally {
    await target.close();
  }
}
