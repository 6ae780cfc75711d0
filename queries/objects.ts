// Shows the objects in every frame, with boxes and labels, and alerts as the model's manifest says, or
// while a person is in view. `--model` accepts any detector; `--set label=car` alerts on another label.
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
  { model, device, ...given }: ParameterValues<typeof parameters> = {},
): QueryDefinition {
  const { detector, manifest } = detectorOf("objects", { model, device }), { labels } = detector;
  const { enter = 0.4 } = given;
  const usual = { label: "person", enter, exit: enter / 2, smoothing: 0.8, cooldownMs: 5_000 };
  const alert = { ...manifest.alert ?? usual, ...given };
  const { label } = alert;
  const remarks = labels === undefined || labels.includes(label) ? [] : [
    `Query objects never alerts on ${label}: the model knows ${labels.join(", ")}; ` +
    "--set label=NAME chooses another",
  ];
  return query("objects")
    .readStream()
    .process(detector)
    .process({ ...alerts(alert), remarks })
    .writeStream(display())
    .overload("latest");
}
