/** Frames that expire under running queries, again and again, on both logs: images and H.264 by turns. */
import { dataLossWhileRunning } from "../../faults/data_loss.ts";
import { withEmbeddedPlace, withKafkaPlace } from "../../faults/data_loss_places.ts";
import { trialUnits } from "../../support/access_units.ts";
import { Random } from "../../support/random.ts";
import { reportRow } from "../../support/trial_report.ts";

const ROUNDS = 10;

for (
  const [name, within] of [["embedded log", withEmbeddedPlace], ["Kafka", withKafkaPlace]] as const
) {
  Deno.test(`frames expire under a query, ${name}`, async () => {
    const random = Random.fromEnvironment(5);
    const unitsOf = await trialUnits();
    let lost = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await within(async (place) => {
        lost += await dataLossWhileRunning({ ...place, units: unitsOf(round) }, random);
      });
    }
    reportRow({
      fault:
        `frames expired under a query, ${name}: named stop; opted in, ${lost} lost and counted`,
      repetitions: ROUNDS,
      // Beyond those that had expired, which the query has counted.
      verdict: { lost: 0, doubled: 0, reordered: 0 },
    });
  });
}
