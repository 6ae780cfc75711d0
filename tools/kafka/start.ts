// Starts a local Apache Kafka without Docker: one broker that is its own controller (KRaft), as a process of
// this machine.
import { join, resolve } from "node:path";
import { messageOf } from "../../runtime/base/errors.ts";
import { ifThere } from "../../runtime/base/folders.ts";
import { kafkaKit, type KitOptions } from "./kit.ts";
import { KafkaNode, KitError, randomId } from "./node.ts";
import { freePort, portInUse } from "./probe.ts";
import { KEEP_ALL, type Properties } from "./properties.ts";

export interface StartOptions extends KitOptions {
  /** Port for clients. A free one by default. */
  readonly port?: number;
  /** Folder of the data; by default one that is removed at the end. */
  readonly dataDir?: string;
  /** Overrides `server.properties`. */
  readonly properties?: Properties;
}

export interface LocalKafka {
  /** `127.0.0.1:port`, as a Kafka client wants it. */
  readonly bootstrap: string;
  readonly node: KafkaNode;
  stop(): Promise<void>;
}

/**
 * Starts Kafka and resolves when it serves clients.
 *
 * @throws {KitError} when Java, Maven or the jars are missing, the port is in use, or it does not start.
 *
 * @example
 * ```ts
 * import { startKafka } from "./start.ts";
 *
 * const kafka = await startKafka({ port: 9092, dataDir: ".framelane/kafka" });
 * console.info(kafka.bootstrap);
 * await kafka.stop();
 * ```
 */
export async function startKafka(options: StartOptions = {}): Promise<LocalKafka> {
  const { port = freePort(), dataDir, properties = {} } = options;
  if (portInUse(port)) {
    throw new KitError(`Cannot start Kafka on port ${port}: the port is in use`);
  }
  const parts = await kafkaKit(options);
  const temporary = dataDir === undefined;
  const root = temporary ? await Deno.makeTempDir({ prefix: "kafka-" }) : resolve(dataDir);
  const dir = join(root, "node-1");
  const node = new KafkaNode(parts, { id: 1, port, dir, flags: ["-Xmx1024m", "-Xms64m"] });
  const lock = await lockFolder(root);
  const clean = async () => {
    lock.close();
    if (temporary) await ifThere(Deno.remove(root, { recursive: true }));
  };
  try {
    await node.configure(freePort(), { ...(temporary ? KEEP_ALL : {}), ...properties });
    await node.format(await clusterIdOf(root));
    await node.start();
  } catch (error) {
    await node.kill();
    await clean();
    throw error;
  }
  return {
    bootstrap: node.address,
    node,
    async stop() {
      await node.stop();
      await clean();
    },
  };
}

/** Kafka truncates its metadata before it checks whether another broker uses them: the one that runs would end. */
async function lockFolder(root: string): Promise<Deno.FsFile> {
  const action = `Cannot start Kafka with its data in ${root}`;
  let lock: Deno.FsFile;
  try {
    await Deno.mkdir(root, { recursive: true });
    lock = await Deno.open(join(root, "lock"), { create: true, write: true });
  } catch (error) {
    throw new KitError(`${action}: ${messageOf(error)}`);
  }
  if (await lock.tryLock(true)) return lock;
  lock.close();
  throw new KitError(`${action}: another one uses this folder; choose another with --data`);
}

/** A data folder belongs to one cluster forever. */
export async function clusterIdOf(root: string): Promise<string> {
  const file = join(root, "cluster-id");
  const known = await ifThere(Deno.readTextFile(file));
  if (known !== undefined) return known.trim();
  const id = randomId();
  await Deno.mkdir(root, { recursive: true });
  await Deno.writeTextFile(file, `${id}\n`);
  return id;
}
