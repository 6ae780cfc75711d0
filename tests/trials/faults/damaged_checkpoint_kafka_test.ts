/** A checkpoint in Kafka, truncated at every byte and with each of its bits flipped. */
import { type Damage, eachBit } from "../../faults/damage.ts";
import { damageMetadata } from "../../faults/damage_metadata.ts";
import { reportDamage } from "./damage_report.ts";

Deno.test("a checkpoint in Kafka truncated at every byte", async () => {
  // Without any metadata it is an offset that somebody has set on purpose.
  const every = (size: number) =>
    Array.from({ length: size - 1 }, (_, at): Damage => ({ at: at + 1, kind: "truncated" }));
  reportDamage("Kafka's metadata truncated at every byte", await damageMetadata(every));
});

Deno.test("a checkpoint in Kafka with each of its bits flipped", async () => {
  reportDamage("Kafka's metadata with each bit flipped", await damageMetadata(eachBit));
});
