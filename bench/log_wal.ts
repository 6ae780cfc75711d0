// How fast the write-ahead log of an embedded log grows beside another program that reads its database and never ends.
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import type { TopicLog } from "../runtime/log/log.ts";
import { openLog } from "../runtime/log/open.ts";
import { table } from "./support/report.ts";

const [TOPIC, CAMERAS, FPS] = ["VideoStreaming", 16, 15];

/** Rows of a table: megabytes an hour, beside those of the frames. */
export async function measureWal(folder: string, seconds: number): Promise<string[]> {
  const rows: string[][] = [];
  for (const [bytes, query] of [[58_000, false], [2_000, false], [58_000, true]] as const) {
    const log = await openLog(`embedded:${join(folder, `${rows.length}`)}`);
    await log.createTopic(TOPIC, CAMERAS);
    const wal = async () => (await log.storage!()).walBytes;
    const end = performance.now() + (seconds + 2) * 1_000;
    const work = Promise.all(
      Array.from(
        { length: CAMERAS },
        (_, partition) => lane(log, { partition, bytes, query, end }),
      ),
    );
    // Once the segments are there.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const reader = new DatabaseSync(join(folder, `${rows.length}`, "log.db"));
    reader.exec("BEGIN; SELECT count(*) FROM chunks");
    const before = await wal();
    await work;
    const mbAnHour = (await wal() - before) / seconds * 3.6e-3;
    reader.close();
    await log.close();
    const frames = CAMERAS * FPS * bytes * 3.6e-3;
    rows.push([
      `${CAMERAS} cameras × ${FPS} frames/s, ${bytes / 1_000} kB`,
      query ? "a commit for each frame" : "none",
      ...[mbAnHour, frames].map((mb) => mb.toFixed(0)),
      `${(100 * mbAnHour / frames).toFixed(2)} %`,
    ]);
  }
  return table(["appends", "query", "WAL MB/hour", "frames MB/hour", "of the frames"], rows);
}

/** A camera, and the query on it. */
async function lane(
  log: TopicLog,
  { partition, bytes, query, end }: {
    readonly partition: number;
    readonly bytes: number;
    readonly query: boolean;
    readonly end: number;
  },
): Promise<void> {
  const producer = await log.producer();
  const place = { group: "bench", query: "bench", topic: TOPIC, partition };
  const committer = query ? await log.committer(place) : undefined;
  const value = new Uint8Array(bytes);
  const started = performance.now();
  for (let i = 0; performance.now() < end; i++) {
    const due = started + (i + partition / CAMERAS) * 1_000 / FPS;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    const headers = { "content-type": "image/jpeg" };
    await producer.append(TOPIC, partition, [{ key: null, value, timestamp: Date.now(), headers }]);
    const batch = { batchId: i, start: i, end: i + 1 };
    await committer?.plan(batch, false);
    await committer?.commit(batch, { end: i + 1, restart: i + 1 }, [], { repeatable: true });
  }
  await committer?.close();
  await producer.close();
}
