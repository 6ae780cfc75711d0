/**
 * The viewer, measured: many lanes on one page, many pages, and what the queries notice of them.
 *
 *     deno task bench viewer [--seconds 10] [--only lanes|pages|queries]
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Driver } from "../runtime/driver/driver.ts";
import type { Lane, LaneFeed, LanePicture } from "../runtime/lanes.ts";
import { startViewer } from "../viewer/mod.ts";
import { clipFrames } from "./frames.ts";
import { print } from "./print.ts";
import { embeddedLog } from "./support/logs.ts";
import { cpuSeconds } from "./support/process_stats.ts";
import { percentile } from "./support/stats.ts";
import type { ViewersReport } from "./support/viewers.ts";

const GREYSCALE = new URL("../queries/greyscale.ts", import.meta.url).href;
const MiB = 1024 * 1024;

/** Lanes that cost nothing but their pictures, each at a steady rate. */
class SteadyLanes implements LaneFeed {
  readonly #lanes: Lane[];
  readonly #frames: readonly Uint8Array[];
  readonly #latest = new Map<string, LanePicture>();
  readonly #listeners = new Set<(picture: LanePicture) => void>();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(frames: readonly Uint8Array[], count: number, fps: number) {
    this.#frames = frames;
    this.#lanes = Array.from({ length: count }, (_, partition): Lane => ({
      id: `bench-${partition}`,
      query: "bench",
      name: `QUERY-PARTITION-${partition}`,
      topic: "VideoStreaming",
      partition,
      camera: `CAMERA-${partition + 1}`,
      state: "running",
      framesPerSecondIn: fps,
      framesPerSecondOut: fps,
      lagFrames: 0,
      dropped: 0,
      deadLettered: 0,
      gaps: 0,
      restarts: 0,
      lastFrameArrival: Date.now(),
    }));
    let sent = 0;
    const begun = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - begun) / 1_000) * fps * count;
      for (; sent < due; sent++) this.#push(this.#lanes[sent % count]!, Math.floor(sent / count));
    }, 4);
  }

  lanes = () => this.#lanes;
  latest = (lane: string) => this.#latest.get(lane);
  progress = () => [];
  history = () => ({ progress: [], plan: "" });

  subscribe(listener: (picture: LanePicture) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #push({ id, partition }: Lane, offset: number): void {
    const picture: LanePicture = {
      lane: id,
      offset,
      timestamp: Date.now(),
      contentType: "image/jpeg",
      bytes: this.#frames[(offset + partition * 7) % this.#frames.length]!,
      headers: {},
    };
    this.#latest.set(id, picture);
    for (const listener of this.#listeners) listener(picture);
  }
}

/** Pages in another process; what they saw, and what they cost this one. */
async function watched(url: string, pages: number, width: number, seconds: number) {
  const memory: number[] = [];
  const timer = setInterval(() => memory.push(Deno.memoryUsage().rss / MiB), 250);
  const [cpu, begun] = [cpuSeconds(), performance.now()];
  const script = fileURLToPath(new URL("support/viewers.ts", import.meta.url));
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--allow-net",
      script,
      `${url.replace("http", "ws")}ws`,
      String(pages),
      String(width),
      String(seconds),
    ],
    stderr: "inherit",
  }).output();
  clearInterval(timer);
  const report = JSON.parse(new TextDecoder().decode(stdout)) as ViewersReport;
  const load = ((cpuSeconds() - cpu) / ((performance.now() - begun) / 1_000)) * 100;
  const middle = memory.length >> 1;
  const early = percentile(memory.slice(middle >> 1, middle), 0.5);
  const late = percentile(memory.slice(-(middle >> 1)), 0.5);
  return { ...report, load, growth: late - early, memory: late };
}

function row(name: string, seen: Awaited<ReturnType<typeof watched>>, seconds: number): void {
  print(
    `${name.padEnd(44)} ${seen.medianTile.toFixed(1).padStart(5)} fps a tile (slowest ` +
      `${seen.slowestTile.toFixed(1)})  age p50 ${seen.ageP50.toFixed(0)} p99 ` +
      `${seen.ageP99.toFixed(0)} ms  ${(seen.bytes / seconds / 1e6).toFixed(1)} MB/s  ` +
      `server ${seen.load.toFixed(0)} % of a core, ${seen.memory.toFixed(0)} MiB ` +
      `(${seen.growth >= 0 ? "+" : ""}${seen.growth.toFixed(1)})`,
  );
}

async function lanesAndPages(seconds: number, only: string): Promise<void> {
  const frames = await clipFrames({ quality: 75 });
  const size = frames.reduce((sum, { length }) => sum + length, 0) / frames.length;
  print(`Frames of 640×480, ${(size / 1_000).toFixed(0)} kB on average`);
  const trial = async (lanes: number, fps: number, pages: number, width: number) => {
    const feed = new SteadyLanes(frames, lanes, fps);
    const viewer = await startViewer({
      feed,
      metrics: () => Promise.resolve(""),
      topics: [],
      port: 0,
    });
    const seen = await watched(viewer.url, pages, width, seconds);
    const tile = width === 0 ? "full" : `${width} px`;
    row(`${lanes} lanes × ${fps} fps, ${pages} page(s), ${tile}`, seen, seconds);
    await viewer.stop();
    feed.stop();
  };
  if (only !== "pages") {
    await trial(64, 5, 1, 0);
    await trial(64, 5, 1, 240);
    await trial(64, 5, 4, 240);
  }
  if (only !== "lanes") {
    await trial(3, 5, 100, 0);
    await trial(3, 15, 100, 240);
  }
}

/** Three cameras through greyscale: capture to sink, alone and with pages that watch. */
async function queries(seconds: number): Promise<void> {
  const target = await embeddedLog();
  const topic = `viewer-${crypto.randomUUID()}`;
  await target.log.createTopic(topic, 3);
  let latencies: number[] = [];
  const driver = new Driver({
    log: target.log,
    logUrl: target.url,
    topic,
    queries: [{
      name: "greyscale",
      module: GREYSCALE,
      group: `bench-${crypto.randomUUID()}`,
      sinks: ["display"],
      source: { startingOffsets: "latest" },
    }],
    partitions: [0, 1, 2],
    report: print,
    onMeasurements: (_query, { endToEnd }) =>
      void latencies.push(...endToEnd.map((each) => each * 1_000)),
  });
  const viewer = await startViewer({
    feed: driver.feed,
    metrics: () => Promise.resolve(""),
    topics: [],
    port: 0,
  });
  await driver.start();
  const script = fileURLToPath(new URL("support/live_cameras.ts", import.meta.url));
  const cameras = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      ...["read", "write", "net", "env", "sys", "ffi"].map((kind) => `--allow-${kind}`),
      script,
      target.url,
      topic,
      "3",
      "15",
      String(4 * (seconds + 6)),
    ],
    stdout: "null",
  }).spawn();
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  const said = (name: string) => {
    const [p50, p99] = [percentile(latencies, 0.5), percentile(latencies, 0.99)];
    print(`${name.padEnd(44)} capture to sink p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} ms`);
  };
  latencies = [];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  said("3 queries × 15 fps, nobody looks");
  for (const pages of [1, 10, 100]) {
    latencies = [];
    const seen = await watched(viewer.url, pages, 0, seconds);
    said(`3 queries × 15 fps, ${pages} page(s)`);
    row("", seen, seconds);
  }
  cameras.kill();
  await cameras.status;
  await driver.stop();
  await viewer.stop();
  await target.close();
}

/** Runs the benchmark. */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { seconds: { type: "string", default: "10" }, only: { type: "string", default: "" } },
  });
  const seconds = Number(values.seconds);
  if (values.only !== "queries") await lanesAndPages(seconds, values.only);
  if (values.only === "" || values.only === "queries") await queries(seconds);
}
