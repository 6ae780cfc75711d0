// Runs a detector on every frame and stores its findings. `--model` accepts any model whose outputs
// are objects or keypoints.
import { display, events, query, type QueryDefinition, type QueryOptions } from "../runtime/mod.ts";
import { detectorOf } from "./operators/detector.ts";

export const takes = ["model", "device"] as const;

export default function detect(options: QueryOptions = {}): QueryDefinition {
  return query("detect")
    .readStream()
    .process(detectorOf("detect", options))
    .writeStream(display(), events());
}
