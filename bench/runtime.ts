// What the engine costs: everything but codec and log.
import type { Frame, Window } from "../runtime/definition/frame.ts";
import { query } from "../runtime/definition/query.ts";
import type { Sink } from "../runtime/definition/sink.ts";
import { MemoryLog, runQuery } from "../runtime/testing.ts";
import { print } from "./print.ts";
import { type BenchLog, benchLogs } from "./support/logs.ts";
import { optionsOf } from "./support/options.ts";
import { percentile, spread } from "./support/stats.ts";

const FRAMES = 50_000;
const COMMITS = 200;

function nothing<T>(delivery: "live" | "exactly-once"): Sink<T> {
  return { uri: "nothing", delivery, open: () => ({ write: () => {} }) };
}

async function backlog(frames: number): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  const value = new Uint8Array(64);
  const start = Date.now();
  log.append(
    "VideoStreaming",
    0,
    Array.from({ length: frames }, (_, i) => ({
      key: "CAMERA-1",
      value,
      timestamp: start + i * 66,
      headers: { session: "s", seq: String(i) },
    })),
  );
  return log;
}

/** Milliseconds of engine for each frame. */
async function perFrame(delivery: "live" | "exactly-once", frames: number): Promise<number> {
  const log = await backlog(FRAMES);
  const started = performance.now();
  await runQuery(
    query("engine").readStream({ startingOffsets: "earliest", maxFramesPerTrigger: frames })
      .map((frame: Frame) => frame)
      .writeStream(nothing<Frame>(delivery))
      .trigger("available-now"),
    { log, progressIntervalMs: 1000 },
  );
  return (performance.now() - started) / FRAMES;
}

async function windowsPerSecond(): Promise<number> {
  const log = await backlog(FRAMES);
  let windows = 0;
  const started = performance.now();
  await runQuery(
    query("windows").readStream({ startingOffsets: "earliest" })
      .window({ frames: 16, hop: 8 })
      .map((window: Window) => {
        windows++;
        return window.frames[0]!;
      })
      .writeStream(nothing<Frame>("live"))
      .trigger("available-now"),
    { log, progressIntervalMs: 1000 },
  );
  return windows / (performance.now() - started) * 1000;
}

/** Milliseconds of each commit, with this many output records of 20 KB. */
async function commits(target: BenchLog, records: number): Promise<number[]> {
  const topic = `commits-${crypto.randomUUID()}`;
  const output = `${topic}-out`;
  await target.log.createTopic(topic, 1);
  const committer = await target.log.committer({
    group: topic,
    query: "bench",
    topic,
    partition: 0,
    outputTopics: [output],
  });
  const value = crypto.getRandomValues(new Uint8Array(20_000));
  const times: number[] = [];
  for (let batchId = 0; batchId < COMMITS; batchId++) {
    const batch = { batchId, start: batchId, end: batchId + 1 };
    const started = performance.now();
    await committer.plan(batch, false);
    await committer.commit(
      batch,
      { end: batch.end, restart: batch.end },
      Array.from({ length: records }, () => ({
        topic: output,
        partition: 0,
        key: "CAMERA-1",
        value,
        timestamp: Date.now(),
        headers: {},
      })),
    );
    times.push(performance.now() - started);
  }
  await committer.close();
  return times.slice(COMMITS / 10);
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, { rounds: 5, kafka: "", only: "" });
  const rounds = values.rounds;
  const figures: Record<string, number[]> = {};
  for (let round = 0; round <= rounds; round++) {
    for (
      const [name, measure] of [
        ["engine, batches of 64", () => perFrame("exactly-once", 64)],
        ["engine, one frame a batch", () => perFrame("exactly-once", 1)],
        ["engine, live sinks only", () => perFrame("live", 64)],
        ["windows", windowsPerSecond],
      ] as const
    ) {
      const value = await measure();
      // The first round warms compilers up.
      if (round > 0) (figures[name] ??= []).push(value);
    }
  }
  for (const [name, list] of Object.entries(figures)) {
    print(
      name === "windows"
        ? `16-frame sliding windows    ${spread(list)} windows/s`
        : `${name.padEnd(27)} ${spread(list, 4)} ms per frame`,
    );
  }
  const targets = await benchLogs(values);
  for (const target of targets) {
    try {
      for (const records of [0, 1, 64]) {
        const times = await commits(target, records);
        print(
          `commit, ${target.name.padEnd(8)} ${String(records).padStart(2)} records  ` +
            `p50 ${percentile(times, 0.5).toFixed(2)} ms, p99 ${
              percentile(times, 0.99).toFixed(2)
            } ms`,
        );
      }
    } finally {
      await target.close();
    }
  }
}
