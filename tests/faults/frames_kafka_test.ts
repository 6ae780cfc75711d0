/** Faulty frames on Kafka. */
import { openLog } from "../../runtime/log/open.ts";
import { kafkaUrl, uniqueName } from "../support/kafka.ts";
import { frameFaults } from "./frames.ts";

frameFaults("Kafka", async (test) => {
  const url = kafkaUrl();
  const log = await openLog(url);
  try {
    const topic = uniqueName("faulty");
    await test({ url, log, topic, out: `${topic}-out`, mostBytes: 16 * 1024 * 1024 });
  } finally {
    await log.close();
  }
});
