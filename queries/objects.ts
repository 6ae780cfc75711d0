/**
 * Shows what is in every frame: boxes, labels and counts; an alert while a person is in view.
 *
 * @module
 */
import { display, query } from "../runtime/mod.ts";
import { alerts } from "./operators/alerts.ts";
import { objects } from "./operators/objects.ts";

export default query("objects")
  .readStream()
  .process(objects())
  .process(alerts({ label: "person", enter: 0.4, exit: 0.2, smoothing: 0.8, cooldownMs: 5_000 }))
  .writeStream(display())
  .overload("latest");
