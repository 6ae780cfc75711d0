/** The network between a runtime and its broker, slowed and cut. */
import { during } from "../../faults/broker.ts";
import { GroupBed } from "../../recovery/group_bed.ts";
import { withKafka, withKafkaLog } from "../../support/kafka.ts";
import { reportRow } from "../../support/trial_report.ts";
import { type Network, network } from "./network.ts";

const CUT_MS = Number(Deno.env.get("FRAMELANE_TEST_CUT_MS") ?? 30_000);

const FAULTS: Record<string, { delayMs: number; happen: (cable: Network) => Promise<void> }> = {
  "network cut": {
    delayMs: 0,
    async happen(cable) {
      await cable.cut();
      await during(CUT_MS);
      await cable.heal();
    },
  },
  "network slow, 100 ms each way, and cut": {
    delayMs: 100,
    async happen(cable) {
      await during(CUT_MS);
      await cable.cut();
      await during(CUT_MS);
      await cable.heal();
    },
  },
};

for (const [fault, { delayMs, happen }] of Object.entries(FAULTS)) {
  Deno.test(fault, async () => {
    await withKafka({}, (kafka) =>
      withKafkaLog(
        async (url, log, folder) => {
          const cable = await network(Number(kafka.bootstrap.split(":")[1]), delayMs);
          try {
            const bed = new GroupBed({
              log,
              url,
              source: "VideoStreaming",
              folder,
              partitions: 2,
              sessionTimeoutMs: 6000,
              framesPerSecond: 10,
              within: cable.within,
            });
            const recoveryMs: number[] = [];
            const verdict = await bed.run(async (bed) => {
              await bed.owns(bed.start(), bed.partitions);
              await happen(cable);
              recoveryMs.push(await bed.untilAllMove());
            });
            reportRow({ fault, repetitions: 1, verdict, recoveryMs });
          } finally {
            await cable.remove();
          }
        },
        `kafka://${kafka.bootstrap}`,
      ));
  });
}
