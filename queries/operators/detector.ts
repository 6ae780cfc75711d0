// The detector of a query that takes one.
import type { Frame, Operator, Output, QueryOptions } from "../../runtime/mod.ts";
import { detect, type DetectOptions, looksAtFrames, SHIPPED_DETECTOR } from "./detect.ts";
import { deviceOf } from "./model/device_names.ts";
import { readManifest } from "./model/manifest.ts";
import { model } from "./model/model.ts";

/**
 * The detector that the options name, or the one that ships: on single frames, or on windows where the
 * model takes several frames at once.
 *
 * @param query whose options they are, for messages
 * @param more what the query itself wants of a detector on single frames
 * @throws {RangeError} when none of the model's outputs are objects or points.
 * @throws {ManifestError} when the manifest cannot be used.
 */
export function detectorOf(
  query: string,
  options: QueryOptions,
  more: Pick<DetectOptions, "threshold"> = {},
): Operator<Frame, Output> {
  const { model: path = SHIPPED_DETECTOR, device: name = "cpu" } = options;
  const device = deviceOf(name);
  const manifest = readManifest(path);
  const kinds = manifest.outputs.map(({ kind }) => kind);
  if (!kinds.includes("objects") && !kinds.includes("keypoints")) {
    throw new RangeError(
      `Query ${query} cannot use model ${manifest.name}: its outputs are ${kinds.join(", ")}, ` +
        "expected objects or keypoints; query action takes scores",
    );
  }
  return looksAtFrames(manifest) ? detect(path, { ...more, device }) : model(path, { device });
}
