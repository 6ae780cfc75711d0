// The full trial of the recovery, the same on every log.
import assert from "node:assert/strict";
import { type BedOptions, RecoveryBed, trials } from "../../recovery/bed.ts";
import { Random } from "../../support/random.ts";
import { reportRow, say } from "../../support/trial_report.ts";

const POINTS = 100;

/** Kills queries at 100 points; says where it is, so that a run that hangs shows where. */
export async function killTrials(name: string, options: BedOptions): Promise<void> {
  const random = Random.fromEnvironment(20_251_121);
  say(`seed ${random.seed}`);
  const bed = new RecoveryBed(options);
  await bed.prepare();
  for (const [index, trial] of trials(POINTS, random).entries()) {
    await bed.run(trial);
    if (index % 10 === 9) say(`${index + 1} trials, ${bed.killed} kills`);
  }
  assert.ok(bed.killed >= POINTS * 0.8, `only ${bed.killed} kills came in time`);
  reportRow({
    fault: `kill -9 of a query, ${name}`,
    repetitions: bed.killed,
    verdict: bed.verdict,
    recoveryMs: bed.recoveryMs,
  });
}
