/** A broker that is away for 70 s, in every way, mid-run and at start. */
import { type BrokerTrial, brokerTrial, during } from "../../faults/broker.ts";
import { reportRow } from "../../support/trial_report.ts";

const AWAY_MS = 70_000;

const FAULTS: Record<string, (trial: BrokerTrial) => Promise<void>> = {
  "Kafka stopped for 70 s": async ({ kafka }) => {
    await kafka.nodes[0]!.stop();
    await during(AWAY_MS);
    await kafka.nodes[0]!.start();
  },
  "Kafka killed, back after 70 s": async ({ kafka }) => {
    await kafka.nodes[0]!.kill();
    await during(AWAY_MS);
    await kafka.nodes[0]!.start();
  },
  "Kafka held for 70 s": async ({ kafka }) => {
    await kafka.nodes[0]!.pause();
    await during(AWAY_MS);
    kafka.nodes[0]!.resume();
  },
  "Kafka away at start, for 70 s": async ({ kafka, bed }) => {
    await kafka.nodes[0]!.stop();
    bed.start();
    await during(AWAY_MS);
    await kafka.nodes[0]!.start();
  },
};

for (const [fault, happen] of Object.entries(FAULTS)) {
  Deno.test(fault, async () => {
    const { verdict, recoveryMs } = await brokerTrial(1, async (trial) => {
      const { bed, recovered } = trial;
      if (!fault.includes("at start")) await bed.owns(bed.start(), bed.partitions);
      await happen(trial);
      await recovered();
    });
    reportRow({ fault, repetitions: 1, verdict, recoveryMs });
  });
}
