import assert from "node:assert/strict";
import { inNaturalOrder } from "../../cameras/natural_order.ts";

Deno.test("names are sorted in natural order, whatever their number, and hold the thread for a moment only", async () => {
  const { compare } = new Intl.Collator("en", { numeric: true });
  for (const count of [0, 1, 4_096, 4_097, 30_000]) {
    const names = Array.from({ length: count }, (_, i) => `${i % 7}/Bild_${i * 7_919 % count}.jpg`);
    let turns = 0;
    const timer = setInterval(() => turns++);
    assert.deepEqual(await inNaturalOrder(names), names.toSorted(compare));
    clearInterval(timer);
    assert.ok(count < 30_000 || turns >= 3, `${turns} turns`);
  }
});
