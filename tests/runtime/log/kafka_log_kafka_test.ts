/** The obligations of every log, on a real Kafka. */
import type { TopicLog } from "../../../runtime/log/log.ts";
import { logContract } from "../../contracts/log_contract.ts";
import { kafkaUrl, openPatiently, withAdmin } from "../../support/kafka.ts";

logContract("Kafka", {
  async open() {
    const url = kafkaUrl();
    const logs: TopicLog[] = [await openPatiently(url)];
    return {
      log: logs[0]!,
      async reopen() {
        const log = await openPatiently(url);
        logs.push(log);
        return log;
      },
      expire: (topic, partition, before) =>
        withAdmin(async (admin) => {
          await admin.deleteRecords({
            topics: [{ name: topic, partitions: [{ partition, offset: BigInt(before) }] }],
          });
        }),
      async cleanup() {
        await Promise.all(logs.map((log) => log.close()));
      },
    };
  },
  childFlags: () => ["--allow-net", "--allow-env", "--allow-read", "--allow-sys", "--allow-ffi"],
  sessionTimeoutMs: 6_000,
  tooLargeBytes: 17 * 1024 * 1024,
});
