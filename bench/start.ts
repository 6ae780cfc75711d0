// From the start of the process to the first processed frame, as a user starts it: a backlog waits,
// `deno task queries` is spawned, the first line of the `console` sink is the first frame. And
// how long a worker needs.
import { fileURLToPath } from "node:url";
import { clipFrames } from "./frames.ts";
import { type BenchLog, benchLogs, fillTopic } from "./support/logs.ts";
import { startWorker } from "../runtime/driver/executor_link.ts";
import { moduleOf } from "./support/one_query.ts";
import { optionsOf } from "./support/options.ts";
import { report, table } from "./support/report.ts";
import { median, spread } from "./support/stats.ts";

const PARTITIONS = 3;
const FRAMES_EACH = 20;
const GOALS = { embedded: 700, kafka: 1000 } as const;
const root = fileURLToPath(new URL("../", import.meta.url));

interface Start {
  readonly name: string;
  readonly flags: readonly string[];
  /** `greyscale` unless given. */
  readonly query?: string;
}

/** Where images go: a query with such a sink has executors of its own, which may write there. */
const IMAGES = ".framelane/bench-start";

const STARTS: readonly Start[] = [
  { name: "greyscale, partitions shared with the group", flags: ["--port", "off"] },
  {
    name: "greyscale, partitions named",
    flags: ["--port", "off", "--partitions", "0,1,2"],
  },
  { name: "greyscale with the viewer", flags: ["--port", "0"] },
  { name: "greyscale, no workers", flags: ["--port", "off", "--executors", "0"] },
  {
    name: "greyscale into images, an executor of its own",
    flags: ["--port", "off", "--sink", `images:${IMAGES}`],
  },
  {
    name: "objects, an executor of its own that loads a model",
    query: "objects",
    flags: ["--port", "off"],
  },
];

/** Milliseconds from spawning `deno task queries` to the first frame that it says is done. */
export async function firstFrame(
  target: BenchLog,
  topic: string,
  { query = "greyscale", flags }: Omit<Start, "name">,
): Promise<number> {
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    cwd: root,
    args: [
      ...["task", "--quiet", "queries", query, "--log", target.url, "--topic", topic],
      ...["--group", `start-${crypto.randomUUID()}`, "--starting-offsets", "earliest"],
      ...["--trigger", "available-now", "--sink", "console", ...flags],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let printed = "";
  let first: number | undefined;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    printed += text;
    if (first === undefined && /CAMERA-\d+ #\d+/.test(printed)) first = performance.now() - started;
  }
  const { success } = await child.status;
  if (!success || first === undefined) throw new Error(`No frame was processed: ${printed}`);
  return first;
}

/** Milliseconds from making an executor's worker to its being ready for lanes of a query. */
async function workerStart(url: string): Promise<number> {
  const started = performance.now();
  const link = startWorker("bench", { log: url, progressIntervalMs: 1000 }, {
    onMessage() {},
    onPicture() {},
    onDeath(_, error) {
      throw error;
    },
  });
  try {
    await link.ready;
    await link.load(0, {
      name: "greyscale",
      module: moduleOf("greyscale"),
      topic: "VideoStreaming",
      group: "start",
      sinks: [],
    });
    return performance.now() - started;
  } finally {
    await link.close(0);
  }
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    rounds: 7,
    kafka: "",
    only: "",
    out: "docs/results/start",
  });
  const { rounds } = values;
  const targets = await benchLogs(values);
  const rows: string[][] = [];
  const data: Record<string, number[]> = {};
  const parts: Record<string, number[]> = {};
  try {
    const frames = await clipFrames({ count: FRAMES_EACH });
    const topic = `start-${crypto.randomUUID()}`;
    for (const target of targets) {
      await fillTopic(target.log, topic, PARTITIONS, FRAMES_EACH, frames);
    }
    // The first round fills the caches of the system.
    for (let round = 0; round <= rounds; round++) {
      for (const target of targets) {
        for (const start of STARTS) {
          const ms = await firstFrame(target, topic, start);
          if (round > 0) (data[`${target.name}, ${start.name}`] ??= []).push(ms);
        }
        const ms = await workerStart(target.url);
        if (round > 0) {
          (parts[`worker of an executor until it is ready, ${target.name}`] ??= []).push(ms);
        }
      }
    }
    await Deno.remove(`${root}${IMAGES}`, { recursive: true });
    for (const target of targets) {
      for (const { name } of STARTS) {
        const list = data[`${target.name}, ${name}`]!;
        const goal = GOALS[target.name];
        rows.push([
          target.name,
          name,
          spread(list),
          `≤ ${goal}`,
          median(list) <= goal ? "reached" : "missed",
        ]);
      }
    }
  } finally {
    for (const target of targets) await target.close();
  }
  const lines = [
    `Milliseconds from spawning \`deno task queries\` to the first processed frame; ` +
    `${rounds} rounds, medians (lowest–highest).`,
    "",
    ...table(["log", "start", "ms", "goal", ""], rows),
    "",
    "Part of it, measured alone:",
    "",
    ...table(["part", "ms"], Object.entries(parts).map(([name, list]) => [name, spread(list)])),
  ];
  await report({
    name: "start",
    title: "Cold start",
    args,
    lines,
    out: values.out,
  });
}
