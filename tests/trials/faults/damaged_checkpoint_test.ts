/** The file of checkpoints, truncated at every byte and with thousands of flipped bits. */
import { type Damage, damageCheckpoints, damages } from "../../faults/damage.ts";
import { Random } from "../../support/random.ts";
import { reportDamage } from "./damage_report.ts";

Deno.test("checkpoints truncated at every byte", async () => {
  const every = (size: number) =>
    Array.from({ length: size }, (_, at): Damage => ({ at, kind: "truncated" }));
  reportDamage("the checkpoints' file truncated at every byte", await damageCheckpoints(every));
});

Deno.test("checkpoints with flipped bits", async () => {
  const random = Random.fromEnvironment(6);
  const flips = (size: number) =>
    damages(size, 5000, random).filter(({ kind }) => kind === "flipped");
  reportDamage("the checkpoints' file with flipped bits", await damageCheckpoints(flips));
});
