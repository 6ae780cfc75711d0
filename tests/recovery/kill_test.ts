/**
 * kill -9 on the embedded log, at every step of a batch and at instants between: the short version of
 * `deno task test:recovery`.
 */
import assert from "node:assert/strict";
import { BATCH_STEPS, crashAt } from "./crash.ts";
import { withLog } from "../support/log.ts";
import { Random } from "../support/random.ts";
import { RecoveryBed, trials } from "./bed.ts";

Deno.test("kill -9 at 10 points on the embedded log: outputs as if nothing had happened", async () => {
  await withLog(async (url, log, folder) => {
    const bed = new RecoveryBed({ log, url, source: "VideoStreaming", folder });
    await bed.prepare();
    for (const trial of trials(10, Random.fromEnvironment(1))) await bed.run(trial);
    assert.ok(bed.killed >= 8, `only ${bed.killed} kills came in time`);
  });
});

Deno.test("kill -9 at 4 points over access units of H.264: outputs as if nothing had happened", async () => {
  await withLog(async (url, log, folder) => {
    const bed = new RecoveryBed({ log, url, source: "VideoStreaming", folder, video: true });
    await bed.prepare();
    for (const trial of trials(4, Random.fromEnvironment(2))) await bed.run(trial);
    assert.ok(bed.killed >= 3, `only ${bed.killed} kills came in time`);
  });
});

Deno.test("a crash is off unless it is asked for, and comes at the step and count that is", () => {
  assert.equal(crashAt(undefined), undefined);
  assert.equal(crashAt(""), undefined);
  const reached: string[] = [];
  let crashes = 0;
  const onStep = crashAt("commit.before:2", () => crashes++)!;
  for (let batch = 0; batch < 3; batch++) {
    for (const step of BATCH_STEPS) {
      onStep(step);
      if (crashes === 0) reached.push(step);
    }
  }
  assert.equal(crashes, 1);
  assert.deepEqual(
    reached,
    [...BATCH_STEPS, ...BATCH_STEPS.slice(0, BATCH_STEPS.indexOf("commit.before"))],
  );
  for (const wrong of ["commit", "plan:0", "plan:x", "plan"]) {
    assert.throws(() => crashAt(wrong), /FRAMELANE_CRASH_AT .*expected STEP:N.*commit\.before/);
  }
});
