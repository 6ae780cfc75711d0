/** Everything is killed, stopped and given other clocks at once, on Kafka. */
import { withKafka, withKafkaLog } from "../../support/kafka.ts";
import { everythingTrials } from "./everything_trials.ts";

everythingTrials("Kafka", (test) =>
  // A broker of its own: the topics have the usual names.
  withKafka({}, (kafka) =>
    withKafkaLog((url, log, folder) =>
      test({ log, url, folder }), `kafka://${kafka.bootstrap}`)));
