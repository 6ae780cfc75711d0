/** 200 random steps from each of 20 seeds on the embedded log. */
import { GroupBed } from "../../recovery/group_bed.ts";
import { total, type Verdict } from "../../support/checker.ts";
import { withLog } from "../../support/log.ts";
import { Random } from "../../support/random.ts";
import { reportRow, say } from "../../support/trial_report.ts";
import { randomSteps, seeds, STEPS } from "./random_steps.ts";

Deno.test("random steps on the embedded log", async () => {
  const verdicts: Verdict[] = [];
  const recoveryMs: number[] = [];
  for (const seed of seeds()) {
    say(`seed ${seed}`);
    await withLog(async (url, log, directory) => {
      const bed = new GroupBed({
        log,
        url,
        source: "VideoStreaming",
        folder: `${directory}/images`,
        partitions: 3,
        framesPerSecond: 10,
        sessionTimeoutMs: 2000,
      });
      verdicts.push(
        await bed.run(async (bed) => {
          recoveryMs.push(await randomSteps(bed, new Random(seed), STEPS));
        }),
      );
    });
  }
  reportRow({
    fault: `${STEPS} random steps, embedded log`,
    repetitions: verdicts.length,
    verdict: total(verdicts),
    recoveryMs,
  });
});
