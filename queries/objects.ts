/**
 * Shows what is in every frame: boxes, labels and counts.
 *
 * @module
 */
import { display, query } from "../runtime/mod.ts";
import { objects } from "./operators/objects.ts";

export default query("objects")
  .readStream()
  .process(objects())
  .writeStream(display())
  .overload("latest");
