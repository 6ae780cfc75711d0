// Faults of a broker under running queries and cameras, short and long.
import type { KafkaCluster } from "../support/cluster.ts";
import { GroupBed } from "../recovery/group_bed.ts";
import type { Verdict } from "../support/checker.ts";
import { say } from "../support/trial_report.ts";
import { withKafka, withKafkaLog } from "../support/kafka.ts";

/** What a trial is made with. */
export interface BrokerTrial {
  readonly kafka: KafkaCluster;
  readonly bed: GroupBed;
  /** Waits for the first frames after a fault, and notes how long that took. */
  recovered(): Promise<void>;
}

/** Runs a trial on a cluster of its own; fails when anything is lost, doubled, reordered or changed. */
export async function brokerTrial(
  nodes: number,
  trial: (parts: BrokerTrial) => Promise<void>,
  { framesPerSecond = 20 }: { framesPerSecond?: number } = {},
): Promise<{ verdict: Verdict; recoveryMs: number[] }> {
  const recoveryMs: number[] = [];
  let verdict: Verdict | undefined;
  await withKafka({ nodes }, (kafka) =>
    withKafkaLog(
      async (url, log, folder) => {
        const bed = new GroupBed({
          log,
          url,
          source: "VideoStreaming",
          folder,
          framesPerSecond,
          partitions: 2,
          sessionTimeoutMs: 3000,
        });
        const recovered = async () => {
          const ms = await bed.untilAllMove();
          recoveryMs.push(ms);
          say(`first frames ${Math.round(ms)} ms after the fault`);
        };
        verdict = await bed.run((bed) => trial({ kafka, bed, recovered }));
      },
      `kafka://${kafka.bootstrap}`,
    ));
  return { verdict: verdict!, recoveryMs };
}

/** Waits: a fault takes its time. */
export function during(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
