// `deno task bench video`: what video costs that stays video.
import type { Frame } from "../runtime/definition/frame.ts";
import { decodeImage } from "../runtime/image/decode.ts";
import { asImage, pictureOf } from "../runtime/image/picture.ts";
import { AnnexBWriter } from "../runtime/video/annex_b.ts";
import { GroupTracker } from "../runtime/video/groups.ts";
import { clipsFrom } from "../viewer/clips.ts";
import { History } from "../viewer/history.ts";
import { LogFeed } from "../viewer/log_feed.ts";
import { startViewer } from "../viewer/viewer.ts";
import { accessUnits } from "../tests/support/access_units.ts";
import { FakeLanes } from "../tests/support/fake_lanes.ts";
import { TestPage } from "../tests/viewer/kit.ts";
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
  const units = await film();
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

/** Milliseconds of processor that each of `count` things takes. */
async function cost(count: number, run: () => Promise<void> | void): Promise<number> {
  const before = cpuUsage();
  await run();
  const { user, system } = cpuUsage(before);
  return (user + system) / 1_000 / count;
}

/** What one 1080p frame costs as an access unit, and as a JPEG, from the camera to an operator's pixels. */
async function benchFrame(rounds: number): Promise<void> {
  const units = await film();
  const jpegs: Uint8Array[] = [];
  const bytes: number[] = [];
  const rows: Record<string, number[]> = { copy: [], jpeg: [], unit: [], image: [] };
  for (let round = 0; round <= rounds; round++) {
    const writer = new AnnexBWriter("h264");
    const copy = await cost(units.length, () => {
      for (const unit of units) writer.write(unit);
    });
    const tracker = new GroupTracker(print);
    const frames = units.map((value, offset) => frameOf(value.slice(), offset, "video/h264"));
    for (const frame of frames) tracker.take(frame);
    const unit = await cost(units.length, async () => {
      for (const frame of frames) (await pictureOf(frame)).release();
    });
    const jpeg = unit + await cost(20, async () => {
      for (const frame of frames.slice(0, 20)) jpegs.push((await asImage(frame)).value);
    });
    await tracker.close();
    const image = await cost(20, async () => {
      for (const value of jpegs.splice(0, 20)) {
        (await decodeImage(value, 3)).release();
        if (round === rounds) bytes.push(value.length);
      }
    });
    if (round > 0) {
      for (const [name, ms] of Object.entries({ copy, jpeg, unit, image })) rows[name]!.push(ms);
    }
  }
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const size = mean(units.map(({ length }) => length));
  print(`frame    milliseconds of processor for each 1080p frame, median (lowest–highest):`);
  print(`         camera: copied ${spread(rows["copy"]!, 3)}, as JPEG ${spread(rows["jpeg"]!, 1)}`);
  print(
    `         to pixels: of the unit ${spread(rows["unit"]!, 1)}, of the JPEG ${
      spread(rows["image"]!, 1)
    }`,
  );
  print(
    `         bytes: ${(size / 1e3).toFixed(1)} kB as a unit, ${
      (mean(bytes) / 1e3).toFixed(1)
    } kB as a JPEG`,
  );
}

/** What a page that watches one 1080p camera costs the server, of a core: units, and JPEGs. */
async function benchFocus(rounds: number): Promise<void> {
  const units = await film();
  for (const video of [true, false]) {
    const shares: number[] = [];
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const { log, close } = await embeddedLog();
      await log.createTopic(TOPIC, 1);
      const producer = await log.producer();
      let next = 0;
      const publish = () => {
        const { key, headers } = frameOf(new Uint8Array(), 0, "video/h264");
        const record = {
          key,
          headers,
          timestamp: Date.now(),
          value: units[next++ % units.length]!,
        };
        void producer.append(TOPIC, 0, [record]);
      };
      publish();
      const feed = new LogFeed({ log, topics: [TOPIC] });
      await feed.start();
      const viewer = await startViewer({
        feed,
        log,
        topics: [TOPIC],
        metrics: () => Promise.resolve(""),
        port: 0,
      });
      const page = await TestPage.open(viewer);
      page.send({ type: "watch", tiles: [{ slot: 0, lane: "raw-0", width: 1_280, video }] });
      const timer = setInterval(publish, 1_000 / FPS);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const [before, began] = [page.pictures.length, performance.now()];
      const ms = await cost(1, () => new Promise<void>((resolve) => setTimeout(resolve, 8_000)));
      const seconds = (performance.now() - began) / 1_000;
      shares.push(ms / seconds / 10);
      rates.push((page.pictures.length - before) / seconds);
      clearInterval(timer);
      await page.close();
      await viewer.stop();
      await feed.close();
      await producer.close();
      await close();
    }
    print(
      `focus    ${video ? "access units" : "JPEGs"}: ${spread(rates, 1)} frames/s, ${
        spread(shares, 1)
      } % of a core, with the camera and the page's socket`,
    );
  }
}

function film(): Promise<Uint8Array[]> {
  return accessUnits({
    frames: 6 * FPS,
    gop: 2 * FPS,
    width: 1920,
    height: 1080,
    parameters: "bitrate=4000:vbv-maxrate=4000:vbv-bufsize=4000",
  });
}

function frameOf(value: Uint8Array, offset: number, contentType: string): Frame {
  const headers = { "content-type": contentType };
  return { topic: TOPIC, partition: 0, offset, timestamp: offset * 40, key: null, headers, value };
}

const PARTS: Readonly<Record<string, (rounds: number) => Promise<void>>> = {
  clip: benchClip,
  frame: benchFrame,
  focus: benchFocus,
};

export async function bench(args: readonly string[]): Promise<void> {
  const { rounds, only } = optionsOf(args, { rounds: 5, only: "" });
  for (const [name, run] of Object.entries(PARTS)) {
    if (only === "" || only === name) await run(rounds);
  }
}
