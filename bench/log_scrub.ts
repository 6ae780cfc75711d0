// A wall that scrubs through a long embedded log while cameras append to it: from the request for a moment to its picture.
// The log is made by appends, of real pictures; the viewer is a process of its own, the page its socket.
import { join } from "node:path";
import { openLog } from "../runtime/log/open.ts";
import { FramelaneProcess } from "../tests/support/framelane.ts";
import {
  decodePicture,
  type PageMessage,
  type PictureMessage,
  type ServerMessage,
} from "../viewer/protocol.ts";
import { clipFrames } from "./frames.ts";
import { print } from "./print.ts";
import { startLiveCameras } from "./support/live_cameras.ts";
import { processStats } from "./support/process_stats.ts";
import { table } from "./support/report.ts";
import { percentile } from "./support/stats.ts";

const TOPIC = "VideoStreaming";
const [CAMERAS, FPS, MOMENTS, PROBE_MS] = [16, 15, 300, 20];
const kept = `?retention-bytes=${2 ** 40}&retention-ms=${2 ** 40}`;

/** Rows of a table: what a page and others of the viewer notice. */
export async function measureScrub(folder: string, gigabytes: number): Promise<string[]> {
  const url = `embedded:${join(folder, "scrub")}${kept}`;
  const frames = await clipFrames({ width: 640, height: 480 });
  const { first, count } = await fill(url, frames, gigabytes * 1e9);
  const live = { topic: TOPIC, cameras: CAMERAS, fps: FPS, seconds: 3_600 };
  const cameras = startLiveCameras({ url }, live);
  const viewer = new FramelaneProcess(["viewer", "--log", url, "--port", "0"]);
  try {
    await viewer.until("its address", ({ said }) => said.some((line) => line.startsWith("http")));
    const address = viewer.said.find((line) => line.startsWith("http"))!.trim();
    const rows: string[][] = [];
    const calm = await beside(address, () => pause(5_000));
    rows.push(["no scrubbing", "", "", "", "", ...calm.figures]);
    for (const width of [0, 480]) {
      const page = await Page.open(address, width);
      const used = processStats(viewer.pid).cpuSeconds;
      const moments = await beside(address, () => page.scrub(first, count));
      page.close();
      const ms = [0.5, 0.99, 1].map((share) => percentile(moments.result, share).toFixed(1));
      const name = `${MOMENTS} moments, ${width === 0 ? "pictures as they are" : `${width} wide`}`;
      const cpuMs = (processStats(viewer.pid).cpuSeconds - used) * 1_000 / MOMENTS;
      rows.push([name, ...ms, cpuMs.toFixed(1), ...moments.figures]);
    }
    return [
      `${gigabytes} GB, ${count} frames of one camera; ${CAMERAS} others append ${FPS} frames/s each.`,
      "",
      ...table(
        [
          ...["page", "picture there p50 ms", "p99 ms", "longest ms"],
          "viewer CPU ms",
          ...["/healthz p50 ms", "p99 ms", "longest ms"],
        ],
        rows,
      ),
    ];
  } finally {
    await viewer.kill();
    cameras.kill();
    await cameras.status;
  }
}

/** What other requests take meanwhile. */
async function beside<T>(address: string, work: () => Promise<T>) {
  const health: number[] = [];
  let working = true;
  const probe = (async () => {
    while (working) {
      const from = performance.now();
      await (await fetch(`${address}healthz`)).text();
      health.push(performance.now() - from);
      await pause(PROBE_MS);
    }
  })();
  const result = await work();
  working = false;
  await probe;
  return { result, figures: [0.5, 0.99, 1].map((share) => percentile(health, share).toFixed(1)) };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** An hour of frames after the other, until the log is as large as wanted. */
async function fill(url: string, frames: readonly Uint8Array[], bytes: number) {
  const log = await openLog(url);
  await log.createTopic(TOPIC, CAMERAS + 1);
  const producer = await log.producer();
  const size = frames.reduce((sum, { length }) => sum + length, 0) / frames.length;
  const count = Math.ceil(bytes / size);
  const interval = Math.round(1_000 / FPS);
  const first = Date.now() - count * interval;
  for (let from = 0; from < count; from += 32) {
    const records = Array.from({ length: Math.min(32, count - from) }, (_, i) => ({
      key: `CAMERA-${CAMERAS + 1}`,
      value: frames[(from + i) % frames.length]!,
      timestamp: first + (from + i) * interval,
      headers: { "content-type": "image/jpeg" },
    }));
    await producer.append(TOPIC, CAMERAS, records);
  }
  await producer.close();
  await log.close();
  print(`The log holds ${count} frames`);
  return { first, count };
}

/** A page with one tile, which asks for one moment after the other, as a wall does. */
class Page {
  readonly #socket: WebSocket;
  readonly #lane: string;
  #generation = 0;
  #came: ((picture: PictureMessage) => void) | undefined;

  private constructor(socket: WebSocket, lane: string) {
    this.#socket = socket;
    this.#lane = lane;
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") return;
      const picture = decodePicture(data);
      this.#send({ type: "drawn", tiles: [[picture.slot, picture.sequence]] });
      if (picture.generation === this.#generation) this.#came?.(picture);
    };
  }

  static async open(address: string, width: number): Promise<Page> {
    const socket = new WebSocket(`${address.replace("http", "ws")}ws`);
    socket.binaryType = "arraybuffer";
    const lane = await new Promise<string>((resolve, reject) => {
      socket.onerror = () => reject(new Error(`Cannot open a page of ${address}`));
      socket.onmessage = ({ data }) => {
        const message = typeof data === "string" ? JSON.parse(data) as ServerMessage : undefined;
        if (message?.type !== "lanes") return;
        const found = message.lanes.find(({ partition }) => partition === CAMERAS);
        if (found !== undefined) resolve(found.id);
      };
    });
    const page = new Page(socket, lane);
    page.#send({ type: "watch", tiles: [{ slot: 0, lane, width }] });
    return page;
  }

  /** Jumps to moments all over the log; returns how long each picture took, milliseconds. */
  async scrub(first: number, count: number): Promise<number[]> {
    const taken: number[] = [];
    for (let i = 0; i < MOMENTS; i++) {
      const offset = Math.floor(Math.random() * count);
      const time = first + offset * Math.round(1_000 / FPS);
      const came = new Promise<PictureMessage>((resolve) => this.#came = resolve);
      const from = performance.now();
      const command = { action: "jump", lead: this.#lane, time } as const;
      this.#send({ type: "time", generation: ++this.#generation, command });
      const picture = await came;
      taken.push(performance.now() - from);
      if (picture.offset !== offset) throw new Error(`Saw ${picture.offset}, not ${offset}`);
    }
    return taken;
  }

  close(): void {
    this.#socket.close();
  }

  #send(message: PageMessage): void {
    this.#socket.send(JSON.stringify(message));
  }
}
