/** Seven processes on one embedded log, one of them stopped, one with a clock that jumps, again and again. */
import { manyProcesses } from "../../faults/many_processes.ts";
import { reportRow } from "../../support/trial_report.ts";

const ROUNDS = 20;

Deno.test("seven processes on one embedded log, one stopped past its session, one with a clock that jumps", async () => {
  const { verdict, recoveryMs, locked } = await manyProcesses(ROUNDS, 2_000);
  reportRow({
    fault:
      "seven processes on one embedded log: a runtime stopped (SIGSTOP) past its session of 2 s and let continue, " +
      `the clock of another a day ahead, back, an hour ahead; ${locked} stops inside of a transaction`,
    repetitions: ROUNDS,
    verdict,
    recoveryMs,
  });
});
