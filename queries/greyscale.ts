// Shows every frame in greyscale.
import { display, query } from "../runtime/mod.ts";
import { greyscale } from "./operators/greyscale.ts";

export default query("greyscale")
  .readStream()
  .process(greyscale())
  .writeStream(display());
