/** Topics that lose their disk, and topics that are deleted, again and again: images and H.264 by turns. */
import { type Loss, lostDisk } from "../../faults/lost_disk.ts";
import { trialUnits } from "../../support/access_units.ts";
import { Random } from "../../support/random.ts";
import { reportRow } from "../../support/trial_report.ts";

const ROUNDS = 3;

for (const loss of ["the disk is emptied", "the topic is deleted"] as const satisfies Loss[]) {
  Deno.test(`${loss} under cameras and queries`, async () => {
    const random = Random.fromEnvironment(11);
    const unitsOf = await trialUnits();
    const recoveryMs: number[] = [];
    let lost = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const found = await lostDisk(loss, random, unitsOf(round));
      recoveryMs.push(found.recoveryMs);
      lost += found.lost;
    }
    reportRow({
      fault: `${loss} under a query: named stop; opted in, ${lost} frames lost and counted`,
      repetitions: ROUNDS,
      // Beyond those that are gone with the topic, which the query has counted.
      verdict: { lost: 0, doubled: 0, reordered: 0 },
      recoveryMs,
    });
  });
}
