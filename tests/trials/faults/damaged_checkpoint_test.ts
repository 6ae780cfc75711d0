/** The file of checkpoints, truncated and flipped at thousands of places. */
import { damageCheckpoints, damages } from "../../faults/damage.ts";
import { Random } from "../../support/random.ts";
import { reportRow } from "../../support/trial_report.ts";

Deno.test("damaged checkpoints at thousands of places", async () => {
  const random = Random.fromEnvironment(6);
  const { read, refused } = await damageCheckpoints((size) => damages(size, 2500, random));
  reportRow({
    fault: `checkpoint damaged: ${read} read as they were, ${refused} refused by name`,
    repetitions: read + refused,
    verdict: { lost: 0, doubled: 0, reordered: 0 },
  });
});
