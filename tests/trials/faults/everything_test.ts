/** Everything is killed, stopped and given other clocks at once, on the embedded log. */
import { withLog } from "../../support/log.ts";
import { everythingTrials } from "./everything_trials.ts";

everythingTrials(
  "embedded log",
  (test) => withLog((url, log, folder) => test({ log, url, folder })),
);
