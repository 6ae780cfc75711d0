/** The file of checkpoints, truncated at every byte and with thousands of flipped bits. */
import { damageCheckpoints, damages } from "../../faults/damage.ts";
import { Random } from "../../support/random.ts";
import { reportRow } from "../../support/trial_report.ts";

Deno.test("checkpoints truncated at every byte, and with flipped bits", async () => {
  const random = Random.fromEnvironment(6);
  const { read, refused } = await damageCheckpoints((size) => [
    ...damages(size, size, random).filter(({ kind }) => kind === "truncated"),
    ...damages(size, 5000, random).filter(({ kind }) => kind === "flipped"),
  ]);
  reportRow({
    fault: `checkpoint damaged: ${read} read as they were, ${refused} refused by name`,
    repetitions: read + refused,
    verdict: { lost: 0, doubled: 0, reordered: 0 },
  });
});
