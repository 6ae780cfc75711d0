/**
 * Objects: what is in a frame, and where.
 *
 * @module
 */
import {
  type Color,
  type DetectedObject,
  drawText,
  type Frame,
  labelScale,
  type Operator,
  pictureOf,
  type RawImage,
  Tensorizer,
  toSource,
} from "../../runtime/mod.ts";
import { findPeaks } from "./centernet.ts";
import { ManifestError, readManifest } from "./model/manifest.ts";
import { openSession } from "./model/session.ts";
import { checkAgainstFile, dimsOf } from "./model/signature.ts";
import { frameSpec } from "./model/window_tensor.ts";
import { checkNumbers } from "./options.ts";
import { drawnOn, drawObjects, withResult } from "./picture.ts";
import { rounded } from "./rounded.ts";

/** How to look for objects. */
export interface ObjectsOptions {
  /**
   * Manifest of a CenterNet model, whose first output is the heat map with a label for each channel,
   * and whose second the distances to the four sides. The one in `models/centernet` unless given.
   */
  readonly manifest?: string | URL;
  /** Score from which something counts as an object; 0.3 unless given. */
  readonly threshold?: number;
  /** Only objects with these labels; all unless given. */
  readonly labels?: readonly string[];
  /** Most objects in a frame, the surest first; 50 unless given. */
  readonly maxObjects?: number;
  /** Whether to draw them on the frame; true unless given. */
  readonly draw?: boolean;
  /** JPEG quality of frames that were drawn on; 80 unless given. */
  readonly quality?: number;
  /** Threads for one run of the model; 1 unless given. */
  readonly threads?: number;
}

const SHIPPED = new URL("../../models/centernet/model.json", import.meta.url);

/**
 * Finds objects in each frame by itself. The result has, for each label that was found, the highest
 * score, and the objects with their boxes in pixels of the frame. Frames without an object keep their
 * bytes.
 *
 * @throws {ManifestError} when the model's manifest or file cannot be used.
 * @throws {RangeError} naming every option that is out of its bounds.
 *
 * @example
 * ```ts
 * import { objects } from "./objects.ts";
 *
 * const people = objects({ labels: ["person"], threshold: 0.4 });
 * console.log(people.name);
 * ```
 */
export function objects(options: ObjectsOptions = {}): Operator<Frame, Frame> {
  const {
    manifest: path = SHIPPED,
    threshold = 0.3,
    maxObjects = 50,
    draw = true,
    quality = 80,
    threads = 1,
  } = options;
  checkNumbers("objects", { threshold, maxObjects, quality, threads }, {
    threshold: { min: 0, max: 1 },
    maxObjects: { min: 1, max: 1000, whole: true },
    quality: { min: 1, max: 100, whole: true },
    threads: { min: 1, max: 64, whole: true },
  });
  const manifest = readManifest(path);
  const { sha256 } = checkAgainstFile(manifest, String(path));
  const [input] = manifest.inputs;
  const [heat, sides] = manifest.outputs;
  const names = heat?.labels;
  if (manifest.frames !== 1 || names === undefined || sides === undefined) {
    throw new ManifestError(String(path), [
      "outputs: expected a model of one frame with a heat map, whose labels are given, and sides",
    ]);
  }
  const unknown = (options.labels ?? []).filter((label) => !names.includes(label));
  if (unknown.length > 0) {
    throw new RangeError(
      `Cannot look for ${unknown.join(", ")}: the model knows ${names.join(", ")}`,
    );
  }
  const wanted = new Set(options.labels ?? names);
  return {
    name: `objects(${manifest.name} threshold=${threshold})`,
    // While the model works on one frame the next is decoded.
    concurrency: 2,
    async open() {
      const session = await openSession(manifest.file, threads);
      const tensorizer = new Tensorizer(frameSpec(input!, true));
      const shape = dimsOf(input!);
      const detect = async (frame: Frame) => {
        const picture = await pictureOf(frame);
        const tensor = await tensorizer.ofPicture(picture).finally(() => picture.release());
        try {
          const feeds = { [input!.name]: { dtype: input!.dtype, shape, data: tensor.data } };
          const { outputs, ms } = await session.run(feeds, [heat!.name, sides.name]);
          const heatMap = outputs.get(heat!.name)!, sideMap = outputs.get(sides.name)!;
          const [height, width] = heatMap.shape.slice(-2) as [number, number];
          const peaks = findPeaks(
            { data: heatMap.data as Float32Array, width, height },
            { data: sideMap.data as Float32Array, width, height },
            { threshold, stride: input!.width / width, most: 10 * maxObjects },
          );
          const found = peaks
            .filter(({ channel }) => wanted.has(names[channel]!))
            .slice(0, maxObjects)
            .map(({ channel, score, box }): DetectedObject => ({
              label: names[channel]!,
              score: rounded(score),
              box: toSource(tensor.placement, box).map(Math.round) as unknown as Box,
            }));
          return { found, ms };
        } finally {
          tensor.release();
        }
      };
      return {
        async process(frame) {
          const { found, ms } = await detect(frame);
          const { offset, timestamp } = frame;
          const scores: Record<string, number> = {};
          for (const { label, score } of found) scores[label] ??= score;
          const output = withResult(frame, {
            model: { name: manifest.name, sha256 },
            inferMs: Math.round(ms * 1000) / 1000,
            scores,
            frames: [{ offset, timestamp, objects: found }],
          });
          if (!draw || found.length === 0) return [output];
          return [await drawnOn(output, (image) => drawFound(image, found), quality)];
        },
        close: () => session.close(),
      };
    },
  };
}

type Box = [number, number, number, number];

function drawFound(image: RawImage, found: readonly DetectedObject[]): void {
  drawObjects(image, found, colorOf);
  const counts = new Map<string, number>();
  for (const { label } of found) counts.set(label, (counts.get(label) ?? 0) + 1);
  const text = [...counts].map(([label, count]) => `${count} ${label}`).join("  ");
  const scale = labelScale(image);
  drawText(image, text, 4 * scale, image.height - 11 * scale, { scale, background: [0, 0, 0] });
}

/** A colour for each label, the same everywhere. */
function colorOf(label: string): Color {
  let hash = 7;
  for (const character of label) hash = (hash * 31 + character.codePointAt(0)!) % 360;
  const part = (offset: number) => {
    const at = (offset + hash / 60) % 6;
    return Math.round(255 * Math.max(0.15, Math.min(1, Math.abs(at - 3) - 1)));
  };
  return [part(0), part(4), part(2)];
}
