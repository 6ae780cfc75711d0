// The ZooKeeper that Apache Kafka before 4.0 may keep its metadata in.
import { type NodeParts, runJava } from "../../../tools/kafka/node.ts";
import { join } from "node:path";
import { freePort } from "../../../tools/kafka/probe.ts";
import { log4jProperties, render } from "../../../tools/kafka/properties.ts";

const MAIN = "org.apache.zookeeper.server.ZooKeeperServerMain";

/** Starts it, with its data below `root`. Brokers wait for it themselves. */
export async function startZooKeeper(
  parts: NodeParts,
  root: string,
): Promise<{ readonly port: number; kill(): Promise<void> }> {
  const dir = join(root, "zookeeper");
  const port = freePort();
  await Deno.mkdir(dir, { recursive: true });
  await Deno.writeTextFile(
    join(dir, "server.properties"),
    render({
      "dataDir": join(dir, "data"),
      "clientPort": port,
      "clientPortAddress": "127.0.0.1",
      "admin.enableServer": false,
      "maxClientCnxns": 0,
      "tickTime": 500,
    }),
  );
  await Deno.writeTextFile(
    join(dir, "log4j2.properties"),
    log4jProperties(join(dir, "zookeeper.log")),
  );
  const process = runJava(parts, dir, ["-Xmx128m", "-XX:TieredStopAtLevel=1"], MAIN);
  return { port, kill: () => process.end("SIGKILL") };
}
