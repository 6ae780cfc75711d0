/** KafkaJS, a client of others, on the test run's broker. */
import { Kafka, logLevel } from "kafkajs";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import { kafkaAddress } from "./kafka.ts";

// KafkaJS checks every millisecond for requests to send, also where none waits, and goes on after it
// has disconnected when a response comes late (tulios/kafkajs#1704).
const { scheduleCheckPendingRequests } = RequestQueue.prototype;
RequestQueue.prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
};
// It says this about itself at every start.
Deno.env.set("KAFKAJS_NO_PARTITIONER_WARNING", "1");

/** KafkaJS on this broker. */
export function kafkajs(broker = kafkaAddress()): Kafka {
  return new Kafka({ clientId: "foreign", brokers: [broker], logLevel: logLevel.NOTHING });
}
