// The row of a trial with damaged checkpoints.
import type { DamageReport } from "../../faults/damage.ts";
import { reportRow } from "../../support/trial_report.ts";

/** Prints how many were read and how many refused; whatever else came of one has failed the trial. */
export function reportDamage(what: string, { read, refused }: DamageReport): void {
  reportRow({
    fault: `${what}: ${read} read as they were, ${refused} refused by name`,
    repetitions: read + refused,
    verdict: { lost: 0, doubled: 0, reordered: 0 },
  });
}
