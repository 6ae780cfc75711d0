// Shows whether a lens is covered, a camera turned or its feed frozen.
import { display, query } from "../runtime/mod.ts";
import { tamper } from "./operators/tamper.ts";

export default query("tamper")
  .readStream()
  .process(tamper())
  .writeStream(display());
