/** Three brokers: a rolling restart, and leaders that are killed, with all replicas asked for each frame. */
import { brokerTrial, during } from "../../faults/broker.ts";
import { reportRow } from "../../support/trial_report.ts";

for (
  const [fault, end] of [
    ["rolling restart of three Kafka nodes", "stop"],
    ["three Kafka nodes killed in turn", "kill"],
  ] as const
) {
  Deno.test(fault, async () => {
    const { verdict, recoveryMs } = await brokerTrial(3, async ({ kafka, bed, recovered }) => {
      await bed.owns(bed.start(), bed.partitions);
      for (const node of kafka.nodes) {
        await node[end]();
        // Two nodes are enough: the third is not waited for.
        await recovered();
        await node.start();
        // Replicas catch up before the next one goes.
        await during(5000);
        await recovered();
      }
    });
    reportRow({ fault, repetitions: 3, verdict, recoveryMs });
  });
}
