// Runs a detector on every frame and stores its findings. `--model` accepts any model whose outputs
// are objects or keypoints.
import {
  display,
  events,
  type ParameterValues,
  query,
  type QueryDefinition,
} from "../runtime/mod.ts";
import { detectorOf } from "./operators/detector.ts";

export const parameters = { model: "string", device: "string" } as const;

export default function detect(options: ParameterValues<typeof parameters> = {}): QueryDefinition {
  return query("detect")
    .readStream()
    .process(detectorOf("detect", options).detector)
    .writeStream(display(), events());
}
