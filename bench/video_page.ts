// What video that stays video costs: a clip, and a server whose page watches one camera.
import { FakeLanes } from "../tests/support/fake_lanes.ts";
import { FramelaneProcess } from "../tests/support/framelane.ts";
import { TestPage } from "../tests/viewer/kit.ts";
import { freePort } from "../tools/kafka/probe.ts";
import { clipOf } from "../viewer/clips.ts";
import { History } from "../viewer/history.ts";
import { print } from "./print.ts";
import { film, FILM_FPS as FPS } from "./support/film.ts";
import { embeddedLog, fillTopic } from "./support/logs.ts";
import { cpuSeconds, processStats } from "./support/process_stats.ts";
import { spread } from "./support/stats.ts";

const TOPIC = "VideoStreaming";
const SECONDS = 60;

/** One minute of 1080p at about 4 Mbit/s, as the log holds it, as an MP4. */
export async function benchClip(rounds: number): Promise<void> {
  const units = await film();
  const { log, close } = await embeddedLog();
  const history = new History({ log });
  try {
    const frames = SECONDS * FPS;
    await fillTopic(log, TOPIC, 1, frames, units, "video/h264", FPS);
    const [lane] = new FakeLanes({ count: 1 }).lanes();
    const { signal } = new AbortController();
    const times: number[] = [], processor: number[] = [];
    let bytes = 0;
    // The first one loads FFmpeg.
    for (let round = 0; round <= rounds; round++) {
      const [begin, before] = [performance.now(), cpuSeconds()];
      const body = clipOf(history, { lane: lane!, from: 0, to: frames - 1, signal }, print);
      bytes = 0;
      for await (const chunk of body) bytes += chunk.length;
      if (round === 0) continue;
      times.push(performance.now() - begin);
      processor.push((cpuSeconds() - before) * 1_000);
    }
    print(
      `clip     ${SECONDS} s of 1080p${FPS}, ${(bytes / 1e6).toFixed(1)} MB, without encoding:`,
    );
    print(`         ${spread(times)} ms, ${spread(processor)} ms of processor`);
  } finally {
    await history.close();
    await close();
  }
}

/** What a page does. */
const PAGES = ["no page", "access units", "JPEGs"] as const;
/** How often the page confirms what it has drawn, milliseconds. */
const CONFIRM_MS = 200;

/** What `deno task queries` with one 1080p camera takes of a core, and a page that watches that camera. */
export async function benchFocus(rounds: number): Promise<void> {
  const { log, url, close } = await embeddedLog();
  await log.createTopic(TOPIC, 1);
  const producer = await log.producer();
  const units = await film();
  let next = 0;
  const publish = () => {
    const value = units[next % units.length]!;
    const headers = { "content-type": "video/h264", session: "bench", seq: String(next++) };
    void producer.append(TOPIC, 0, [{ key: null, headers, timestamp: Date.now(), value }]);
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  /** Frames that this busy thread is late with come together. */
  const play = (fps: number) => {
    clearInterval(timer);
    let due = performance.now();
    timer = setInterval(() => {
      for (; due <= performance.now(); due += 1_000 / fps) publish();
    }, 1_000 / fps);
  };
  play(FPS);
  const port = freePort();
  const args = ["--log", url, "--checkpoint", `${url.slice("embedded:".length)}-checkpoints`];
  const server = new FramelaneProcess(["queries", "passthrough", "--port", `${port}`, ...args]);
  try {
    await server.until("the viewer", ({ said }) => said.some((line) => line.includes(`:${port}`)));
    // A minute's frames, so that it is compiled as a server that has run for a while.
    play(10 * FPS);
    await sleep(6_000);
    play(FPS);
    const shares: Record<string, number[]> = {}, rates: Record<string, number[]> = {};
    for (let round = 0; round < rounds; round++) {
      for (const page of PAGES) {
        const { share, rate } = await watch(server.pid, port, page);
        (shares[page] ??= []).push(share);
        (rates[page] ??= []).push(rate);
      }
    }
    for (const page of PAGES) {
      print(
        `focus    ${page}: ${spread(rates[page]!, 1)} frames/s, ${
          spread(shares[page]!, 1)
        } % of a core`,
      );
    }
  } finally {
    clearInterval(timer);
    await server.stop();
    await producer.close();
    await close();
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Percent of a core that the server takes, and pictures a second, while a page watches. */
async function watch(pid: number, port: number, what: typeof PAGES[number]) {
  const page = what === "no page"
    ? undefined
    : await TestPage.open({ url: `http://127.0.0.1:${port}/` });
  if (page !== undefined) page.draws = false;
  const confirming = setInterval(() => {
    const newest = page?.newest(0);
    if (newest !== undefined) page!.draw(newest);
  }, what === "JPEGs" ? 1_000 / FPS : CONFIRM_MS);
  const video = what === "access units";
  page?.send({
    type: "watch",
    tiles: [{ lane: "passthrough-0", width: 1_280, video }],
  });
  await sleep(2_000);
  const taken = () => processStats(pid).cpuSeconds;
  const [before, began, used] = [page?.pictures.length ?? 0, performance.now(), taken()];
  await sleep(8_000);
  const seconds = (performance.now() - began) / 1_000;
  const share = (taken() - used) * 100 / seconds;
  const rate = ((page?.pictures.length ?? 0) - before) / seconds;
  clearInterval(confirming);
  await page?.close();
  return { share, rate };
}
