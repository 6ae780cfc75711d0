/** Seven processes on one embedded log, one of them stopped, one with a clock that jumps. */
import { manyProcesses } from "./many_processes.ts";

Deno.test(
  "seven processes on one embedded log, one stopped past its session, one with a clock that jumps",
  async () => void await manyProcesses(1, 1_500),
);
