/**
 * More than a query can take: a sink that is far too slow, viewers that never read, a backlog that is much
 * larger than memory may grow.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { TopicLog } from "../../runtime/log/log.ts";
import { markedRecords } from "../support/checker.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { residentMiB } from "../support/processes.ts";

/** Memory may grow by so much, whatever comes. */
export const GROWTH_MIB = 64;
/** JPEG decoders stop at the end of the image: what follows makes the frame as large as those of a camera. */
const PADDING = 100_000;

/** How hard the trial is. */
export interface Overload {
  readonly log: TopicLog;
  readonly url: string;
  /** Frames of each partition that wait when the query starts. */
  readonly backlog: number;
  /** How long memory is watched. */
  readonly watchMs: number;
  /** How long the sink takes for a frame of partition 0. */
  readonly slowMs: number;
  /** Viewers that ask for pictures and never read them. */
  readonly viewers: number;
}

/** Runs the trial; returns how much memory grew, MiB. */
export async function overload(options: Overload): Promise<number> {
  const { log, url, backlog, watchMs, slowMs, viewers } = options;
  await log.createTopic("VideoStreaming", 2);
  await fill(log, backlog);
  const runtime = new FramelaneProcess([
    "queries",
    fileURLToPath(new URL("../support/queries/slow.ts", import.meta.url)),
    "--log",
    url,
    "--partitions",
    "0,1",
    "--executors",
    "2",
    "--port",
    "0",
    "--json",
  ], { env: { FRAMELANE_TEST_SLOW_MS: String(slowMs) } });
  const connections: Deno.Conn[] = [];
  try {
    await runtime.until("progress", (p) => p.progress(0).length > 0 && p.progress(1).length > 0);
    const viewer = runtime.said.map((line) => /Viewer: (\S+)/.exec(line)?.[1]).find(Boolean)!;
    for (let index = 0; index < viewers; index++) {
      connections.push(await neverReads(new URL(viewer), 1 + index % 2));
    }
    const before = await residentMiB(runtime.pid);
    let most = before;
    const end = performance.now() + watchMs;
    while (performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      most = Math.max(most, await residentMiB(runtime.pid));
    }
    // The slow lane holds nobody up, and nothing was left out to keep up.
    await runtime.until(
      "the other partition",
      (p) => totalsOf(p, 1)["frames"] === backlog,
      60_000,
    );
    const slow = totalsOf(runtime, 0);
    assert.ok(slow["frames"]! < backlog, "the slow sink was not slow enough to prove anything");
    assert.equal(slow["dropped"], 0);
    return most - before;
  } finally {
    for (const connection of connections) connection.close();
    await runtime.kill();
  }
}

function totalsOf(runtime: FramelaneProcess, partition: number): Record<string, number> {
  const last = runtime.progress(partition).at(-1) as unknown as { totals: Record<string, number> };
  return last.totals;
}

async function fill(log: TopicLog, count: number): Promise<void> {
  const producer = await log.producer();
  for (let partition = 0; partition < 2; partition++) {
    for (let from = 0; from < count; from += 100) {
      const some = markedRecords(partition + 1, Math.min(100, count - from), {
        from,
        start: Date.now(),
      }).map((record) => {
        const value = new Uint8Array(record.value.length + PADDING);
        value.set(record.value);
        return { ...record, value };
      });
      await producer.append("VideoStreaming", partition, some);
    }
  }
  await producer.close();
}

/** Asks for a camera's pictures and leaves them in the socket. */
async function neverReads({ hostname, port }: URL, camera: number): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const request = `GET /cam/${camera} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  return connection;
}
