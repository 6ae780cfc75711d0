/** Faulty frames on Kafka. */
import { uniqueName, withKafkaLog } from "../support/kafka.ts";
import { frameFaults } from "./frames.ts";

/** What topics of Framelane take. */
const MOST_BYTES = 16 * 1024 * 1024;

frameFaults("Kafka", (test) =>
  withKafkaLog((url, log) => {
    const topic = uniqueName("faulty");
    return test({ url, log, topic, out: `${topic}-out`, mostBytes: MOST_BYTES });
  }));
