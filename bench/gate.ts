// What `gate()` saves on a still scene, and whether a clip with known events loses any by it.
import sharp from "sharp";
import { alerts } from "../queries/operators/alerts.ts";
import { detect } from "../queries/operators/detect.ts";
import { gate } from "../queries/operators/gate.ts";
import { decodeImage, encodeJpeg, type RawImage } from "../runtime/image/mod.ts";
import { type Output, query } from "../runtime/mod.ts";
import { collect, MemoryLog, runQuery } from "../runtime/testing.ts";
import { clipFrames } from "./frames.ts";
import { print } from "./print.ts";
import { cpuSeconds } from "./support/process_stats.ts";
import { spread } from "./support/stats.ts";

const FPS = 5, SECONDS = 60;
/** When somebody is in view, seconds from and to. */
const EVENTS = [[10, 13], [22, 24.5], [35, 36.5], [48, 52]] as const;
const WIDTH = 640, HEIGHT = 480;

/** Frames of a meadow, with a sensor's noise, and of somebody who comes by. */
class Scene {
  readonly #meadow: RawImage;
  readonly #person: Uint8Array;
  #random = 1;

  private constructor(meadow: RawImage, person: Uint8Array) {
    this.#meadow = meadow;
    this.#person = person;
  }

  static async open(): Promise<Scene> {
    const still = new URL("../tests/queries/operators/stills/astronaut.jpg", import.meta.url);
    const person = await sharp(await Deno.readFile(still))
      .resize(HEIGHT, HEIGHT, { fit: "fill" }).raw().toBuffer();
    const [meadow] = await clipFrames({ width: WIDTH, height: HEIGHT, count: 1 });
    return new Scene(await decodeImage(meadow!, 3), person);
  }

  /** @param at seconds since the person came; undefined while there is none. */
  async frame(at?: number): Promise<Uint8Array> {
    const data = this.#meadow.data.slice();
    const shown = at === undefined ? 0 : Math.round(Math.min(HEIGHT, 1000 * at + 40));
    for (let y = 0; y < HEIGHT; y++) {
      const row = this.#person.subarray(y * HEIGHT * 3, (y * HEIGHT + shown) * 3);
      data.set(row, ((y + 1) * WIDTH - shown) * 3);
    }
    for (let i = 0; i < data.length; i++) {
      this.#random = Math.imul(this.#random, 1_103_515_245) + 12_345;
      data[i] = Math.max(0, Math.min(255, data[i]! + (this.#random >> 16) % 3));
    }
    return await encodeJpeg({ data, width: WIDTH, height: HEIGHT, channels: 3 });
  }
}

/** Runs a detector over frames, with or without a gate; milliseconds of processor a frame, and outputs. */
async function run(values: readonly Uint8Array[], gated: boolean) {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  log.append(
    "VideoStreaming",
    0,
    values.map((value, i) => ({
      key: null,
      value,
      timestamp: Math.round(i * 1000 / FPS),
      headers: {},
    })),
  );
  const sink = collect<Output>();
  const frames = query("gated").readStream({ startingOffsets: "earliest" });
  const passed = gated ? frames.process(gate()) : frames;
  const definition = passed.process(detect())
    .process(alerts({ label: "person", enter: 0.4, exit: 0.2 }))
    .writeStream(sink).trigger("available-now");
  const before = cpuSeconds();
  await runQuery(definition, { log });
  return { ms: (cpuSeconds() - before) * 1000 / values.length, outputs: sink.outputs };
}

/** Measures and prints. */
export async function measureGate(rounds: number): Promise<void> {
  const scene = await Scene.open();
  const still: Uint8Array[] = [];
  for (let i = 0; i < 30; i++) still.push(await scene.frame());
  const frames = (count: number) => Array.from({ length: count }, (_, i) => still[i % 30]!);
  const costs: Record<"open" | "gated", number[]> = { open: [], gated: [] };
  await run(frames(30), true); // loads the model
  for (let round = 0; round < rounds; round++) {
    costs.open.push((await run(frames(15 * FPS), false)).ms);
    costs.gated.push((await run(frames(60 * FPS), true)).ms);
  }
  print(
    `still scene, objects in every frame: ${spread(costs.open, 2)} ms of processor a frame, ` +
      `behind gate() ${spread(costs.gated, 2)}: ` +
      `${spread(costs.open.map((ms, i) => ms / costs.gated[i]!), 1)} times as many cameras`,
  );
  const clip: Uint8Array[] = [];
  for (let i = 0; i < SECONDS * FPS; i++) {
    const event = EVENTS.find(([from, to]) => i / FPS >= from && i / FPS < to);
    clip.push(event === undefined ? still[i % 30]! : await scene.frame(i / FPS - event[0]));
  }
  for (const gated of [false, true]) {
    const { outputs } = await run(clip, gated);
    const starts = outputs.flatMap(({ result, timestamp }) =>
      result?.alert?.state === "start" ? [timestamp / 1000] : []
    );
    const found = EVENTS.filter(([from, to]) => starts.some((at) => at >= from && at < to));
    const looked = outputs.filter(({ result }) => result!.inferMs! > 0).length;
    print(
      `clip of ${SECONDS} s with ${EVENTS.length} events, ${
        gated ? "behind gate()" : "no gate"
      }: ` +
        `${found.length} found, ${starts.length - found.length} false, ` +
        `${looked} of ${clip.length} frames looked at`,
    );
  }
}
