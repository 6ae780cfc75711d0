// `deno task kafka`: runs a real Apache Kafka in the foreground.
import { resolve } from "node:path";
import { aborted } from "../../runtime/base/wait.ts";
import { startKafka } from "../../tools/kafka/start.ts";
import { KAFKA_VERSION } from "../../tools/kafka/kit.ts";
import { KitError } from "../../tools/kafka/node.ts";
import { command, parsers } from "../command.ts";

/** Folder of the current one that keeps the server's jars. */
const JARS = ".cache";

export const kafka = command({
  options: {
    port: {
      value: "PORT",
      help: "Port for clients, on 127.0.0.1",
      default: 9092,
      parse: parsers.integer(1, 65_535),
    },
    data: {
      value: "DIR",
      help: "Folder that keeps the topics between runs",
      default: ".framelane/kafka",
      opens: "folder",
    },
  },
  needs: {
    runs: ["sh", "java", "/usr/bin/java", "mvn", "/usr/bin/mvn", "/usr/bin/apt-get"],
    sys: ["uid"],
    local: true,
    writes: [JARS],
  },
  async run({ options }, { signal, print, say }) {
    const begun = performance.now();
    try {
      const { bootstrap, node, stop } = await startKafka({
        port: options.port,
        dataDir: options.data,
        cacheDir: resolve(JARS, `kafka-${KAFKA_VERSION}`),
        say,
      });
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      print(`kafka://${bootstrap}`);
      say(`Apache Kafka ${KAFKA_VERSION} started in ${seconds} s, data in ${options.data}`);
      say("Stop with Ctrl-C");
      const stopped = aborted(signal).then(() => "stopped" as const);
      const end = await Promise.race([stopped, node.ended]);
      if (end !== "stopped" && !signal.aborted) {
        say(`Kafka ended by itself with ${end}: see ${node.logFile}`, "error");
        return 1;
      }
      await stop();
      say("Kafka has stopped");
      return 0;
    } catch (error) {
      if (!(error instanceof KitError)) throw error;
      say(
        `${error.message}${
          /port .* in use/.test(error.message) ? ": choose another with --port" : ""
        }`,
        "error",
      );
      return 1;
    }
  },
});
