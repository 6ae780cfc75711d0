/**
 * Shows what is in every frame: boxes and labels; an alert while a person is in view. `--model` takes any
 * detector.
 *
 * @module
 */
import { display, query, type QueryDefinition, type QueryOptions } from "../runtime/mod.ts";
import { alerts } from "./operators/alerts.ts";
import { detectorOf } from "./operators/detector.ts";

export const takes = ["model", "device"] as const;

export default function objects(options: QueryOptions = {}): QueryDefinition {
  return query("objects")
    .readStream()
    .process(detectorOf("objects", options))
    .process(alerts({ label: "person", enter: 0.4, exit: 0.2, smoothing: 0.8, cooldownMs: 5_000 }))
    .writeStream(display())
    .overload("latest");
}
