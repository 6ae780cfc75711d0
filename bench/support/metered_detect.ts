/** The query `detect` with its shipped detector, metered. */
import { detectorOf } from "../../queries/operators/detector.ts";
import { display, events, query } from "../../runtime/mod.ts";
import { metered } from "./lane_meter.ts";

export default query("detect")
  .readStream()
  .process(detectorOf("detect", {}).detector)
  .process(metered())
  .writeStream(display(), events());
