// The detector of a query with the parameters `model` and `device`.
import type { Frame, Operator, Output } from "../../runtime/mod.ts";
import { detect, type DetectOptions, runsOnFrames, SHIPPED_DETECTOR } from "./detect.ts";
import type { Device } from "./model/device_names.ts";
import { type ModelManifest, readManifest } from "./model/manifest.ts";
import { model } from "./model/model.ts";

/**
 * The detector named by the parameters, or the bundled one, and its manifest: on single frames, or on
 * windows if the model takes several frames.
 *
 * @param query name of the query, for messages
 * @param more the query's own threshold for a detector on single frames, and whether it uses the alert of the
 * manifest; otherwise a remark says that it does not
 * @throws {RangeError} if none of the model's outputs are objects or keypoints.
 * @throws {ManifestError} if the manifest is unusable.
 */
export function detectorOf(
  query: string,
  options: { readonly model?: string | undefined; readonly device?: string | undefined },
  { alerts = false, ...more }: Pick<DetectOptions, "threshold"> & { readonly alerts?: boolean } =
    {},
): { readonly detector: Operator<Frame, Output>; readonly manifest: ModelManifest } {
  const { model: path = SHIPPED_DETECTOR } = options;
  // Checked by the operator.
  const device = (options.device ?? "cpu") as Device;
  const manifest = readManifest(path);
  const kinds = manifest.outputs.map(({ kind }) => kind);
  if (!kinds.includes("objects") && !kinds.includes("keypoints")) {
    throw new RangeError(
      `Query ${query} cannot use model ${manifest.name}: its outputs are ${kinds.join(", ")}, ` +
        "expected objects or keypoints; query action accepts scores",
    );
  }
  const detector = runsOnFrames(manifest)
    ? detect(path, { ...more, device })
    : model(path, { device });
  if (manifest.alert === undefined || alerts) return { detector, manifest };
  const remark = `Query ${query} raises no alert: that of model ${manifest.name} is for action ` +
    "and objects";
  const remarks = [...detector.remarks ?? [], remark];
  return { detector: { ...detector, remarks } as typeof detector, manifest };
}
