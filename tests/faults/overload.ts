// More than a query can take, all at once: a sink that is ten times too slow, viewers that never read,
// a camera at ten times its rate. Before it nothing disturbs the same query: what the other lanes do
// is measured against that.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { TopicLog } from "../../runtime/log/log.ts";
import { judge, type Marked, total, type Verdict } from "../support/checker.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { MeteredCameras } from "../support/metered_cameras.ts";
import { residentMiB } from "../support/processes.ts";
import { reportRow, say } from "../support/trial_report.ts";
import { until } from "../support/until.ts";

/** Memory may grow by this much, whatever comes. */
export const GROWTH_MIB = 64;
const RATE = 10;
const TIMES = 10;
const [SLOW, HOT] = [0, 3];
/** Lanes that nothing is done to; they share their executors with those to which something is. */
const OTHERS = [1, 2];
const LANES = 4;
const SETTLE_MS = 2000;
/** Frames that come to the slow lane at once: 90 MB, more than memory may grow. */
const BURST = 1500;

/** How long the trial is, and where. */
export interface Overload {
  readonly log: TopicLog;
  readonly url: string;
  readonly topic: string;
  /** How long nothing disturbs, and how long everything does. */
  readonly calmMs: number;
  readonly overloadMs: number;
  /** Viewers that ask for pictures and never read them: half of each kind. */
  readonly viewers: number;
}

/** What came of it. */
export interface OverloadReport {
  /** By how much memory grew, MiB. */
  readonly grownMiB: number;
  /** Frames that the camera at ten times its rate published, by those of another. */
  readonly hot: number;
  /** Assignments of partitions during the overload. */
  readonly rebalances: number;
  /** Frames out by frames published of the worst other lane, as a share of that in the calm. */
  readonly throughput: number;
  /** Capture to sink in the other lanes, median milliseconds: in the calm, in the overload. */
  readonly latencyMs: readonly [number, number];
  /** Frames that waited for the slow sink at the end. */
  readonly backlog: number;
  /** Over all lanes, after the slow one has caught up. */
  readonly verdict: Verdict;
}

/** Runs the trial. */
export async function overload(options: Overload): Promise<OverloadReport> {
  const { log, url, topic, calmMs, overloadMs, viewers } = options;
  const folder = await Deno.makeTempDir({ prefix: "framelane-overload-" });
  await log.createTopic(topic, LANES);
  const cameras = new MeteredCameras(log, topic, Array(LANES).fill(RATE)).start();
  const runtime = new FramelaneProcess([
    ...["queries", fileURLToPath(new URL("../support/queries/slow.ts", import.meta.url))],
    ...["--log", url, "--topic", topic, "--group", `${topic}-group`],
    ...["--executors", "2", "--port", "0", "--json"],
  ], {
    env: { FRAMELANE_TEST_SLOW_MS: String(TIMES * 1000 / RATE), FRAMELANE_TEST_SEEN: folder },
  });
  const connections: Deno.Conn[] = [];
  try {
    await runtime.until(
      "all lanes",
      (p) => Array.from({ length: LANES }, (_, lane) => p.progress(lane).length > 0).every(Boolean),
    );
    const viewer = new URL(
      runtime.said.map((line) => /Viewer: (\S+)/.exec(line)?.[1]).find(Boolean)!,
    );
    // Somebody looks in the calm as well: the pictures of a page are part of the work.
    connections.push(await watches(viewer, false));
    await pause(SETTLE_MS);

    const calm = await phase(folder, cameras, () => watch(runtime.pid, calmMs));
    const assigned = await rebalances(viewer);

    await Deno.writeTextFile(`${folder}/slow`, "");
    await cameras.burst(SLOW, BURST);
    cameras.setRate(HOT, RATE * TIMES);
    for (let index = 0; index < viewers; index++) {
      connections.push(await watches(viewer, index % 2 === 0));
    }
    const rough = await phase(folder, cameras, () => watch(runtime.pid, overloadMs));
    // What others published meanwhile does not wait for the slow lane.
    await caughtUp(folder, cameras.counts(), OTHERS);
    const backlog = cameras.counts()[SLOW]! - (await seen(folder, SLOW)).length;
    const rebalanced = await rebalances(viewer) - assigned;
    assert.doesNotMatch(runtime.output(), /; restarting/);

    assert.ok(backlog > BURST / 2, `${backlog} frames waited for the sink: it was not slow enough`);

    await cameras.stop();
    await Deno.remove(`${folder}/slow`);
    await caughtUp(folder, cameras.counts());
    return {
      hot: rough.published[HOT]! / rough.published[OTHERS[0]!]!,
      grownMiB: Math.max(...rough.result) - median(calm.result),
      rebalances: rebalanced,
      throughput: Math.min(
        ...OTHERS.map((lane) =>
          (rough.out[lane]! / rough.published[lane]!) / (calm.out[lane]! / calm.published[lane]!)
        ),
      ),
      latencyMs: [calm.latencyMs, rough.latencyMs],
      backlog,
      verdict: total(
        await Promise.all(
          cameras.published.map(async (frames, lane) => judge(frames, await seen(folder, lane))),
        ),
      ),
    };
  } finally {
    for (const connection of connections) connection.close();
    await cameras.stop();
    await runtime.kill();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Fails unless the promises were kept that do not depend on what else the machine has to do. */
export function assertKept(report: OverloadReport): void {
  const { grownMiB, hot, rebalances, throughput, latencyMs, backlog, verdict } = report;
  say(
    `memory +${Math.round(grownMiB)} MiB, ${rebalances} rebalances, a camera at ${
      hot.toFixed(1)
    } times its rate, other lanes at ${
      (100 * throughput).toFixed(1)
    } % of their throughput, median latency ${latencyMs.join(" → ")} ms, ${backlog} frames waited`,
  );
  assert.deepEqual(verdict, { lost: 0, doubled: 0, reordered: 0, changed: 0, faults: [] });
  assert.ok(grownMiB <= GROWTH_MIB, `grown by ${Math.round(grownMiB)} MiB`);
  assert.equal(rebalances, 0);
}

/** Prints the row of the table: where it was and for how long, and what came of it. */
export function reportOverload(report: OverloadReport, where: string): void {
  const [grown, kept] = [Math.round(report.grownMiB), (100 * report.throughput).toFixed(1)];
  reportRow({
    fault:
      `sink 10 times too slow, viewers never read, a camera 10 times as fast, ${where}: memory +${grown} MiB, other lanes ${kept} %`,
    repetitions: 1,
    verdict: report.verdict,
  });
}

/** Frames in and out of each lane while something is done. */
async function phase<T>(folder: string, cameras: MeteredCameras, act: () => Promise<T>) {
  const lanes = Array.from({ length: LANES }, (_, lane) => lane);
  const linesOf = () => Promise.all(lanes.map(async (lane) => (await lines(folder, lane)).length));
  const [published, out] = [cameras.counts(), await linesOf()];
  const result = await act();
  const [publishedAfter, outAfter] = [cameras.counts(), await linesOf()];
  const latencies = (await Promise.all(
    OTHERS.map(async (lane) => (await lines(folder, lane)).slice(out[lane], outAfter[lane])),
  )).flat().map((line) => Number(line.split(" ")[2]));
  return {
    result,
    published: lanes.map((lane) => publishedAfter[lane]! - published[lane]!),
    out: lanes.map((lane) => outAfter[lane]! - out[lane]!),
    latencyMs: median(latencies),
  };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}

/** Resident memory, several times a second. */
async function watch(pid: number, ms: number): Promise<number[]> {
  const samples = [await residentMiB(pid)];
  const end = performance.now() + ms;
  while (performance.now() < end) {
    await pause(250);
    samples.push(await residentMiB(pid));
  }
  return samples;
}

async function lines(folder: string, lane: number): Promise<string[]> {
  const text = await Deno.readTextFile(`${folder}/${lane}`);
  return text.split("\n").slice(0, -1);
}

/** What a lane's sink got. */
async function seen(folder: string, lane: number): Promise<Marked[]> {
  return (await lines(folder, lane)).map((line) => {
    const [seq, sha256] = line.split(" ");
    return { camera: `CAMERA-${lane + 1}`, seq: Number(seq), sha256: sha256! };
  });
}

/** Waits until the sinks of these lanes, or of all, have got this many frames each. */
async function caughtUp(
  folder: string,
  counts: readonly number[],
  of: readonly number[] = counts.map((_, lane) => lane),
): Promise<void> {
  for (const lane of of) {
    await until(
      `lane ${lane} catches up`,
      async () => (await lines(folder, lane)).length >= counts[lane]!,
    );
  }
}

async function rebalances(viewer: URL): Promise<number> {
  const text = await (await fetch(new URL("metrics", viewer))).text();
  const counts = [...text.matchAll(/^framelane_rebalances_total\{.*\} (\d+)$/gm)];
  assert.ok(counts.length > 0, text);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Asks for pictures, as a page or as a stream of one camera, and leaves them in the socket. */
async function watches({ hostname, port }: URL, page: boolean): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const send = async (bytes: Uint8Array) => {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  };
  const host = `Host: ${hostname}:${port}\r\n`;
  if (!page) {
    await send(new TextEncoder().encode(`GET /cam/${HOT + 1} HTTP/1.1\r\n${host}\r\n`));
    return connection;
  }
  await send(
    new TextEncoder().encode(
      `GET /ws HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ),
  );
  await connection.read(new Uint8Array(4096));
  const tiles = Array.from(
    { length: LANES },
    (_, slot) => ({ slot, lane: `slow-${slot}`, width: 0 }),
  );
  const text = new TextEncoder().encode(JSON.stringify({ type: "watch", tiles }));
  // A masked text frame whose mask is zero.
  await send(
    new Uint8Array([0x81, 0xfe, text.length >> 8, text.length & 255, 0, 0, 0, 0, ...text]),
  );
  return connection;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
