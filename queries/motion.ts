// Shows how much of the picture moves, and where.
import { display, query } from "../runtime/mod.ts";
import { motion } from "./operators/motion.ts";

export default query("motion")
  .readStream()
  .process(motion())
  .writeStream(display());
