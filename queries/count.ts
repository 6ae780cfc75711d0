// Tracks people and objects and counts them, in the zones and over the lines of `--zones FILE`. No
// frame is dropped, so the numbers are the same in any run. `--model` accepts any detector.
import {
  display,
  events,
  type ParameterValues,
  query,
  type QueryDefinition,
} from "../runtime/mod.ts";
import { detectorOf } from "./operators/detector.ts";
import { track } from "./operators/track/mod.ts";
import { zones } from "./operators/zones/mod.ts";

export const parameters = { model: "string", zones: "string", device: "string" } as const;

export default function count(options: ParameterValues<typeof parameters> = {}): QueryDefinition {
  // Uncertain detections keep a track alive, those that the manifest calls objects begin one.
  const { detector, manifest: { outputs } } = detectorOf("count", options, { threshold: 0.1 });
  const thresholds = outputs.flatMap((output) => "maxObjects" in output ? [output.threshold] : []);
  const tracked = query("count")
    .readStream()
    .process(detector)
    .process(track({ keepOthers: false, begin: Math.max(0.35, ...thresholds) }));
  const counted = options.zones === undefined ? tracked : tracked.process(zones(options.zones));
  return counted.writeStream(display(), events());
}
