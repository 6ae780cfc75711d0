// Shows every frame unchanged.
import { display, query } from "../runtime/mod.ts";
import { passthrough } from "./operators/passthrough.ts";

export default query("passthrough")
  .readStream()
  .process(passthrough())
  .writeStream(display());
