// `deno task bench video`: what video costs that stays video, beside the JPEG way and Python.
import { decodeImage } from "../runtime/image/decode.ts";
import { asImage, pictureOf } from "../runtime/image/picture.ts";
import { AnnexBWriter } from "../runtime/video/annex_b.ts";
import { clipOf } from "../tests/support/clip.ts";
import { RtspServer } from "../tests/support/rtsp.ts";
import { bench as benchCameras } from "./cameras.ts";
import { drain, live } from "./pipeline.ts";
import { print } from "./print.ts";
import { codecLoop, WARM_UP } from "./support/codec_loop.ts";
import { film, filmJpegs, linked } from "./support/film.ts";
import { DECODED_CHANNEL, type DecodedCount } from "./support/decoded.ts";
import { benchLogs, fillTopic } from "./support/logs.ts";
import { optionsOf } from "./support/options.ts";
import { pythonPeer } from "./support/peer_packages.ts";
import { machine } from "./support/report.ts";
import { cost, cpuSeconds } from "./support/process_stats.ts";
import { type PeerRun, rateOf, Rates } from "./support/rates.ts";
import { SteadyTime } from "./support/steady_time.ts";
import { percentile, spread } from "./support/stats.ts";
import { benchClip, benchFocus } from "./video_page.ts";

const CORES = navigator.hardwareConcurrency;
const PEER = ["python_video.py", "models.txt"] as const;
const DECODED = new URL("./support/decoded.ts", import.meta.url).href;

/** What to measure, and how long. */
interface Options {
  readonly rounds: number;
  /** Of each partition. */
  readonly frames: number;
  readonly seconds: number;
  readonly cameras: number;
  readonly kafka: string;
  readonly log: string;
}

/** What one 1080p frame costs as an access unit, and as a JPEG, from the camera to an operator's pixels. */
async function benchFrame({ rounds }: Options): Promise<void> {
  const peer = await pythonPeer(...PEER);
  const units = await film();
  const jpegs = await filmJpegs(units, 20);
  const path = await Deno.makeTempFile({ suffix: ".h264" });
  await Deno.writeFile(path, new Blob(units as Uint8Array<ArrayBuffer>[]).stream());
  const rows: Record<string, number[]> = {};
  let stored = 0;
  for (let round = 0; round <= rounds; round++) {
    const writer = new AnnexBWriter("h264");
    const copied = await cost(units.length, () => {
      stored = units.reduce((sum, unit) => sum + writer.write(unit).bytes.length, 0);
    });
    const { frames, close } = linked(units);
    const decoded = await cost(units.length, async () => {
      for (const frame of frames) (await pictureOf(frame)).release();
    });
    await close();
    const again = linked(units.slice(0, 20));
    const encoded = await cost(20, async () => {
      for (const frame of again.frames) await asImage(frame);
    });
    await again.close();
    const image = await cost(20, async () => {
      for (const value of jpegs) (await decodeImage(value, 3)).release();
    });
    const theirs = await peer<Record<"copy" | "decode" | "jpeg", number>>("frame", path);
    // The first round warms up.
    if (round === 0) continue;
    const figures = {
      "camera: units as they come": copied,
      "camera: decoded and made JPEGs": encoded,
      "camera in Python: taken apart into units": theirs.copy,
      "camera in Python: decoded and made JPEGs": theirs.jpeg,
      "to pixels: a unit": decoded,
      "to pixels: a JPEG": image,
      "to pixels in Python: a unit": theirs.decode,
    };
    for (const [name, ms] of Object.entries(figures)) (rows[name] ??= []).push(ms);
  }
  await Deno.remove(path);
  const size = (list: readonly Uint8Array[]) =>
    list.reduce((sum, { length }) => sum + length, 0) / list.length / 1000;
  print("frame    milliseconds of processor for each 1080p frame, median (lowest–highest):");
  for (const [name, ms] of Object.entries(rows)) print(`         ${name}: ${spread(ms, 3)}`);
  print(
    `         bytes: ${size(units).toFixed(1)} kB as a unit (${
      (stored / units.length / 1000 / size(units)).toFixed(3)
    } of the stream's), ${size(jpegs).toFixed(1)} kB as a JPEG`,
  );
}

/** A backlog decoded by a query on all cores, beside the bare decoder and Python. */
async function benchBacklog({ rounds, frames: count, kafka, log: only }: Options): Promise<void> {
  const peer = await pythonPeer(...PEER);
  const units = await film(), jpegs = await filmJpegs(units, 50);
  const targets = await benchLogs({ only, kafka });
  const rates = new Rates();
  const lanes = { query: "decoded", partitions: CORES, executors: CORES, report: () => {} };
  let steady = new SteadyTime();
  const channel = new BroadcastChannel(DECODED_CHANNEL);
  channel.onmessage = ({ data: { partition, count } }: MessageEvent<DecodedCount>) =>
    steady.reported(partition, count);
  try {
    for (const { log } of targets) {
      await fillTopic(log, "units", CORES, count, units, "video/h264");
      // A JPEG is twenty times as large, and takes several times as long.
      await fillTopic(log, "jpegs", CORES, Math.ceil(count / 8), jpegs);
    }
    for (let round = 0; round <= rounds; round++) {
      if (round === 1) rates.clear(); // the first one warms up
      const before = cpuSeconds();
      const total = count * CORES;
      const rate = await codecLoop(units, total, "h264");
      const ms = (cpuSeconds() - before) * 1000 / (total + WARM_UP * CORES);
      rates.add("bare decoder", { rate, ms });
      for (const target of targets) {
        for (const topic of ["units", "jpegs"]) {
          steady = new SteadyTime();
          await drain(target, topic, DECODED, lanes);
          rates.add(`${topic}, ${target.name}`, steady.rate());
        }
        if (target.name !== "kafka") continue;
        const args = [target.url.replace("kafka://", ""), "units", `${CORES}`, `${total}`];
        rates.add("units, Python on kafka", rateOf(await peer<PeerRun>("decode", ...args)));
      }
    }
  } finally {
    channel.close();
    for (const target of targets) await target.close();
  }
  print(`backlog  1080p, ${CORES} cores, median (lowest–highest):`);
  rates.print(["bare decoder"]);
}

/** Three cameras live, capture to sink: units and JPEGs. */
async function benchLive({ rounds, seconds, kafka, log: only }: Options): Promise<void> {
  for (const target of await benchLogs({ only, kafka })) {
    const late: Record<"units" | "jpegs", number[]> = { units: [], jpegs: [] };
    for (let round = 0; round < rounds; round++) {
      for (const kind of ["units", "jpegs"] as const) {
        const all = await live(target, seconds, DECODED, { film: kind });
        // The first second warms up.
        late[kind].push(...all.slice(3 * 15));
      }
    }
    await target.close();
    for (const [kind, all] of Object.entries(late)) {
      print(
        `live     ${kind}, ${target.name}: capture to sink p50 ${
          percentile(all, 0.5).toFixed(0)
        } ms, p99 ${percentile(all, 0.99).toFixed(0)} ms, ${all.length} frames of 3 cameras × 15`,
      );
    }
  }
}

/** RTSP cameras of 1080p × 15 in this process; GStreamer's server has one of its own. */
async function benchRtsp({ seconds, cameras }: Options): Promise<void> {
  const units = await film(), repeated = Array.from({ length: 10 }, () => units).flat();
  const { frames, close } = linked(repeated, 15);
  const path = await Deno.makeTempFile({ suffix: ".mp4" });
  await Deno.writeFile(path, await clipOf(frames));
  await close();
  const server = await RtspServer.start(path);
  try {
    const url = `rtsp://127.0.0.1:${server.port}/clip`;
    const given = { cameras, fps: 0, seconds: 20 + seconds, source: url, size: "", log: "" };
    await benchCameras(Object.entries(given).flatMap(([name, value]) => [`--${name}`, `${value}`]));
  } finally {
    await server.kill();
    await Deno.remove(path);
  }
}

const PARTS: Readonly<Record<string, (options: Options) => Promise<void>>> = {
  frame: benchFrame,
  backlog: benchBacklog,
  live: benchLive,
  rtsp: benchRtsp,
  clip: ({ rounds }) => benchClip(rounds),
  focus: ({ rounds }) => benchFocus(rounds),
};

export async function bench(args: readonly string[]): Promise<void> {
  const { only, ...options } = optionsOf(args, {
    rounds: 5,
    frames: 2000,
    seconds: 20,
    cameras: 50,
    kafka: "",
    log: "",
    only: "",
  });
  print(machine());
  for (const [name, run] of Object.entries(PARTS)) {
    if (only === "" || only === name) await run(options);
  }
  print(machine());
}
