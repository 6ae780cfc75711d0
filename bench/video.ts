/**
 * `deno task bench video`: what video costs that stays video.
 *
 *     deno task bench video [--rounds 5] [--only clip]
 *
 * @module
 */
import { clipsFrom } from "../viewer/clips.ts";
import { History } from "../viewer/history.ts";
import { accessUnits } from "../tests/support/access_units.ts";
import { FakeLanes } from "../tests/support/fake_lanes.ts";
import { cpuUsage } from "node:process";
import { print } from "./print.ts";
import { embeddedLog } from "./support/logs.ts";
import { optionsOf } from "./support/options.ts";
import { spread } from "./support/stats.ts";

const TOPIC = "VideoStreaming";
const FPS = 25;
const SECONDS = 60;

/** One minute of 1080p at about 4 Mbit/s, as the log holds it, as an MP4. */
async function benchClip(rounds: number): Promise<void> {
  const units = await accessUnits({
    frames: 6 * FPS,
    gop: 2 * FPS,
    width: 1920,
    height: 1080,
    parameters: "bitrate=4000:vbv-maxrate=4000:vbv-bufsize=4000",
  });
  const { log, close } = await embeddedLog();
  const history = new History({ log });
  try {
    await log.createTopic(TOPIC, 1);
    const producer = await log.producer();
    const frames = SECONDS * FPS;
    for (let at = 0; at < frames; at += units.length) {
      const records = units.map((value, i) => ({
        key: null,
        value,
        timestamp: 1_700_000_000_000 + (at + i) * (1_000 / FPS),
        headers: { "content-type": "video/h264" },
      }));
      await producer.append(TOPIC, 0, records);
    }
    await producer.close();
    const [lane] = new FakeLanes({ count: 1 }).lanes();
    const clips = clipsFrom(history, print);
    const { signal } = new AbortController();
    const times: number[] = [];
    const processor: number[] = [];
    let bytes = 0;
    // The first one loads FFmpeg.
    for (let round = 0; round <= rounds; round++) {
      const begin = performance.now();
      const before = cpuUsage();
      const body = await clips({ lane: lane!, from: 0, to: frames - 1, signal });
      bytes = 0;
      for await (const chunk of body as ReadableStream<Uint8Array>) bytes += chunk.length;
      if (round === 0) continue;
      times.push(performance.now() - begin);
      const { user, system } = cpuUsage(before);
      processor.push((user + system) / 1_000);
    }
    const megabytes = (bytes / 1e6).toFixed(1);
    print(`clip     ${SECONDS} s of 1080p${FPS}, ${megabytes} MB, without encoding:`);
    print(`         ${spread(times)} ms, ${spread(processor)} ms of processor`);
  } finally {
    await history.close();
    await close();
  }
}

const PARTS: Readonly<Record<string, (rounds: number) => Promise<void>>> = { clip: benchClip };

/** Runs the parts. */
export async function bench(args: readonly string[]): Promise<void> {
  const { rounds, only } = optionsOf(args, { rounds: 5, only: "" });
  for (const [name, run] of Object.entries(PARTS)) {
    if (only === "" || only === name) await run(rounds);
  }
}
