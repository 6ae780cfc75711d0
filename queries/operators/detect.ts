// Runs models on single frames.
import { dirname } from "node:path";
import {
  checkOptions,
  type DetectedObject,
  type Frame,
  type FrameResult,
  oneOf,
  type Operator,
  range,
  type Result,
} from "../../runtime/mod.ts";
import { isStill } from "./gate.ts";
import { checkDevice } from "./model/devices.ts";
import { FrameDecoder } from "./model/frame_tensors.ts";
import {
  type CheckedModel,
  checkModel,
  Inference,
  labelsOf,
  remarksOf,
} from "./model/inference.ts";
import { THREADS } from "./model/session.ts";
import type { ModelManifest } from "./model/manifest.ts";
import { type Device, DEVICES } from "./model/device_names.ts";
import { withResult } from "./picture.ts";

/** Options of `detect`. */
export interface DetectOptions {
  /** Score from which a detection counts; the manifest's by default. */
  readonly threshold?: number;
  /** The labels of objects to keep; all by default. */
  readonly labels?: readonly string[];
  /** Most objects in a frame, highest scores first; the manifest's by default. */
  readonly maxObjects?: number;
  /** Threads for one run of the model; 1 by default. */
  readonly threads?: number;
  /** Where the model runs; `cpu` by default. */
  readonly device?: Device;
}

/** Most objects that a model may return for a frame. */
const MOST_OBJECTS = 1000;

/** The bundled detector: 80 kinds of everyday objects. */
export const SHIPPED_DETECTOR: URL = new URL("../../models/centernet/model.json", import.meta.url);

/**
 * Runs a model on each frame separately. The result contains everything that the manifest's outputs
 * describe: objects with boxes in pixels of the frame (and the highest score per label), scores,
 * areas, vectors. Frames keep their bytes; viewers draw the findings.
 *
 * The model does not run on frames that {@linkcode gate} has marked as still: they repeat the last
 * findings.
 *
 * @param manifest path or URL of a `model.json`; the bundled detector by default
 * @throws {ManifestError} if the model's manifest or file is unusable.
 * @throws {RangeError} if the model takes several frames or has state (use `model` instead), or
 * naming every option that is out of range, or for objects while the model returns none.
 *
 * @example
 * ```ts
 * import { detect } from "./detect.ts";
 *
 * const people = detect(undefined, { labels: ["person"], threshold: 0.4 });
 * console.log(people.name);
 * ```
 */
export function detect(
  manifest: string | URL = SHIPPED_DETECTOR,
  options: DetectOptions = {},
): Operator<Frame, Frame> {
  const { threads = 1, device = "cpu", labels, maxObjects } = options;
  checkOptions("use detect options", options, {
    threshold: range({ min: 0, max: 1 }),
    labels: { accepted: "a list of labels", takes: Array.isArray },
    maxObjects: range({ min: 1, max: MOST_OBJECTS, whole: true }),
    threads: THREADS,
    device: oneOf(...DEVICES),
  });
  checkDevice(device);
  const model = adjusted(checkModel(manifest), options);
  if (!runsOnFrames(model.manifest)) {
    throw new RangeError(
      `Cannot run model ${model.manifest.name} on single frames: it takes windows of ` +
        `${model.manifest.frames} frames${
          model.manifest.state.length > 0 ? " and has a state" : ""
        }`,
    );
  }
  const known = labelsOf(model);
  const wanted = labels === undefined ? undefined : new Set(labels);
  return {
    name: `detect(${model.manifest.name})`,
    reads: [dirname(model.manifest.file)],
    loads: ["onnxruntime-node"],
    remarks: [...remarksOf(model), ...windowsRemark(model.manifest)],
    ...(known === undefined ? {} : { labels: labels ?? known }),
    // Decode the next frame while the model processes one.
    concurrency: 2,
    async open() {
      const inference = await Inference.open(model, { threads, device });
      const decoder = new FrameDecoder(model.manifest.inputs, true);
      const infer = async (frame: Frame) => {
        const decoded = await decoder.decode(frame);
        try {
          const { scores, frames: [found = {}], data, ms } = await inference.run(
            decoder.which.map((i) => [decoded[i]!]),
          );
          const objects = wanted === undefined
            ? found.objects
            : found.objects?.filter(({ label }) => wanted.has(label))
              .toSorted((a, b) => b.score - a.score).slice(0, maxObjects);
          const all = { ...scores, ...found.scores, ...bestOf(objects) };
          return { objects, scores: all, data, about: inference.about(ms) };
        } finally {
          decoded.forEach((tensor) => tensor.release());
        }
      };
      let last: ReturnType<typeof infer> | undefined;
      return {
        async process(frame) {
          const still = isStill(frame) && last !== undefined;
          if (!still) {
            const pending = infer(frame);
            last = pending;
            // Its own frame reports the error; run the model on the next one, still or not.
            pending.catch(() => {
              if (last === pending) last = undefined;
            });
          }
          const { objects, scores, data, about } = await last!;
          const { offset, timestamp } = frame;
          const entry: FrameResult = { offset, timestamp, ...(objects ? { objects } : {}) };
          const result: Result = {
            ...about,
            ...(still ? { inferMs: 0 } : {}),
            scores,
            ...(objects === undefined ? {} : { frames: [entry] }),
            ...(Object.keys(data).length > 0 ? { data } : {}),
          };
          return [withResult(frame, result)];
        },
        close: () => inference.close(),
      };
    },
  };
}

function windowsRemark({ name, sampling, hop }: ModelManifest): string[] {
  if (sampling === undefined && hop === 1) return [];
  const text = sampling === undefined ? `hop ${hop}` : `sampling ${JSON.stringify(sampling)}`;
  return [`Model ${name} runs on every frame: the ${text} of its manifest is for windows`];
}

/** True for a model that takes single frames and has no state. */
export function runsOnFrames({ frames, state }: ModelManifest): boolean {
  return frames === 1 && state.length === 0;
}

function bestOf(objects: readonly DetectedObject[] = []): Record<string, number> {
  const scores = new Map<string, number>();
  for (const { label, score } of objects) {
    scores.set(label, Math.max(scores.get(label) ?? 0, score));
  }
  return Object.fromEntries(scores);
}

function adjusted(model: CheckedModel, options: DetectOptions): CheckedModel {
  const { threshold, labels = [] } = options;
  const { outputs, name } = model.manifest;
  const given = (["threshold", "labels", "maxObjects"] as const)
    .filter((option) => options[option] !== undefined);
  if (given.length > 0 && !outputs.some((output) => "maxObjects" in output)) {
    throw new RangeError(
      `Cannot use detect options: ${given.join(", ")} are for objects, and model ${name} ` +
        `returns ${outputs.map(({ kind }) => kind).join(", ")}`,
    );
  }
  const known = labelsOf(model);
  const unknown = known === undefined ? [] : labels.filter((label) => !known.includes(label));
  if (unknown.length > 0) {
    throw new RangeError(
      `Cannot detect ${unknown.join(", ")}: the model knows ${known!.join(", ")}`,
    );
  }
  // Of objects with other labels, too, since they take no place of one that is kept.
  const maxObjects = labels.length === 0 ? options.maxObjects : options.maxObjects && MOST_OBJECTS;
  return {
    ...model,
    manifest: {
      ...model.manifest,
      outputs: outputs.map((output) =>
        "maxObjects" in output
          ? {
            ...output,
            threshold: threshold ?? output.threshold,
            maxObjects: maxObjects ?? output.maxObjects,
          }
          : output
      ),
    },
  };
}
