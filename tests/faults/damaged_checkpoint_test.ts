/** A damaged file of checkpoints: the last good one or a stop by name. The long version takes more places. */
import assert from "node:assert/strict";
import { Random } from "../support/random.ts";
import { damageCheckpoints, damages } from "./damage.ts";

Deno.test("checkpoints that are truncated or have flipped bits are read as they were or refused by name", async () => {
  const random = Random.fromEnvironment(6);
  const { read, refused } = await damageCheckpoints((size) => damages(size, 60, random));
  assert.ok(read > 0 && refused > 20, `${read} read, ${refused} refused`);
});
