// What the logs cost: appends, reads, commits, processor time and bytes written to the disk for each byte of a frame.
//
// `--shapes` measures only the shapes whose name contains it. `--beside` measures the embedded log of another checkout of
// this project in the same run.
import process from "node:process";
import { join, resolve } from "node:path";
import type { LogRecord, TopicLog } from "../runtime/log/log.ts";
import { openLog } from "../runtime/log/open.ts";
import { print } from "./print.ts";
import { benchLogs } from "./support/logs.ts";
import { optionsOf } from "./support/options.ts";
import { cpuSeconds, processStats } from "./support/process_stats.ts";
import { report, table } from "./support/report.ts";
import { median, percentile } from "./support/stats.ts";

/** A way of appending. */
interface Shape {
  readonly name: string;
  readonly bytes: number;
  readonly frames: number;
  readonly partitions?: number;
  /** Calls under way. */
  readonly inFlight?: number;
  /** Frames a second of each partition; as fast as it goes when absent. */
  readonly fps?: number;
  /** Kept of each partition; embedded logs only. */
  readonly kept?: number;
}

const FRAME = 58_000;
const SHAPES: readonly Shape[] = [
  { name: "58 kB", bytes: FRAME, frames: 2_000 },
  { name: "58 kB, 16 calls under way", bytes: FRAME, frames: 2_000, inFlight: 16 },
  { name: "58 kB, 50 MB kept", bytes: FRAME, frames: 2_000, kept: 50_000_000 },
  {
    name: "16 cameras × 15 frames/s, 58 kB, 5 MB kept",
    ...{ bytes: FRAME, frames: 2_400, partitions: 16, inFlight: 16, fps: 15, kept: 5_000_000 },
  },
  {
    name: "16 cameras × 15 frames/s, 2 kB",
    ...{ bytes: 2_000, frames: 2_400, partitions: 16, inFlight: 16, fps: 15 },
  },
  { name: "4 kB", bytes: 4_000, frames: 5_000 },
  { name: "2 kB", bytes: 2_000, frames: 5_000 },
  { name: "2 kB, 16 calls under way", bytes: 2_000, frames: 5_000, inFlight: 16 },
];
const COMMITS = 200;
const WARM_UP_S = 10;

/** A log to measure. */
interface Target {
  readonly name: string;
  open(kept?: number): Promise<TopicLog>;
  readonly embedded: boolean;
  /** Of a broker of our own. */
  readonly brokerPid?: number | undefined;
}

/** What one run gave: a column each. */
const COLUMNS = {
  appendsPerSecond: "appends/s",
  p50Ms: "p50 ms",
  p99Ms: "p99 ms",
  cpuMsPerFrame: "CPU ms/frame",
  writtenPerByte: "written/byte",
  readsPerSecond: "reads/s",
  commitMs: "commit ms",
} as const;
type Run = Record<keyof typeof COLUMNS, number>;

/** Bytes that a process has had written to disks; read by `cat`, since Deno needs all permissions for it. */
function writtenBytes(pid: number): number {
  const { stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/io`] }).outputSync();
  return Number(/^write_bytes: (\d+)$/m.exec(new TextDecoder().decode(stdout))?.[1] ?? NaN);
}

async function measure({ open, brokerPid }: Target, shape: Shape): Promise<Run> {
  const { bytes, frames, partitions = 1, inFlight = 1, fps, kept } = shape;
  const log = await open(kept);
  const topic = `log-${crypto.randomUUID()}`;
  await log.createTopic(topic, partitions);
  const producer = await log.producer();
  const value = crypto.getRandomValues(new Uint8Array(bytes));
  const record = (): LogRecord => ({
    key: "CAMERA-1",
    value,
    timestamp: Date.now(),
    headers: { "content-type": "image/jpeg" },
  });
  const pids = [process.pid, ...brokerPid === undefined ? [] : [brokerPid]];
  const used = () => ({
    cpu: cpuSeconds() + (brokerPid === undefined ? 0 : processStats(brokerPid).cpuSeconds),
    written: pids.reduce((sum, pid) => sum + writtenBytes(pid), 0),
  });
  const latencies: number[] = [];
  const append = async (frames: number) => {
    const started = performance.now();
    await Promise.all(Array.from({ length: inFlight }, async (_, lane) => {
      for (let i = 0; i < frames / inFlight; i++) {
        if (fps !== undefined) {
          const due = started + (i + lane / inFlight) * 1000 / fps;
          await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
        }
        const from = performance.now();
        await producer.append(topic, lane % partitions, [record()]);
        latencies.push(performance.now() - from);
      }
    }));
  };
  // Cameras run for days: their first seconds, in which all files are new, do not count.
  await append(fps === undefined ? 1 : WARM_UP_S * fps * partitions);
  latencies.length = 0;
  const before = used();
  const started = performance.now();
  await append(frames);
  const seconds = (performance.now() - started) / 1000;
  const after = used();
  await producer.close();
  const readsPerSecond = await readBack(log, topic, partitions);
  const commitMs = await commit(log, topic, record());
  await log.close();
  return {
    appendsPerSecond: frames / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    cpuMsPerFrame: (after.cpu - before.cpu) * 1000 / frames,
    writtenPerByte: (after.written - before.written) / (frames * bytes),
    readsPerSecond,
    commitMs,
  };
}

async function readBack(log: TopicLog, topic: string, partitions: number): Promise<number> {
  const reader = await log.reader();
  let count = 0;
  const started = performance.now();
  for (let partition = 0; partition < partitions; partition++) {
    const { earliest, latest } = await log.offsets(topic, partition);
    const frames = await reader.open(topic, partition, earliest);
    while (frames.position < latest) {
      const got = await frames.read(256, undefined, latest);
      if (got.length === 0) break;
      count += got.length;
    }
    await frames.close();
  }
  await reader.close();
  return count / (performance.now() - started) * 1000;
}

/** Milliseconds of a batch with one output, at the median. */
async function commit(log: TopicLog, topic: string, record: LogRecord): Promise<number> {
  const out = `${topic}-out`;
  const place = { group: crypto.randomUUID(), query: "bench", topic, partition: 0 };
  const committer = await log.committer({ ...place, outputTopics: [out] });
  const times: number[] = [];
  for (let batchId = 0; batchId < COMMITS; batchId++) {
    const batch = { batchId, start: batchId, end: batchId + 1 };
    const started = performance.now();
    await committer.plan(batch, false);
    const end = { end: batch.end, restart: batch.end };
    await committer.commit(batch, end, [{ ...record, topic: out, partition: 0 }]);
    times.push(performance.now() - started);
  }
  await committer.close();
  return median(times);
}

/** The embedded log of a checkout, in a folder of its own. */
async function embedded(name: string, checkout: string, folder: string): Promise<Target> {
  const module: { openLog: typeof openLog } = await import(join(checkout, "runtime/log/open.ts"));
  return {
    name,
    embedded: true,
    open: (kept) =>
      module.openLog(
        `embedded:${folder}/${name}${kept === undefined ? "" : `?retention-bytes=${kept}`}`,
      ),
  };
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    ...{ rounds: 3, only: "", shapes: "", kafka: "", beside: "", out: "" },
  });
  const folder = await Deno.makeTempDir({ prefix: "framelane-bench-" });
  const kafka = values.only === "embedded" ? [] : await benchLogs({ ...values, only: "kafka" });
  const runs = new Map<string, Run[]>();
  const lines: string[] = [];
  try {
    const targets: Target[] = kafka.map(({ name, url, brokerPid }) => ({
      ...{ name, brokerPid, embedded: false, open: () => openLog(url) },
    }));
    if (values.only !== "kafka") {
      const here = resolve(import.meta.dirname!, "..");
      targets.unshift(await embedded("embedded", here, folder));
      if (values.beside !== "") {
        targets.unshift(await embedded("beside", resolve(values.beside), folder));
      }
    }
    // Every round measures every log, so that what else the machine does meets all alike.
    for (let round = 0; round < values.rounds; round++) {
      for (const shape of SHAPES.filter(({ name }) => name.includes(values.shapes))) {
        for (const target of targets) {
          if (!target.embedded && shape.kept !== undefined) continue;
          const name = `${shape.name} · ${target.name}`;
          const run = await measure(target, shape);
          runs.set(name, [...runs.get(name) ?? [], run]);
          print(`${name}: ${JSON.stringify(run, (_, v) => typeof v === "number" ? short(v) : v)}`);
        }
      }
    }
    const keys = Object.keys(COLUMNS) as (keyof Run)[];
    const rows = [...runs].map(([name, list]) => [
      name,
      ...keys.map((key) => String(short(median(list.map((run) => run[key]))))),
    ]);
    lines.push(...table(["frames", ...keys.map((key) => COLUMNS[key])], rows));
  } finally {
    for (const log of kafka) await log.close();
    await Deno.remove(folder, { recursive: true });
  }
  await report({
    name: "log",
    title: "The logs: appends, reads, bytes written",
    args,
    lines,
    out: values.out,
  });
}

const short = (value: number) => Number(value.toPrecision(3));
