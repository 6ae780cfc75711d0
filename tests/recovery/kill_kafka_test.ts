/**
 * kill -9 on Kafka, at every step of a batch and at instants between: the short version of
 * `deno task test:recovery`.
 */
import assert from "node:assert/strict";
import { uniqueName, withKafkaLog } from "../support/kafka.ts";
import { Random } from "../support/random.ts";
import { RecoveryBed, trials } from "./bed.ts";

Deno.test("kill -9 at 8 points on Kafka: outputs as if nothing had happened", async () => {
  await withKafkaLog(async (url, log, folder) => {
    const bed = new RecoveryBed({ log, url, source: uniqueName("kill"), folder });
    await bed.prepare();
    for (const trial of trials(8, Random.fromEnvironment(2))) await bed.run(trial);
    assert.ok(bed.killed >= 6, `only ${bed.killed} kills came in time`);
  });
});
