/** Ends by itself, as its own trigger says. */
import { display, query } from "../../../runtime/mod.ts";

export default query("all_there_is")
  .readStream({ startingOffsets: "earliest", failOnDataLoss: false })
  .writeStream(display())
  .trigger("available-now");
