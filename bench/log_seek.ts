// Finding a time in an embedded log of a million records, and in one of 10 GB: how long it holds the thread, how soon the
// frame is there; opening it.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { encodeRecord } from "../runtime/log/embedded/record.ts";
import { offsetBits } from "../runtime/log/embedded/schema.ts";
import { openLog } from "../runtime/log/open.ts";
import { table } from "./support/report.ts";
import { percentile } from "./support/stats.ts";

const MILLION = 1_000_000;
const SEARCHES = 300;
/** Of the large log, whose files are nearly all holes. */
const [FRAME, PER_CHUNK, CHUNKS, SEGMENTS] = [64_000, 4, 64, 640];
const FRAMES = PER_CHUNK * CHUNKS * SEGMENTS;
const kept = `?retention-bytes=${2 ** 40}&retention-ms=${2 ** 40}`;

/** Rows of a table. */
export async function measureSeeks(folder: string): Promise<string[]> {
  const rows = [
    ["a million records", ...await seeks(await million(join(folder, "million")), MILLION)],
    ["10 GB", ...await seeks(await large(join(folder, "large")), FRAMES)],
  ];
  return table(
    [
      "log",
      "open ms",
      "search p50 ms",
      "p99 ms",
      "16 at once, longest hold of the thread ms",
      "frame there p50 ms",
      "p99 ms",
    ],
    rows,
  );
}

/** Opens the log; finds times spread over all of it, as scrubbing on the wall does. Record i is of time i. */
async function seeks(url: string, records: number): Promise<string[]> {
  const started = performance.now();
  const log = await openLog(url);
  await log.topics();
  const openMs = performance.now() - started;
  const times = Array.from({ length: SEARCHES }, () => Math.floor(Math.random() * records));
  const searchMs: number[] = [];
  const frameMs: number[] = [];
  const reader = await log.reader();
  const frames = await reader.open("t", 0, 0);
  for (const time of times) {
    const from = performance.now();
    const offset = await log.offsetForTime("t", 0, time);
    searchMs.push(performance.now() - from);
    if (offset !== time) throw new Error(`Found ${offset} for ${time}`);
    frames.seek(offset);
    await frames.read(1);
    frameMs.push(performance.now() - from);
  }
  let [held, last] = [0, performance.now()];
  const timer = setInterval(() => {
    const now = performance.now();
    [held, last] = [Math.max(held, now - last), now];
  });
  for (let i = 0; i < SEARCHES; i += 16) {
    await Promise.all(times.slice(i, i + 16).map((time) => log.offsetForTime("t", 0, time)));
  }
  clearInterval(timer);
  await reader.close();
  await log.close();
  const figures = [searchMs, frameMs].map((of) => [percentile(of, 0.5), percentile(of, 0.99)]);
  return [openMs, ...figures[0]!, held, ...figures[1]!].map((ms) => ms.toFixed(2));
}

async function million(folder: string): Promise<string> {
  const url = `embedded:${folder}${kept}`;
  const log = await openLog(url);
  await log.createTopic("t", 1);
  const producer = await log.producer();
  const value = new Uint8Array(100);
  for (let first = 0; first < MILLION; first += 1_000) {
    const records = Array.from(
      { length: 1_000 },
      (_, i) => ({ key: null, value, headers: {}, timestamp: first + i }),
    );
    await producer.append("t", 0, records);
  }
  await producer.close();
  await log.close();
  return url;
}

/** As cameras would have written it in hours: the rows, and the heads of the records in files with holes. */
async function large(folder: string): Promise<string> {
  const url = `embedded:${folder}${kept}`;
  const log = await openLog(url);
  await log.createTopic("t", 1);
  await log.close();
  const { size } = encodeRecord({
    key: null,
    value: new Uint8Array(FRAME),
    headers: {},
    timestamp: 0,
  });
  const db = new DatabaseSync(join(folder, "log.db"));
  const segment = db.prepare("INSERT INTO segments VALUES (?, 1, ?, ?, ?, ?, ?)");
  const chunk = db.prepare("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  await Deno.mkdir(join(folder, "segments", "t-0"), { recursive: true });
  db.exec("BEGIN");
  for (let number = 0; number < SEGMENTS; number++) {
    const [file, first] = [`segments/t-0/${number}.seg`, number * CHUNKS * PER_CHUNK];
    const next = first + CHUNKS * PER_CHUNK;
    segment.run(number, file, first, next, (next - first) * size, next - 1);
    using handle = await Deno.open(join(folder, file), { create: true, write: true });
    for (let offset = first; offset < next; offset++) {
      if (offset % PER_CHUNK === 0) {
        const place = [2 ** offsetBits + offset, PER_CHUNK, number, (offset - first) * size];
        chunk.run(...place, PER_CHUNK * size, offset * size, Date.now(), offset + PER_CHUNK - 1);
      }
      const { head } = encodeRecord({
        key: null,
        value: new Uint8Array(FRAME),
        headers: {},
        timestamp: offset,
      });
      await handle.seek((offset - first) * size, Deno.SeekMode.Start);
      await handle.write(head);
    }
    await handle.truncate((next - first) * size);
  }
  db.prepare("UPDATE partitions SET latest = ?, bytes = ?, arrived = ?").run(
    FRAMES,
    FRAMES * size,
    Date.now(),
  );
  db.exec("COMMIT");
  db.close();
  return url;
}
