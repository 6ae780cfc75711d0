/**
 * What Kafka costs: appends and reads beside the bare client's, commits, latency between processes,
 * idle partitions.
 *
 * ```
 * deno run --allow-net --allow-env --allow-read --allow-run --allow-sys --allow-ffi bench/log_kafka.ts HOST:PORT [--json] [--only NAME]
 * ```
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { Admin, Consumer, MessagesStreamModes, Producer } from "@platformatic/kafka";
import { writeLine } from "../cli/output.ts";
import type { LogRecord, TopicLog } from "../runtime/log/log.ts";
import { openLog } from "../runtime/log/open.ts";

const FRAME_BYTES = 58_000;
const FRAMES = 3_000;
const PARTITIONS = 3;
const ROUNDS = 5;

/** Epoch milliseconds with fractions, the same in all processes of a machine. */
const now = () => performance.timeOrigin + performance.now();
const noise = crypto.getRandomValues(new Uint8Array(FRAME_BYTES));

const frame = (): LogRecord => ({
  key: "CAMERA-1",
  value: noise,
  timestamp: Date.now(),
  headers: { "content-type": "image/jpeg", sent: `${now()}` },
});

function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) =>
    a - b
  )[Math.min(values.length - 1, Math.floor(values.length * q))]!;
}

const print = (line: string) => void writeLine(Deno.stdout, line);
const rounded = (value: number) => Number(value.toPrecision(3));

async function perSecond(count: number, work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return count / (performance.now() - started) * 1_000;
}

async function withTopic(log: TopicLog, partitions: number): Promise<string> {
  const topic = `bench-${crypto.randomUUID()}`;
  await log.createTopic(topic, partitions);
  return topic;
}

/** Appends of one frame a call; `inFlight` calls of each partition under way. */
async function append(log: TopicLog, topic: string, count: number, inFlight: number) {
  const producer = await log.producer();
  await Promise.all(Array.from({ length: PARTITIONS * inFlight }, async (_, lane) => {
    for (let i = 0; i < count / PARTITIONS / inFlight; i++) {
      await producer.append(topic, lane % PARTITIONS, [frame()]);
    }
  }));
  await producer.close();
}

async function bareAppend(address: string, topic: string, count: number, inFlight: number) {
  const producer = new Producer({ clientId: "bench", bootstrapBrokers: [address] });
  await Promise.all(Array.from({ length: PARTITIONS * inFlight }, async (_, lane) => {
    for (let i = 0; i < count / PARTITIONS / inFlight; i++) {
      const { key, value, headers } = frame();
      await producer.send({
        acks: -1,
        messages: [{
          topic,
          partition: lane % PARTITIONS,
          key: Buffer.from(key!),
          value: Buffer.from(value.buffer as ArrayBuffer),
          headers: new Map(
            Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
          ),
        }],
      });
    }
  }));
  await producer.close();
}

async function read(log: TopicLog, topic: string, partitions: number, count: number) {
  const reader = await log.reader();
  await Promise.all(Array.from({ length: partitions }, async (_, partition) => {
    const one = await reader.open(topic, partition, 0);
    for (let got = 0; got < count / partitions;) got += (await one.read(64)).length;
  }));
  await reader.close();
}

async function bareRead(address: string, topic: string, count: number) {
  const consumer = new Consumer({
    clientId: "bench",
    groupId: crypto.randomUUID(),
    bootstrapBrokers: [address],
  });
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.EARLIEST,
    autocommit: false,
    maxWaitTime: 500,
    highWaterMark: 1024,
  });
  let got = 0;
  for await (const _message of stream) if (++got === count) break;
  await stream.close();
  await consumer.close(true);
}

/** One frame a commit. */
async function commits(log: TopicLog, topic: string, withRecord: boolean) {
  const out = await withTopic(log, 1);
  const committer = await log.committer({
    group: crypto.randomUUID(),
    query: "bench",
    topic,
    partition: 0,
    outputTopics: [out],
  });
  const times: number[] = [];
  for (let batchId = 0; batchId < 200; batchId++) {
    const batch = { batchId, start: batchId, end: batchId + 1 };
    const started = performance.now();
    await committer.plan(batch, false);
    await committer.commit(
      batch,
      { end: batchId + 1, restart: batchId + 1 },
      withRecord ? [{ ...frame(), topic: out, partition: 0 }] : [],
    );
    times.push(performance.now() - started);
  }
  await committer.close();
  return times;
}

/** Append to read, the producer in another process. */
async function latencies(address: string, log: TopicLog): Promise<number[]> {
  const topic = await withTopic(log, 1);
  const count = 300;
  const reader = await log.reader();
  const partition = await reader.open(topic, 0, 0);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-net",
      "--allow-env",
      "--allow-read",
      "--allow-sys",
      "--allow-ffi",
      import.meta.filename!,
      address,
      "--paced",
      topic,
      String(count),
    ],
    stderr: "inherit",
    stdout: "null",
  }).spawn();
  const values: number[] = [];
  while (values.length < count) {
    for (const { headers } of await partition.read(16)) {
      values.push(now() - Number(headers["sent"]));
    }
  }
  await child.status;
  await reader.close();
  return values.slice(20);
}

async function paced(log: TopicLog, topic: string, count: number) {
  const producer = await log.producer();
  for (let i = 0; i < count; i++) {
    await producer.append(topic, 0, [frame()]);
    await new Promise((next) => setTimeout(next, 8));
  }
}

/** CPU of this process that 256 partitions without frames need, percent of a core. */
async function idle(log: TopicLog): Promise<number> {
  const topic = await withTopic(log, 256);
  const reader = await log.reader();
  await Promise.all(
    Array.from({ length: 256 }, (_, partition) => reader.open(topic, partition, 0)),
  );
  await new Promise((next) => setTimeout(next, 3_000));
  const before = process.cpuUsage();
  const started = performance.now();
  await new Promise((next) => setTimeout(next, 10_000));
  const { user, system } = process.cpuUsage(before);
  const percent = (user + system) / 1_000 / (performance.now() - started) * 100;
  await reader.close();
  return percent;
}

const [address, ...flags] = Deno.args as [string, ...string[]];
const log = await openLog(`kafka://${address}`);
const made = new Set<string>();
const results: Record<string, unknown> = {};
const only = flags.includes("--only") ? flags[flags.indexOf("--only") + 1] : undefined;
const wanted = (name: string) => only === undefined || only === name;
const report = (name: string, value: unknown) => {
  results[name] = value;
  if (!flags.includes("--json")) print(`${name.padEnd(34)} ${JSON.stringify(value)}`);
};

if (flags[0] === "--paced") {
  await paced(log, flags[1]!, Number(flags[2]));
} else {
  const topic = await withTopic(log, PARTITIONS);
  made.add(topic);
  const before = await log.topics();
  const rates = { append: [], bareAppend: [], append4: [], bareAppend4: [] } as Record<
    string,
    number[]
  >;
  if (wanted("append")) {
    for (let round = 0; round < ROUNDS; round++) {
      const count = FRAMES / 4;
      rates["append"]!.push(await perSecond(count, () => append(log, topic, count, 1)));
      rates["bareAppend"]!.push(await perSecond(count, () => bareAppend(address, topic, count, 1)));
      rates["append4"]!.push(await perSecond(count, () => append(log, topic, count, 4)));
      rates["bareAppend4"]!.push(
        await perSecond(count, () => bareAppend(address, topic, count, 4)),
      );
    }
    for (const [name, values] of Object.entries(rates)) {
      report(`${name}, frames/s`, rounded(quantile(values, 0.5)));
    }
  }
  if (wanted("read")) {
    const source = await withTopic(log, PARTITIONS);
    await append(log, source, FRAMES, 4);
    const ours: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(await perSecond(FRAMES, () => read(log, source, PARTITIONS, FRAMES)));
      bare.push(await perSecond(FRAMES, () => bareRead(address, source, FRAMES)));
    }
    report("read, frames/s", rounded(quantile(ours, 0.5)));
    report("bare read, frames/s", rounded(quantile(bare, 0.5)));
    report("read / bare", rounded(quantile(ours, 0.5) / quantile(bare, 0.5)));
  }
  if (wanted("commit")) {
    for (const withRecord of [false, true]) {
      const times = await commits(log, topic, withRecord);
      report(`commit ${withRecord ? "with a frame" : "without records"}, ms`, {
        p50: rounded(quantile(times, 0.5)),
        p99: rounded(quantile(times, 0.99)),
      });
    }
  }
  if (wanted("latency")) {
    const times = await latencies(address, log);
    report("append to read, ms", {
      p50: rounded(quantile(times, 0.5)),
      p99: rounded(quantile(times, 0.99)),
    });
  }
  if (wanted("idle")) report("256 idle partitions, % of a core", rounded(await idle(log)));
  if (flags.includes("--json")) print(JSON.stringify(results));
  const admin = new Admin({ clientId: "bench", bootstrapBrokers: [address] });
  const left = (await log.topics()).filter((name) =>
    name.startsWith("bench-") && (!before.includes(name) || made.has(name))
  );
  await admin.deleteTopics({ topics: left });
  await admin.close();
}
await log.close();
