// Shows the objects in every frame, with boxes and labels, and alerts while a person is in view.
// `--model` accepts any detector; `--set label=car` alerts on another label.
import {
  display,
  type ParameterValues,
  query,
  type QueryDefinition,
  type QueryOptions,
} from "../runtime/mod.ts";
import { alerts } from "./operators/alerts.ts";
import { detectorOf } from "./operators/detector.ts";

export const takes = ["model", "device"] as const;
export const parameters = { label: "string", enter: "number", exit: "number" } as const;

export default function objects(
  { label = "person", enter = 0.4, exit = enter / 2, ...options }:
    & QueryOptions
    & ParameterValues<typeof parameters> = {},
): QueryDefinition {
  return query("objects")
    .readStream()
    .process(detectorOf("objects", options))
    .process(alerts({ label, enter, exit, smoothing: 0.8, cooldownMs: 5_000 }))
    .writeStream(display())
    .overload("latest");
}
