// Shows the objects in every frame, with boxes and labels, and alerts while a person is in view.
// `--model` accepts any detector; `--set label=car` alerts on another label.
import { display, type ParameterValues, query, type QueryDefinition } from "../runtime/mod.ts";
import { alerts } from "./operators/alerts.ts";
import { detectorOf } from "./operators/detector.ts";

export const parameters = {
  model: "string",
  device: "string",
  label: "string",
  enter: "number",
  exit: "number",
} as const;

export default function objects(
  { label = "person", enter = 0.4, exit = enter / 2, ...options }: ParameterValues<
    typeof parameters
  > = {},
): QueryDefinition {
  const detector = detectorOf("objects", options), { labels } = detector;
  const remarks = labels === undefined || labels.includes(label) ? [] : [
    `Query objects never alerts on ${label}: the model knows ${labels.join(", ")}; ` +
    "--set label=NAME chooses another",
  ];
  return query("objects")
    .readStream()
    .process(detector)
    .process({ ...alerts({ label, enter, exit, smoothing: 0.8, cooldownMs: 5_000 }), remarks })
    .writeStream(display())
    .overload("latest");
}
