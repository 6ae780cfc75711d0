/** A damaged checkpoint in Kafka: as it was or a stop by name. The long version takes every byte. */
import assert from "node:assert/strict";
import { Random } from "../support/random.ts";
import { damages } from "./damage.ts";
import { damageMetadata } from "./damage_metadata.ts";

Deno.test("a checkpoint in Kafka that is truncated or has flipped bits is refused by name", async () => {
  const random = Random.fromEnvironment(6);
  // Without any metadata it is an offset that somebody has set on purpose.
  const { read, refused } = await damageMetadata((size) =>
    damages(size, 24, random).filter(({ kind, at }) => kind === "flipped" || at > 0)
  );
  assert.ok(read + refused > 40 && refused > 36, `${read} read, ${refused} refused`);
});
