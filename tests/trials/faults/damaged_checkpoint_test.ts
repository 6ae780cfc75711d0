/** The file of checkpoints, truncated at every byte and with each of its bits flipped. */
import { type Damage, damageCheckpoints, eachBit } from "../../faults/damage.ts";
import { reportDamage } from "./damage_report.ts";

Deno.test("checkpoints truncated at every byte", async () => {
  const every = (size: number) =>
    Array.from({ length: size }, (_, at): Damage => ({ at, kind: "truncated" }));
  reportDamage("the checkpoints' file truncated at every byte", await damageCheckpoints(every));
});

Deno.test("checkpoints with each bit flipped", async () => {
  reportDamage("the checkpoints' file with each bit flipped", await damageCheckpoints(eachBit));
});
