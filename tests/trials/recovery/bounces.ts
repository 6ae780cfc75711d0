// Five rolling bounces of three runtimes in one group, the same on every log.
import { bounce, GroupBed, type GroupBedOptions } from "../../recovery/group_bed.ts";
import { reportRow } from "../../support/trial_report.ts";

const ROUNDS = 5;

/** Ends runtimes in good order and with kill -9 by turns, and reports. */
export async function bounceTrials(name: string, options: GroupBedOptions): Promise<void> {
  const bed = new GroupBed({ ...options, partitions: 6 });
  const recoveryMs: number[] = [];
  const verdict = await bed.run((bed) =>
    bounce(bed, ROUNDS, async (bed, runtime, round) => {
      const started = performance.now();
      if (round % 2 === 0) await bed.stop(runtime);
      else await bed.kill(runtime);
      await bed.untilAllMove(options.sessionTimeoutMs + 15_000);
      recoveryMs.push(performance.now() - started);
    })
  );
  reportRow({
    fault: `rolling bounces of three runtimes, ${name}`,
    repetitions: recoveryMs.length,
    verdict,
    recoveryMs,
  });
}
