/**
 * Runtimes that freeze, wake up, die and leave on Kafka: a zombie writes nothing after its successor has
 * started, and partitions move in time.
 */
import { uniqueName, withKafkaLog } from "../support/kafka.ts";
import { say } from "../support/trial_report.ts";
import { GroupBed, twins } from "./group_bed.ts";

const SESSION_TIMEOUT_MS = 6000;

function withBed(name: string, trial: (bed: GroupBed) => Promise<void>): Promise<void> {
  return withKafkaLog(async (url, log, folder) => {
    const source = uniqueName(name);
    await new GroupBed({ log, url, source, folder, sessionTimeoutMs: SESSION_TIMEOUT_MS })
      .run(trial);
  });
}

Deno.test("SIGSTOP, kill -9 and Ctrl-C on Kafka: partitions move in time, the zombie writes nothing", async () => {
  await withBed("zombie", async (bed) => {
    const first = bed.start();
    await bed.owns(first, bed.partitions);
    const second = bed.start();
    await bed.owns(second, 1);

    first.signal("SIGSTOP");
    const stopped = await bed.untilAllMove();
    await bed.owns(second, bed.partitions);
    // The zombie wakes up in the middle of whatever it did, finds itself fenced and joins again.
    first.signal("SIGCONT");
    await bed.owns(first, 1);

    await bed.kill(second);
    const killed = await bed.untilAllMove();
    await bed.owns(first, bed.partitions);

    const third = bed.start();
    await bed.owns(third, 1);
    const leaving = performance.now();
    await bed.stop(first);
    await bed.untilAllMove();
    const left = performance.now() - leaving;
    say(`moved after SIGSTOP ${stopped | 0} ms, kill -9 ${killed | 0} ms, Ctrl-C ${left | 0} ms`);
  });
});

Deno.test("two runtimes on the same partitions without a group on Kafka: one writes, the other ends and says why", async () => {
  await withBed("twins", twins);
});
