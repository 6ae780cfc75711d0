// What queries notice of the pages that watch them: of one with many lanes, and of many pages.
import { fileURLToPath } from "node:url";
import { startViewer } from "../viewer/mod.ts";
import { print } from "./print.ts";
import { embeddedLog } from "./support/logs.ts";
import { oneQuery } from "./support/one_query.ts";
import { optionsOf } from "./support/options.ts";
import { politeSeconds, taskSeconds } from "./support/process_stats.ts";
import { startLiveCameras } from "./support/live_cameras.ts";
import { median, percentile, spread } from "./support/stats.ts";
import type { ViewersReport } from "./support/viewers.ts";

/** Pages in another process. `ready` comes when all of them watch, `report` at the end. */
function openPages(url: string, pages: number, width: number, seconds: number) {
  const script = fileURLToPath(new URL("support/viewers.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
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
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const ready = Promise.withResolvers<void>();
  const report = (async () => {
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes("\n")) ready.resolve();
    }
    await child.status;
    return JSON.parse(text.trim().split("\n").at(-1)!) as ViewersReport;
  })();
  return { pid: child.pid, ready: ready.promise, report };
}

/** Cameras through greyscale: capture to sink, by turns alone and with pages that watch. */
async function queries(
  { lanes, fps, pages, width, seconds, rounds }: Readonly<
    Record<"lanes" | "fps" | "pages" | "width" | "seconds" | "rounds", number>
  >,
): Promise<void> {
  const target = await embeddedLog();
  const topic = `viewer-${crypto.randomUUID()}`;
  await target.log.createTopic(topic, lanes);
  let latencies: number[] = [];
  const driver = oneQuery(target, {
    topic,
    query: "greyscale",
    startingOffsets: "latest",
    onLatencies: (milliseconds) => void latencies.push(...milliseconds),
  });
  const viewer = await startViewer({
    feed: driver.feed,
    metrics: () => Promise.resolve(""),
    topics: [],
    port: 0,
  });
  await driver.start();
  const cameras = startLiveCameras(target, {
    topic,
    cameras: lanes,
    fps,
    seconds: rounds * 2 * (seconds + 8) + 10,
  });
  await pause(5);
  const phases: Record<"alone" | "watched", Phase[]> = { alone: [], watched: [] };
  const seen: ViewersReport[] = [];
  const measure = async (viewers?: number): Promise<Phase> => {
    const before = usage(cameras.pid, viewers);
    latencies = [];
    await pause(seconds);
    const after = usage(cameras.pid, viewers);
    return {
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      cores: after.map((each, index) => (each - before[index]!) / seconds),
    };
  };
  for (let round = 0; round < rounds; round++) {
    phases.alone.push(await measure());
    // A little longer, so that they are there to be looked at when the phase ends.
    const opened = openPages(viewer.url, pages, width, seconds + 1);
    await opened.ready;
    phases.watched.push(await measure(opened.pid));
    seen.push(await opened.report);
    await pause(1);
  }
  const name = `${lanes} queries × ${fps} fps`;
  const report = (who: string, which: readonly Phase[]) => {
    const middle = (pick: (phase: Phase) => number) => median(which.map(pick));
    const [main, executors, small, camera, page] = [0, 1, 2, 3, 4].map((at) =>
      middle(({ cores }) => cores[at]!).toFixed(2)
    );
    print(
      `${`${name}, ${who}`.padEnd(44)} capture to sink p50 ` +
        `${middle(({ p50 }) => p50).toFixed(1)} p99 ${
          spread(which.map(({ p99 }) => p99), 1)
        } ms  ` +
        `cores: driver ${main}, executors ${executors}, small pictures ${small}, cameras ${camera}, pages ${page}`,
    );
  };
  report("no viewer", phases.alone);
  report(`${pages} page(s)`, phases.watched);
  // Of each round by itself: what else the machine does changes from one to the next.
  const ratio = spread(phases.watched.map(({ p99 }, at) => p99 / phases.alone[at]!.p99), 2);
  const all = (pick: (report: ViewersReport) => number) => median(seen.map(pick)).toFixed(1);
  print(
    `${"".padEnd(44)} p99 × ${ratio}; ${all(({ medianTile }) => medianTile)} fps a ` +
      `tile (slowest ${all(({ slowestTile }) => slowestTile)}), age p50 ${
        all(({ ageP50 }) => ageP50)
      } p99 ${all(({ ageP99 }) => ageP99)} ms, ` +
      `${all(({ bytes }) => bytes / (seconds + 1) / 1e6)} MB/s`,
  );
  cameras.kill();
  await cameras.status;
  await driver.stop();
  await viewer.stop();
  await target.close();
}

interface Phase {
  /** Capture to sink, milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Processor time by second, of what `usage` lists. */
  readonly cores: readonly number[];
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}

/**
 * Processor seconds so far of this process's main thread, its executors, the thread of its small
 * pictures, cameras and pages.
 */
function usage(cameras: number, pages: number | undefined): number[] {
  const main = taskSeconds(`/proc/${Deno.pid}/task/${Deno.pid}/stat`);
  const small = politeSeconds(Deno.pid);
  return [
    main,
    taskSeconds(`/proc/${Deno.pid}/stat`) - main - small,
    small,
    taskSeconds(`/proc/${cameras}/stat`),
    pages === undefined ? 0 : taskSeconds(`/proc/${pages}/stat`),
  ];
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, { seconds: 10, rounds: 3, only: "" });
  const { seconds, rounds, only } = values;
  if (only === "" || only === "queries") {
    await queries({ lanes: 3, fps: 15, pages: 100, width: 0, seconds, rounds });
  }
  if (only === "" || only === "many") {
    await queries({ lanes: 64, fps: 5, pages: 1, width: 240, seconds, rounds });
  }
}
