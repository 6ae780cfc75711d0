// Runs any model on windows of frames and shows its findings: `--model models/…/model.json`. What
// it detects depends on the model, which is required.
import {
  display,
  events,
  type ParameterValues,
  query,
  type QueryDefinition,
} from "../runtime/mod.ts";
import { alerts } from "./operators/alerts.ts";
import { type Device, model, readManifest } from "./operators/model/mod.ts";

export const parameters = { model: "string", device: "string" } as const;

export default function action(
  { model: path, device = "cpu" }: ParameterValues<typeof parameters>,
): QueryDefinition {
  if (path === undefined) {
    throw new Error("Query action needs a model: expected --model with the path of a model.json");
  }
  const { alert } = readManifest(path);
  const found = query("action").readStream().process(model(path, { device: device as Device }));
  const alerting = alert === undefined ? found : found.process(alerts(alert));
  return alerting.writeStream(display(), events()).overload("drop-oldest");
}
