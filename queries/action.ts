/**
 * Runs any model on windows of frames and shows what it says: `--model models/…/model.json`. What it
 * finds is what that model was trained for; there is none here without one.
 *
 * @module
 */
import { display, events, query, type QueryDefinition } from "../runtime/mod.ts";
import { alerts } from "./operators/alerts.ts";
import { caption } from "./operators/caption.ts";
import { model, readManifest } from "./operators/model/mod.ts";

export default function action(options: { readonly model?: string }): QueryDefinition {
  const { model: path } = options;
  if (path === undefined) {
    throw new Error("Query action needs a model: expected --model with the path of a model.json");
  }
  const { alert } = readManifest(path);
  const found = query("action").readStream().process(model(path));
  const watched = alert === undefined ? found : found.process(alerts(alert));
  return watched.process(caption()).writeStream(display(), events()).overload("drop-oldest");
}
