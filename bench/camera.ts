// `deno task bench camera`: what of the bare speed of decoding and encoding a camera brings into the
// log. Every round plays the same film through each of them, one after the other, so that the ratios
// hold however busy the machine is.
import { Buffer } from "node:buffer";
import { cpuUsage } from "node:process";
import jpegTurbo from "@julusian/jpeg-turbo";
import {
  AV_LOG_QUIET,
  AV_PIX_FMT_RGB0,
  AVMEDIA_TYPE_VIDEO,
  Codec,
  CodecContext,
  FormatContext,
  Frame,
  Log,
  Packet,
  SoftwareScaleContext,
} from "node-av";
import { launchCamera } from "../cameras/launch.ts";
import { VideoFileSource } from "../cameras/sources/file.ts";
import { ProgressBar } from "../cli/progress_bar.ts";
import { systemClock } from "../runtime/base/clock.ts";
import { openLog } from "../runtime/log/open.ts";
import { print } from "./print.ts";
import { optionsOf } from "./support/options.ts";
import { median } from "./support/stats.ts";

interface Way {
  readonly name: string;
  run(): Promise<number>;
}

/** Frames that a round plays; the film is looped. */
const FRAMES = 1_000;

/**
 * Decoding on this thread with FFmpeg's own threads, encoding on the pool, memory reused: nothing
 * but the codecs, and the fastest of the arrangements that were tried.
 */
async function bareLoop(file: string, frames: number): Promise<number> {
  Log.setLevel(AV_LOG_QUIET);
  const inFlight = 6;
  const quality = 80;
  let slots: ReturnType<typeof slot>[] = [];
  let count = 0;
  const begin = performance.now();
  while (count < frames) {
    const format = new FormatContext();
    format.allocContext();
    await format.openInput(file);
    await format.findStreamInfo(null);
    const index = format.findBestStream(AVMEDIA_TYPE_VIDEO);
    const { codecpar } = format.streams[index]!;
    const decoder = new CodecContext();
    const codec = Codec.findDecoder(codecpar.codecId);
    decoder.allocContext3(codec);
    decoder.parametersToContext(codecpar);
    decoder.threadCount = navigator.hardwareConcurrency;
    await decoder.open2(codec, null);
    if (slots.length === 0) {
      slots = Array.from({ length: inFlight }, () => slot(codecpar.width, codecpar.height));
    }
    const packet = new Packet();
    packet.alloc();
    const drain = async () => {
      while (count < frames) {
        const place = slots[count % inFlight]!;
        await place.busy;
        if (decoder.receiveFrameSync(place.source) < 0) return;
        count++;
        place.busy = place.encode(quality);
      }
    };
    while (count < frames && format.readFrameSync(packet) >= 0) {
      if (packet.streamIndex === index) {
        decoder.sendPacketSync(packet);
        await drain();
      }
      packet.unref();
    }
    decoder.sendPacketSync(null);
    await drain();
    packet.free();
    decoder.freeContext();
    await format.closeInput();
  }
  await Promise.all(slots.map(({ busy }) => busy));
  const seconds = (performance.now() - begin) / 1000;
  for (const { free } of slots) free();
  return frames / seconds;
}

/** Memory for one frame on its way. */
function slot(width: number, height: number) {
  const target = new Frame();
  target.alloc();
  target.width = width;
  target.height = height;
  target.format = AV_PIX_FMT_RGB0;
  target.getBuffer(1);
  const data = target.data![0]!;
  const scaler = new SoftwareScaleContext();
  scaler.allocContext();
  const source = new Frame();
  source.alloc();
  const out = Buffer.allocUnsafe(
    jpegTurbo.bufferSize({ width, height, subsampling: jpegTurbo.SAMP_420 }),
  );
  return {
    source,
    busy: Promise.resolve(),
    async encode(quality: number) {
      scaler.scaleFrameSync(target, source);
      source.unref();
      await jpegTurbo.compress(data, out, {
        format: jpegTurbo.FORMAT_RGBA,
        width,
        height,
        quality,
        subsampling: jpegTurbo.SAMP_420,
      });
    },
    free() {
      target.free();
      source.free();
      scaler.freeContext();
    },
  };
}

/** The camera, as `deno task camera --fps max` runs it. */
async function cameraInto(url: string, topic: string, file: string): Promise<number> {
  const log = await openLog(url);
  try {
    const { ended } = launchCamera({
      log,
      producer: await log.producer(),
      topic,
      clock: systemClock,
    }, {
      number: 1,
      source: new VideoFileSource(file, { loop: true, bulk: true }),
      settings: { fps: "max" },
      limit: FRAMES,
      signal: new AbortController().signal,
      report: print,
    });
    const { published, seconds } = await ended;
    if (published !== FRAMES) throw new Error(`Published ${published} of ${FRAMES} frames`);
    return published / seconds;
  } finally {
    await log.close();
  }
}

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    source: "clips/bigbuckbunny.mp4",
    kafka: Deno.env.get("FRAMELANE_TEST_KAFKA") ?? "",
    rounds: 5,
  });
  const folder = await Deno.makeTempDir({ prefix: "framelane-bench-" });
  const topic = `bench-camera-${crypto.randomUUID().slice(0, 8)}`;
  const ways: Way[] = [
    { name: "bare decode + encode", run: () => bareLoop(values.source, FRAMES) },
    {
      name: "camera into the embedded log",
      run: () => cameraInto(`embedded:${folder}`, topic, values.source),
    },
  ];
  if (values.kafka !== "") {
    ways.push({
      name: "camera into Kafka",
      run: () => cameraInto(`kafka://${values.kafka}`, topic, values.source),
    });
  }
  try {
    const rates = ways.map((): number[] => []);
    const costs = ways.map((): number[] => []);
    const bar = new ProgressBar({ title: "Camera" });
    const { rounds } = values;
    for (let round = 0; round <= rounds; round++) {
      for (const [index, { name, run }] of ways.entries()) {
        const label = round === 0 ? "warming up" : `round ${round} of ${rounds}`;
        bar.update(round * ways.length + index, (rounds + 1) * ways.length, `${label}, ${name}`);
        const before = cpuUsage();
        const rate = await run();
        const { user, system } = cpuUsage(before);
        // The first round warms up.
        if (round === 0) continue;
        rates[index]!.push(rate);
        costs[index]!.push((user + system) / 1000 / FRAMES);
      }
    }
    bar.clear();
    print(`${values.source}, ${FRAMES} frames a round, medians of ${values.rounds} rounds`);
    for (const [index, { name }] of ways.entries()) {
      const ratios = rates[index]!.map((rate, round) => rate / rates[0]![round]!);
      print(
        `  ${name.padEnd(30)} ${median(rates[index]!).toFixed(0).padStart(6)} frames/s, ` +
          `${median(costs[index]!).toFixed(2)} ms of processor each,` +
          `  ${median(ratios).toFixed(2)} of bare (${Math.min(...ratios).toFixed(2)} to ${
            Math.max(...ratios).toFixed(2)
          })`,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
