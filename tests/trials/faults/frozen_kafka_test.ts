/** A runtime that owns its partitions by name and is frozen for longer than a transaction may be open. */
import assert from "node:assert/strict";
import { brokerTrial, during } from "../../faults/broker.ts";
import { reportRow } from "../../support/trial_report.ts";

/** A transaction may be open for 15 s, and Kafka looks every 10 s for those that are. */
const FROZEN_MS = 27_000;
/** Not every request is part of a transaction: until one was, but at most this often. */
const [FEWEST, MOST] = [3, 8];
const INSIDE = /Cannot commit batch .*; restarting/;

Deno.test("a runtime is frozen inside its transactions: it takes its partitions again, no other has them", async () => {
  const { verdict, recoveryMs } = await brokerTrial(1, async ({ kafka, bed, recovered }) => {
    const runtime = bed.start("--partitions", "0,1");
    await bed.owns(runtime, bed.partitions);
    const inside = () => runtime.said.some((line) => INSIDE.test(line));
    for (let time = 0; time < FEWEST || !inside(); time++) {
      assert.ok(time < MOST, `never inside a transaction: ${runtime.output()}`);
      // Whatever is asked for now is answered when the client is gone.
      await kafka.pause();
      await during(100);
      runtime.signal("SIGSTOP");
      kafka.resume();
      await during(FROZEN_MS);
      runtime.signal("SIGCONT");
      await recovered();
    }
    assert.ok(!runtime.hasEnded, runtime.output());
  }, { framesPerSecond: 100 });
  reportRow({
    fault: `runtime frozen for ${FROZEN_MS / 1000} s, partitions by name, Kafka`,
    repetitions: recoveryMs.length,
    verdict,
    recoveryMs,
  });
});
