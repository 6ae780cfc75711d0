/**
 * Sixteen cameras, ten minutes in calm and ten while eight of them do wrong:
 * `deno task test:faults neighbours`. FRAMELANE_TEST_SECONDS shortens each of the two.
 */
import assert from "node:assert/strict";
import { type Arrival, assertSame, neighbours } from "../../faults/neighbours.ts";
import { say } from "../../support/trial_report.ts";

const FPS = 5;
const SECONDS = Number(Deno.env.get("FRAMELANE_TEST_SECONDS") ?? "600");
/** Frames until everything has started and its code is compiled. */
const WARM_UP = 20 * FPS;
/** Of the throughput in calm. */
const LEAST_KEPT = 0.99;
/** The p99 may be a fifth above that in calm, or this many milliseconds: less than the processor's turns. */
const MOST_LATER = 1.2;
const MOST_LATER_MS = 10;
/** The first wrongs cost the neighbours more: these seconds are judged by their longest latency alone. */
const FIRST_S = Math.min(60, SECONDS / 2);
const MOST_FIRST_MS = 5000;

type Phase = readonly (readonly Arrival[])[];

/** Frames a second of each camera, from its first frame to the arrival of its last output. */
const rates = (phase: Phase) =>
  phase.map((all) => 1000 * all.length / (all.at(-1)!.arrived - all[0]!.taken));

/** The latency that 99 % of the frames stay below, and the longest, milliseconds. */
function latencies(phase: Phase): { readonly p99: number; readonly longest: number } {
  const all = phase.flat().map(({ taken, arrived }) => arrived - taken).sort((a, b) => a - b);
  return { p99: all[Math.ceil(0.99 * all.length) - 1]!, longest: all.at(-1)! };
}

/** What came when the first wrongs were over. */
const later = (phase: Phase) => phase.map((all) => all.slice(FIRST_S * FPS));

Deno.test("sixteen cameras, one of each kind of wrong: the others continue as if alone", async () => {
  const frames = FPS * SECONDS;
  const run = await neighbours({
    first: WARM_UP,
    frames,
    fps: FPS,
    spins: true,
    executors: 2,
  });
  assertSame(run);
  const before = rates(run.calm);
  const kept = Math.min(...rates(run.disturbed).map((rate, i) => rate / before[i]!));
  const calm = latencies(run.calm);
  const whole = latencies(run.disturbed);
  const settled = latencies(later(run.disturbed));
  say(
    `8 good cameras, ${SECONDS} s at ${FPS} frames/s in calm, ${SECONDS} s beside 8 bad ones: equal ` +
      `outputs; p99 ${calm.p99} ms in calm, ${whole.p99} ms beside the bad ones, ${settled.p99} ms ` +
      `after the first ${FIRST_S} s; longest ${calm.longest}, ${whole.longest}, ` +
      `${settled.longest} ms; the slowest camera kept ${
        (100 * kept).toFixed(2)
      } % of its throughput`,
  );
  const wronged = run.said.filter((line) => /PARTITION-[0-7] (failed|blocks|puts)/.test(line));
  assert.deepEqual(wronged, [], "nothing is said of the good cameras");
  assert.ok(kept >= LEAST_KEPT, "the good cameras keep 99 % of their throughput");
  const most = Math.max(MOST_LATER * calm.p99, calm.p99 + MOST_LATER_MS);
  assert.ok(settled.p99 <= most, `their p99 is at most ${most} ms after the first ${FIRST_S} s`);
  assert.ok(whole.longest <= MOST_FIRST_MS, `none of their frames takes ${MOST_FIRST_MS} ms`);
});
