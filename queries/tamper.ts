// Shows whether a lens is covered, a camera was turned, or its feed is frozen.
import { display, query } from "../runtime/mod.ts";
import { tamper } from "./operators/tamper.ts";

export default query("tamper")
  .readStream()
  .process(tamper())
  .writeStream(display());
