/**
 * What the embedded log costs: appends, reads, latency between processes, commits, idle readers.
 *
 * ```
 * deno run --unstable-kv --allow-read --allow-write --allow-run --allow-env bench/log_embedded.ts [--json]
 * ```
 */
import process from "node:process";
import type { LogRecord, PartitionReader, TopicLog } from "../runtime/log/log.ts";
import { openLog } from "../runtime/log/open.ts";

const frameBytes = 57_000;
const topic = "VideoStreaming";

/** Epoch milliseconds with fractions, the same in all processes of a machine. */
const now = () => performance.timeOrigin + performance.now();

const noise = new Uint8Array(frameBytes);
crypto.getRandomValues(noise);

const frame = (): LogRecord => ({
  key: "CAMERA-1",
  value: noise,
  timestamp: Date.now(),
  headers: { "content-type": "image/jpeg", sent: `${now()}` },
});

const quantile = (values: readonly number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))]!;

const rounded = (value: number) => Number(value.toPrecision(3));

/** Appends `count` frames with `inFlight` calls under way; returns frames/s. */
async function append(log: TopicLog, partition: number, count: number, inFlight: number) {
  const producer = await log.producer();
  const started = performance.now();
  await Promise.all(Array.from({ length: inFlight }, async () => {
    for (let i = 0; i < count / inFlight; i++) await producer.append(topic, partition, [frame()]);
  }));
  return count / (performance.now() - started) * 1_000;
}

async function read(reader: PartitionReader, count: number): Promise<number> {
  const started = performance.now();
  for (let got = 0; got < count;) got += (await reader.read(256)).length;
  return count / (performance.now() - started) * 1_000;
}

/** A child process with one of the modes below; gives what it printed. */
async function inChild(mode: string, url: string, ...args: (string | number)[]): Promise<string> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--unstable-kv",
      "--allow-read",
      "--allow-write",
      import.meta.filename!,
      mode,
      url,
      ...args.map(String),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`The child process ${mode} failed`);
  return new TextDecoder().decode(stdout);
}

async function latencies(log: TopicLog, url: string, partition: number): Promise<number[]> {
  const count = 300;
  const reader = await log.reader();
  const partitionReader = await reader.open(topic, partition, 0);
  const child = inChild("paced", url, partition, count);
  const values: number[] = [];
  while (values.length < count) {
    for (const { headers } of await partitionReader.read(16)) {
      values.push(now() - Number(headers.sent));
    }
  }
  await child;
  await reader.close();
  return values;
}

async function commitMs(log: TopicLog, recordsPerBatch: number, required: boolean) {
  const partition = 5;
  const out = `out${recordsPerBatch}`;
  const committer = await log.committer({
    group: "bench",
    query: `records${recordsPerBatch}${required}`,
    topic,
    partition,
    outputTopics: [out],
  });
  const count = 400;
  const started = performance.now();
  for (let i = 0; i < count; i++) {
    const batch = { batchId: i, start: i, end: i + 1 };
    await committer.plan(batch, required);
    const records = Array.from(
      { length: recordsPerBatch },
      () => ({ topic: out, partition, ...frame() }),
    );
    await committer.commit(batch, { end: i + 1, restart: i + 1 }, records);
  }
  const ms = (performance.now() - started) / count;
  await committer.close();
  return ms;
}

/** Share of a core that idle open partitions take, percent. */
async function idleCpu(log: TopicLog): Promise<number> {
  await log.createTopic("idle", 256);
  const reader = await log.reader();
  for (let partition = 0; partition < 256; partition++) await reader.open("idle", partition, 0);
  // The poll slows down when nothing comes for a second.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const { user, system } = process.cpuUsage(cpu);
  await reader.close();
  return (user + system) / 1_000 / (performance.now() - started) * 100;
}

/** Longest time, ms, that the event loop was held up while `action` ran. */
async function holdUp(action: () => Promise<unknown>): Promise<number> {
  let worst = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const at = performance.now();
    worst = Math.max(worst, at - last - 1);
    last = at;
  }, 1);
  await action();
  clearInterval(timer);
  return Math.max(worst, performance.now() - last - 1);
}

async function main(): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "framelane-bench-" });
  const url = `embedded:${dir}`;
  const log = await openLog(url);
  const results: Record<string, number> = {};
  const note = (name: string, value: number) => {
    results[name] = rounded(value);
    // deno-lint-ignore no-console
    if (!Deno.args.includes("--json")) console.log(`${name}: ${results[name]}`);
  };
  try {
    await log.createTopic(topic, 8);
    note("append, one call at a time, frames/s", await append(log, 0, 3_000, 1));
    let rate = 0;
    const worst = await holdUp(async () => rate = await append(log, 1, 4_000, 16));
    note("append, 16 calls under way, frames/s", rate);
    note("append, longest hold-up of the event loop, ms", worst);
    const started = performance.now();
    await Promise.all([2, 3].map((partition) => inChild("append", url, partition, 3_000)));
    note(
      "append, two processes (with their start), frames/s",
      6_000 / (performance.now() - started) * 1_000,
    );
    const reader = await log.reader();
    note("read, frames/s", await read(await reader.open(topic, 0, 0), 3_000));
    await reader.close();
    const ms = await latencies(log, url, 4);
    note("append to read in another process, p50 ms", quantile(ms, 0.5));
    note("append to read in another process, p99 ms", quantile(ms, 0.99));
    note("commit, no records, ms", await commitMs(log, 0, false));
    note("plan and commit, no records, ms", await commitMs(log, 0, true));
    note("commit, one frame, ms", await commitMs(log, 1, false));
    note("plan and commit, one frame, ms", await commitMs(log, 1, true));
    note("256 idle partitions, % of a core", await idleCpu(log));
  } finally {
    await log.close();
    await Deno.remove(dir, { recursive: true });
  }
  // deno-lint-ignore no-console
  if (Deno.args.includes("--json")) console.log(JSON.stringify(results));
}

const [mode, url, ...numbers] = Deno.args;
if (mode === "append" || mode === "paced") {
  const log = await openLog(url!);
  const [partition, count] = numbers.map(Number) as [number, number];
  if (mode === "append") await append(log, partition, count, 4);
  else {
    const producer = await log.producer();
    for (let i = 0; i < count; i++) {
      await producer.append(topic, partition, [frame()]);
      await new Promise((resolve) => setTimeout(resolve, 20 + 5 * Math.random()));
    }
  }
  await log.close();
} else await main();
