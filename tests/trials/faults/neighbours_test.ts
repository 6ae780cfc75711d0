/**
 * Sixteen cameras, ten minutes in calm and ten while eight of them do wrong:
 * `deno task test:faults neighbours`. FRAMELANE_TEST_SECONDS shortens each of the two.
 */
import assert from "node:assert/strict";
import { type Arrival, assertSame, neighbours } from "../../faults/neighbours.ts";
import { say } from "../../support/trial_report.ts";

const FPS = 5;
const SECONDS = Number(Deno.env.get("FRAMELANE_TEST_SECONDS") ?? "600");
/** Of the throughput in calm. */
const LEAST_KEPT = 0.99;
/** Of the p99 in calm. */
const MOST_LATER = 1.2;

type Phase = readonly (readonly Arrival[])[];

/** Frames a second of each camera, from its first frame to the arrival of its last output. */
const rates = (phase: Phase) =>
  phase.map((all) => 1000 * all.length / (all.at(-1)!.arrived - all[0]!.taken));

/** Latencies of all frames, in order of their size. */
const latencies = (phase: Phase) =>
  phase.flat().map(({ taken, arrived }) => arrived - taken).sort((a, b) => a - b);

const percentile = (sorted: readonly number[], part: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!;

Deno.test("sixteen cameras, one of each kind of wrong: the others continue as if alone", async () => {
  const frames = FPS * SECONDS;
  const run = await neighbours({ first: 20 * FPS, frames, fps: FPS, spins: true, executors: 2 });
  assertSame(run);
  const [calm, disturbed] = [latencies(run.calm), latencies(run.disturbed)];
  const before = rates(run.calm);
  const kept = Math.min(...rates(run.disturbed).map((rate, i) => rate / before[i]!));
  for (const part of [0.5, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1]) {
    say(`${part}: ${percentile(calm, part)} ${percentile(disturbed, part)}`);
  }
  const p99 = (sorted: readonly number[]) => percentile(sorted, 0.99);
  say(
    `8 good cameras, ${SECONDS} s at ${FPS} frames/s: equal outputs; p99 ${p99(calm)} ms in calm, ` +
      `${p99(disturbed)} ms beside 8 bad ones; the slowest kept ${(100 * kept).toFixed(2)} % of ` +
      `its throughput; longest ${calm.at(-1)} and ${disturbed.at(-1)} ms`,
  );
  const failed = run.said.filter((line) => /PARTITION-[0-7] (failed|blocks|puts)/.test(line));
  assert.deepEqual(failed, [], "what was said of the good cameras");
  assert.ok(kept >= LEAST_KEPT, "the good cameras keep 99 % of their throughput");
  assert.ok(p99(disturbed) <= MOST_LATER * p99(calm), "their p99 is at most a fifth higher");
});
