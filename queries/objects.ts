// Shows the objects in every frame, with boxes and labels, and alerts as the model's manifest says, or
// while a person is in view. `--model` accepts any detector; `--set label=car` alerts on another label.
import { display, type ParameterValues, query, type QueryDefinition } from "../runtime/mod.ts";
import { withDefaults } from "./operators/alert_options.ts";
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
  const { detector, manifest } = detectorOf("objects", { model, device }, { alerts: true });
  const { labels } = detector;
  const own = manifest.alert && withDefaults(manifest.alert);
  const usual = { label: "person", smoothing: 0.8, cooldownMs: 5_000 };
  const { enter = own?.enter ?? 0.4 } = given;
  const exit = Math.min(enter, own?.exit ?? enter / 2);
  const alert = { ...own ?? usual, enter, exit, ...given };
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
