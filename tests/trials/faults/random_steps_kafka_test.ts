/** 200 random steps from each of 20 seeds on a Kafka of their own. */
import { brokerTrial } from "../../faults/broker.ts";
import { total, type Verdict } from "../../support/checker.ts";
import { Random } from "../../support/random.ts";
import { reportRow, say } from "../../support/trial_report.ts";
import { randomSteps, seeds, STEPS } from "./random_steps.ts";

Deno.test("random steps on Kafka", async () => {
  const verdicts: Verdict[] = [];
  const recoveryMs: number[] = [];
  for (const seed of seeds()) {
    say(`seed ${seed}`);
    const { verdict } = await brokerTrial(1, async ({ kafka, bed }) => {
      const cut = { cut: () => kafka.pause(), heal: () => kafka.resume() };
      recoveryMs.push(await randomSteps(bed, new Random(seed), STEPS, cut));
    }, { framesPerSecond: 10 });
    verdicts.push(verdict);
  }
  reportRow({
    fault: `${STEPS} random steps, Kafka`,
    repetitions: verdicts.length,
    verdict: total(verdicts),
    recoveryMs,
  });
});
