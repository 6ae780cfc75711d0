/** Seven processes on one embedded log, one of them stopped, one with a clock that jumps. */
import { canFakeTime } from "../support/faketime.ts";
import { manyProcesses } from "./many_processes.ts";

const ignore = !canFakeTime();
Deno.test({
  name:
    `seven processes on one embedded log, one stopped past its session, one with a clock that jumps${
      ignore ? " (not here: no libfaketime)" : ""
    }`,
  ignore,
  fn: async () => void await manyProcesses(1, 1_500),
});
