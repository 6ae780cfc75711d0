/**
 * Where the processor's time goes in a drain of a backlog: by kind of thread, with page faults.
 *
 *     deno task bench threads [--rounds 3] [--query greyscale,passthrough,windows] [--kafka HOST:PORT] [--only embedded|kafka]
 *
 * @module
 */
import { parseArgs } from "node:util";
import { clipFrames } from "./frames.ts";
import { drain } from "./pipeline.ts";
import { print } from "./print.ts";
import { type BenchLog, benchLogs, fillTopic } from "./support/logs.ts";
import { moduleOf } from "./support/one_query.ts";
import { secondsOf, statFields } from "./support/process_stats.ts";
import { median } from "./support/stats.ts";

const WINDOWS = new URL("./support/window_tensors.ts", import.meta.url).href;
const PARTITIONS = 3;
const FRAMES = 3000;
/** Threads that end take their times along, so they are looked at while they run, milliseconds. */
const SAMPLE_MS = 100;

const KINDS = {
  deno: "driver",
  worker: "executors",
  "tokio-runtime": "codecs and files",
  "V8 DefaultWorke": "garbage collection, compilation",
} as const;

interface Times {
  readonly name: string;
  readonly ms: number;
}

/** Deno keeps /proc to itself, so another program reads it: each thread's times by its id. */
async function threads(): Promise<Map<string, Times>> {
  const lines = await read("cat /proc/$PPID/task/*/stat 2>/dev/null || true");
  return new Map(lines.map((line) => {
    const name = line.slice(line.indexOf("(") + 1, line.lastIndexOf(")"));
    return [line.split(" ")[0]!, { name, ms: secondsOf(statFields(line)) * 1000 }];
  }));
}

async function pageFaults(): Promise<number> {
  return statFields((await read("cat /proc/$PPID/stat"))[0]!)[7]!;
}

async function read(command: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", command], stderr: "inherit" })
    .output();
  return new TextDecoder().decode(stdout).trim().split("\n");
}

/** Milliseconds a frame by kind of thread, and page faults a frame. */
async function profile(target: BenchLog, topic: string, query: string) {
  const before = await threads();
  const seen = new Map(before);
  const look = async () => {
    for (const [id, times] of await threads()) seen.set(id, times);
  };
  const faults = await pageFaults();
  const timer = setInterval(look, SAMPLE_MS);
  const { framesPerSecond, cpuMsPerFrame } = await drain(
    target,
    topic,
    query === "windows" ? WINDOWS : moduleOf(query),
  );
  clearInterval(timer);
  await look();
  const parts = Object.entries(KINDS).map(([start, kind]) => {
    let ms = 0;
    for (const [id, times] of seen) {
      if (times.name.startsWith(start)) ms += times.ms - (before.get(id)?.ms ?? 0);
    }
    return { kind, ms: ms / FRAMES };
  });
  return { framesPerSecond, cpuMsPerFrame, parts, faults: (await pageFaults() - faults) / FRAMES };
}

/** `deno task bench threads`. */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "3" },
      query: { type: "string", default: "greyscale,passthrough" },
      kafka: { type: "string" },
      only: { type: "string" },
    },
  });
  const targets = await benchLogs(values);
  try {
    const frames = await clipFrames();
    const topic = `threads-${crypto.randomUUID()}`;
    for (const target of targets) {
      await fillTopic(target.log, topic, PARTITIONS, FRAMES / PARTITIONS, frames);
      for (const query of values.query.split(",")) {
        // The first run warms caches up.
        await profile(target, topic, query);
        const runs: Awaited<ReturnType<typeof profile>>[] = [];
        for (let round = 0; round < Number(values.rounds); round++) {
          runs.push(await profile(target, topic, query));
        }
        const middle = (of: (run: typeof runs[number]) => number) => median(runs.map(of));
        print(
          `${query}, ${target.name}: ${middle((run) => run.framesPerSecond).toFixed(0)} frames/s, ${
            middle((run) => run.cpuMsPerFrame).toFixed(2)
          } ms CPU a frame, ${middle((run) => run.faults).toFixed(0)} page faults a frame`,
        );
        for (const [i, kind] of Object.values(KINDS).entries()) {
          print(`  ${kind.padEnd(32)} ${middle((run) => run.parts[i]!.ms).toFixed(3)} ms`);
        }
      }
    }
  } finally {
    for (const target of targets) await target.close();
  }
}
