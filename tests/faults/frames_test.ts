/** Faulty frames on the embedded log. */
import { maxRecordBytes } from "../../runtime/log/embedded/record.ts";
import { withLog } from "../support/log.ts";
import { frameFaults } from "./frames.ts";

frameFaults(
  "embedded log",
  (test) =>
    withLog((url, log) =>
      test({ url, log, topic: "VideoStreaming", out: "OUT", mostBytes: maxRecordBytes })
    ),
);
