/**
 * Sixteen cameras for ten minutes, eight of which do wrong: `deno task test:faults neighbours`.
 *
 * FRAMELANE_TEST_SECONDS shortens it.
 */
import assert from "node:assert/strict";
import { assertSame, neighbours, type NeighboursRun } from "../../faults/neighbours.ts";
import { say } from "../../support/trial_report.ts";

const FPS = 5;
const SECONDS = Number(Deno.env.get("FRAMELANE_TEST_SECONDS") ?? "600");

Deno.test("sixteen cameras, one of each kind of wrong: the others continue as if alone", async () => {
  const options = { frames: FPS * SECONDS, fps: FPS, executors: 2 };
  const undisturbed = await neighbours(options);
  const disturbed = await neighbours({ ...options, evil: true });
  assertSame(disturbed, undisturbed);
  const p99 = ({ progress }: NeighboursRun) => {
    const all = progress.flatMap(({ latencies }) => latencies?.e2eLatencyMs.P99 ?? []);
    return all.sort((a, b) => a - b)[all.length >> 1];
  };
  const kept = undisturbed.seconds / disturbed.seconds;
  const ended = ({ said }: NeighboursRun) =>
    said.filter((line) => /PARTITION-[0-7] (failed|blocks)/.test(line)).length;
  say(
    `8 good cameras, ${SECONDS} s at ${FPS} frames/s: equal outputs; p99 (median of the reports) ` +
      `${p99(undisturbed)} ms undisturbed, ${p99(disturbed)} ms beside 8 bad ones; throughput ` +
      `${(100 * kept).toFixed(1)} % of undisturbed; ` +
      `${ended(disturbed)} of their runs failed`,
  );
  assert.ok(kept >= 0.99, "the good cameras keep 99 % of their throughput");
});
