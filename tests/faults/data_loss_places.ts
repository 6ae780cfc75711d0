// Logs on which frames can be made to expire.
import { deleteRecords } from "../runtime/log/embedded_kit.ts";
import { uniqueName, withAdmin, withKafkaLog } from "../support/kafka.ts";
import { withLog } from "../support/log.ts";
import type { DataLossPlace } from "./data_loss.ts";

/** Runs a trial on the test run's broker. */
export async function withKafkaPlace(
  trial: (place: DataLossPlace) => Promise<void>,
): Promise<void> {
  await withKafkaLog((url, log) =>
    trial({
      log,
      url,
      topic: uniqueName("expire"),
      expire: (name, before) =>
        withAdmin(async (admin) => {
          await admin.deleteRecords({
            topics: [{ name, partitions: [{ partition: 0, offset: BigInt(before) }] }],
          });
        }),
    })
  );
}

/** Runs a trial on an embedded log of its own. */
export async function withEmbeddedPlace(
  trial: (place: DataLossPlace) => Promise<void>,
): Promise<void> {
  await withLog((url, log) =>
    trial({
      log,
      url,
      topic: "VideoStreaming",
      expire: (topic, before) => deleteRecords(log, topic, 0, before),
    })
  );
}
