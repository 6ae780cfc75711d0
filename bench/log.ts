/**
 * What the logs cost: appends, reads, processor time and bytes written to the disk for each byte of a frame.
 *
 *     deno task bench log [--rounds 3] [--only embedded|kafka] [--kafka HOST:PORT] [--out DIR]
 *
 * @module
 */
import process from "node:process";
import type { LogRecord } from "../runtime/log/log.ts";
import { openLog } from "../runtime/log/open.ts";
import { print } from "./print.ts";
import { type BenchLog, benchLogs } from "./support/logs.ts";
import { optionsOf } from "./support/options.ts";
import { cpuSeconds, processStats } from "./support/process_stats.ts";
import { report, table } from "./support/report.ts";
import { median, percentile } from "./support/stats.ts";

/** A way of appending. */
interface Shape {
  readonly name: string;
  readonly bytes: number;
  readonly frames: number;
  readonly partitions: number;
  /** Calls under way. */
  readonly inFlight: number;
  /** Frames a second of each partition; as fast as it goes when absent. */
  readonly fps?: number;
  /** Kept of each partition. */
  readonly kept?: number;
}

const FRAME = 58_000;
const SHAPES: readonly Shape[] = [
  { name: "58 kB, one call at a time", bytes: FRAME, frames: 3000, partitions: 1, inFlight: 1 },
  { name: "58 kB, 16 calls under way", bytes: FRAME, frames: 3000, partitions: 1, inFlight: 16 },
  {
    name: "58 kB, one at a time, 50 MB kept",
    ...{ bytes: FRAME, frames: 3000, partitions: 1, inFlight: 1, kept: 50_000_000 },
  },
  {
    name: "16 cameras × 15 frames/s, 5 MB kept",
    ...{ bytes: FRAME, frames: 2400, partitions: 16, inFlight: 16, fps: 15, kept: 5_000_000 },
  },
  { name: "2 kB, one call at a time", bytes: 2000, frames: 10_000, partitions: 1, inFlight: 1 },
];

/** What one run gave. */
interface Run {
  readonly appendsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of this process, and of the broker where it is ours. */
  readonly cpuMsPerFrame: number;
  readonly writtenPerByte: number;
  readonly readsPerSecond: number;
}

/** Bytes that a process has had written to disks; Deno itself lets nobody look there. */
function writtenBytes(pid: number): number {
  const { stdout } = new Deno.Command("cat", { args: [`/proc/${pid}/io`] }).outputSync();
  return Number(/^write_bytes: (\d+)$/m.exec(new TextDecoder().decode(stdout))?.[1] ?? NaN);
}

async function measure(target: BenchLog, shape: Shape): Promise<Run> {
  const { bytes, frames, partitions, inFlight, fps, kept } = shape;
  const parameters = kept === undefined ? "" : `?retention-bytes=${kept}`;
  const log = target.name === "embedded" ? await openLog(`${target.url}${parameters}`) : target.log;
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
  const pids = [process.pid, ...target.brokerPid === undefined ? [] : [target.brokerPid]];
  const used = () => ({
    cpu: cpuSeconds() +
      (target.brokerPid === undefined ? 0 : processStats(target.brokerPid).cpuSeconds),
    written: pids.reduce((sum, pid) => sum + writtenBytes(pid), 0),
  });
  const latencies: number[] = [];
  await producer.append(topic, 0, [record()]);
  const before = used();
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
  const seconds = (performance.now() - started) / 1000;
  const after = used();
  await producer.close();
  const readsPerSecond = await readBack(target, topic, partitions);
  if (log !== target.log) await log.close();
  return {
    appendsPerSecond: frames / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    cpuMsPerFrame: (after.cpu - before.cpu) * 1000 / frames,
    writtenPerByte: (after.written - before.written) / (frames * bytes),
    readsPerSecond,
  };
}

async function readBack({ log }: BenchLog, topic: string, partitions: number): Promise<number> {
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

const round = (value: number) => Number(value.toPrecision(3));

/** `deno task bench log`. */
export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    rounds: 3,
    only: "",
    kafka: "",
    out: "",
  });
  const targets = await benchLogs(values);
  const runs = new Map<string, Run[]>();
  try {
    // Every round measures every log, so that what else the machine does meets all alike.
    for (let round = 0; round < values.rounds; round++) {
      for (const shape of SHAPES) {
        for (const target of targets) {
          if (target.name === "kafka" && shape.kept !== undefined && shape.fps === undefined) {
            continue;
          }
          const name = `${shape.name} · ${target.name}`;
          const run = await measure(target, shape);
          runs.set(name, [...runs.get(name) ?? [], run]);
          print(
            `${name}: ${
              JSON.stringify(run, (_, v) => typeof v === "number" ? Number(v.toPrecision(3)) : v)
            }`,
          );
        }
      }
    }
  } finally {
    for (const target of targets) await target.close();
  }
  const middle = (list: readonly Run[], key: keyof Run) =>
    round(median(list.map((run) => run[key])));
  const rows = [...runs].map(([name, list]) => [
    name,
    ...([
      "appendsPerSecond",
      "p50Ms",
      "p99Ms",
      "cpuMsPerFrame",
      "writtenPerByte",
      "readsPerSecond",
    ] as const)
      .map((key) => String(middle(list, key))),
  ]);
  const titles = [
    "frames",
    "appends/s",
    "p50 ms",
    "p99 ms",
    "CPU ms/frame",
    "written/byte",
    "reads/s",
  ];
  await report({
    name: "log",
    title: "The logs: appends, reads, bytes written",
    args,
    lines: table(titles, rows),
    out: values.out,
  });
}
