// What video costs the viewer that stays video: clips, and a page that watches one camera.
import { cpuUsage } from "node:process";
import { FakeLanes } from "../tests/support/fake_lanes.ts";
import { TestPage } from "../tests/viewer/kit.ts";
import { clipOf } from "../viewer/clips.ts";
import { History } from "../viewer/history.ts";
import { LogFeed } from "../viewer/log_feed.ts";
import { startViewer } from "../viewer/viewer.ts";
import { print } from "./print.ts";
import { film, FILM_FPS as FPS } from "./support/film.ts";
import { embeddedLog } from "./support/logs.ts";
import { cost } from "./support/process_stats.ts";
import { spread } from "./support/stats.ts";

const TOPIC = "VideoStreaming";
const SECONDS = 60;

/** One minute of 1080p at about 4 Mbit/s, as the log holds it, as an MP4. */
export async function benchClip(rounds: number): Promise<void> {
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
    const { signal } = new AbortController();
    const times: number[] = [];
    const processor: number[] = [];
    let bytes = 0;
    // The first one loads FFmpeg.
    for (let round = 0; round <= rounds; round++) {
      const begin = performance.now();
      const before = cpuUsage();
      const body = clipOf(history, { lane: lane!, from: 0, to: frames - 1, signal }, print);
      bytes = 0;
      for await (const chunk of body) bytes += chunk.length;
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

/** What a page watches. */
const WATCHED = ["nothing", "access units", "JPEGs"] as const;

/**
 * What a page that watches one 1080p camera costs the server, of a core: beside a page that watches
 * nothing, since the camera and the page's socket are in this process too.
 */
export async function benchFocus(rounds: number): Promise<void> {
  const units = await film();
  const shares: Record<string, number[]> = {}, rates: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const watched of WATCHED) {
      const { share, rate } = await watch(units, watched);
      (shares[watched] ??= []).push(share);
      (rates[watched] ??= []).push(rate);
    }
  }
  for (const watched of WATCHED) {
    const more = shares[watched]!.map((share, i) => share - shares["nothing"]![i]!);
    print(
      `focus    ${watched}: ${spread(rates[watched]!, 1)} frames/s, ` +
        `${spread(shares[watched]!, 1)} % of a core, ${spread(more, 1)} more than for nothing`,
    );
  }
}

/** Percent of a core, and frames a second, while a page watches. */
async function watch(units: readonly Uint8Array[], watched: typeof WATCHED[number]) {
  const { log, close } = await embeddedLog();
  await log.createTopic(TOPIC, 1);
  const producer = await log.producer();
  let next = 0;
  const publish = () => {
    const value = units[next++ % units.length]!;
    const headers = { "content-type": "video/h264" };
    void producer.append(TOPIC, 0, [{ key: null, headers, timestamp: Date.now(), value }]);
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
  if (watched !== "nothing") {
    const video = watched === "access units";
    page.send({ type: "watch", tiles: [{ slot: 0, lane: "raw-0", width: 1_280, video }] });
  }
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  // A minute's frames, so that it is compiled as that of a server that has run for a while.
  let timer = setInterval(publish, 100 / FPS);
  await sleep(6_000);
  clearInterval(timer);
  timer = setInterval(publish, 1_000 / FPS);
  await sleep(1_000);
  const [before, began] = [page.pictures.length, performance.now()];
  const ms = await cost(1, () => sleep(8_000));
  const seconds = (performance.now() - began) / 1_000;
  const rate = (page.pictures.length - before) / seconds;
  clearInterval(timer);
  await page.close();
  await viewer.stop();
  await feed.close();
  await producer.close();
  await close();
  return { share: ms / seconds / 10, rate };
}
