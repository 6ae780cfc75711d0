// A local Apache Kafka cluster without Docker: one node or several, each both broker and controller
// (KRaft), or brokers of a ZooKeeper, each a process of this machine that can be stopped, killed, paused and
// restarted.
import { kafkaKit, type KitOptions, removeIfThere } from "./kit.ts";
import { KitError, type NodeParts, type NodeProcess, runNode } from "./node.ts";
import { join, resolve } from "node:path";
import { brokersSeenFrom, freePort, portInUse } from "./probe.ts";
import {
  type ListenerSecurity,
  log4jProperties,
  needsInternalListener,
  type NodePorts,
  serverProperties,
} from "./properties.ts";
import { clusterIdOf, formatStorage } from "./storage.ts";

/** What to start. */
export interface KafkaOptions extends KitOptions {
  /** Client port of the first node. A free one by default. */
  readonly port?: number;
  /** Ports that the nodes advertise instead of their own: of relays in front of them. */
  readonly advertised?: readonly number[];
  /** Where the data stays. A directory that is removed at the end by default. */
  readonly dataDir?: string;
  /** Starts a ZooKeeper, required before 3.3 and not accepted since 4.0. */
  readonly zooKeeper?: (
    parts: NodeParts,
    root: string,
  ) => Promise<{ readonly port: number; kill(): Promise<void> }>;
  /** Number of nodes, 1 by default. With three, topics have three replicas and need two. */
  readonly nodes?: number;
  /** More of `server.properties`; wins over the defaults. */
  readonly extraProperties?: Readonly<Record<string, string | number | boolean>>;
  /** Where each node stands (`broker.rack`). */
  readonly racks?: readonly string[];
  /** How clients get in. Plainly by default. */
  readonly security?: ListenerSecurity;
  /** Java heap of each node, MiB. Default 1024. */
  readonly heapMb?: number;
  /** More switches for Java, e.g. `-XX:TieredStopAtLevel=1` for a start with half the work. */
  readonly jvmFlags?: readonly string[];
  /** How long the start may take. Default 60 000. */
  readonly timeoutMs?: number;
}

/** A cluster that was started. The methods without a node concern all of them. */
export interface KafkaCluster {
  /** Addresses of all nodes, separated by commas, as a Kafka client wants them. */
  readonly bootstrap: string;
  /** Of the first node. */
  readonly pid: number;
  readonly nodes: readonly KafkaNode[];
  stop(): Promise<void>;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
}

/**
 * Starts Kafka and resolves when every node serves clients.
 *
 * @throws {KitError} when Java, Maven or the jars are missing, the port is in use, or it does not start.
 *
 * @example
 * ```ts
 * import { startKafka } from "./cluster.ts";
 *
 * const kafka = await startKafka({ port: 9092, dataDir: ".framelane/kafka" });
 * console.info(kafka.bootstrap);
 * await kafka.stop();
 * ```
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const { port, dataDir, nodes: count = 1, security = { protocol: "PLAINTEXT" } } = options;
  const {
    advertised,
    racks = [],
    heapMb = 1024,
    timeoutMs = 60_000,
    extraProperties = {},
    jvmFlags = [],
  } = options;
  const flags = [`-Xmx${heapMb}m`, "-Xms64m", ...jvmFlags];
  if (!Number.isInteger(count) || count < 1 || count > 9) {
    throw new RangeError(`Cannot start ${count} Kafka nodes: expected 1 to 9`);
  }
  if (port !== undefined && portInUse(port)) {
    throw new KitError(`Cannot start Kafka on port ${port}: the port is in use`);
  }
  const parts = await kafkaKit(options);
  const temporary = dataDir === undefined;
  const root = temporary ? await Deno.makeTempDir({ prefix: "kafka-" }) : resolve(dataDir);
  const ports: NodePorts[] = Array.from({ length: count }, (_, index) => ({
    client: index === 0 && port !== undefined ? port : freePort(),
    controller: freePort(),
    ...(advertised === undefined ? {} : { advertised: advertised[index]! }),
    internal: needsInternalListener(security, advertised !== undefined) ? freePort() : 0,
  }));
  const quorum = Object.fromEntries(ports.map((of, index) => [index + 1, of.controller]));
  const clusterId = await clusterIdOf(root);
  const zooKeeper = await options.zooKeeper?.(parts, root);
  const nodes = await Promise.all(ports.map(async (of, index) => {
    const id = index + 1;
    const dir = join(root, `node-${id}`);
    const node = new KafkaNode(parts, { id, ports: of, dir, flags, timeoutMs });
    await Deno.mkdir(dir, { recursive: true });
    const configuration = {
      ...{ id, ports: of, quorum, dataDir: join(dir, "data"), security },
      ...(zooKeeper === undefined ? {} : { zooKeeper: zooKeeper.port }),
    };
    await Deno.writeTextFile(
      join(dir, "server.properties"),
      serverProperties({
        ...configuration,
        extra: { ...rackOf(racks[index]), ...extraProperties },
      }),
    );
    await Deno.writeTextFile(join(dir, "log4j2.properties"), log4jProperties(node.logFile));
    if (zooKeeper === undefined) await formatStorage(parts, dir, { clusterId, id, security });
    return node;
  }));
  const all = (action: (node: KafkaNode) => Promise<void>) => Promise.all(nodes.map(action));
  const clean = async () => {
    await zooKeeper?.kill();
    if (temporary) await removeIfThere(root);
  };
  const cluster: KafkaCluster = {
    bootstrap: nodes.map((node) => node.address).join(","),
    get pid() {
      return nodes[0]!.pid;
    },
    nodes,
    stop: async () => {
      await all((node) => node.stop());
      await clean();
    },
    kill: async () => {
      await all((node) => node.kill());
      await clean();
    },
    pause: () => nodes.forEach((node) => node.pause()),
    resume: () => nodes.forEach((node) => node.resume()),
  };
  try {
    await all((node) => node.start());
    await allSeen(nodes, timeoutMs);
  } catch (error) {
    await cluster.kill();
    throw error;
  }
  return cluster;
}

function rackOf(rack: string | undefined): Record<string, string> {
  return rack === undefined ? {} : { "broker.rack": rack };
}

/** Waits until every node knows all others: a topic with as many replicas can be made from then on. */
async function allSeen(nodes: readonly KafkaNode[], timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (const node of nodes) {
    while (await node.brokersSeen() < nodes.length) {
      if (performance.now() > deadline) {
        throw new KitError(`Cannot start Kafka: its nodes did not meet within ${timeoutMs} ms`);
      }
      await new Promise((next) => setTimeout(next, 20));
    }
  }
}

/** One node, which can be stopped, killed, held and started again. */
export class KafkaNode {
  readonly id: number;
  /** Where its clients connect: `127.0.0.1:port`. */
  readonly address: string;
  /** Kafka's own log. */
  readonly logFile: string;
  readonly #parts: NodeParts;
  readonly #dir: string;
  readonly #flags: readonly string[];
  readonly #timeoutMs: number;
  readonly #probePort: number;
  #process: NodeProcess | undefined;

  constructor(
    parts: NodeParts,
    of: {
      id: number;
      ports: NodePorts;
      dir: string;
      flags: readonly string[];
      timeoutMs: number;
    },
  ) {
    this.id = of.id;
    this.address = `127.0.0.1:${of.ports.client}`;
    this.logFile = join(of.dir, "broker.log");
    this.#parts = parts;
    this.#dir = of.dir;
    this.#flags = of.flags;
    this.#timeoutMs = of.timeoutMs;
    this.#probePort = of.ports.internal || of.ports.client;
  }

  /** Of the process that runs now, or ran last. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Resolves with the exit code when the process that runs now has ended. */
  get ended(): Promise<number> {
    return this.#process?.ended ?? Promise.resolve(0);
  }

  /** Starts it, on the same ports and data as before, and waits until it answers. */
  async start(): Promise<void> {
    const process = runNode(this.#parts, this.#dir, this.#flags);
    this.#process = process;
    let code: number | undefined;
    process.ended.then((ended) => code = ended);
    const deadline = performance.now() + this.#timeoutMs;
    while (await this.brokersSeen() === 0) {
      if (code !== undefined) {
        throw new KitError(
          `Cannot start Kafka: it ended with ${code}: ${await this.#reason(process)}`,
        );
      }
      if (performance.now() > deadline) {
        await this.kill();
        throw new KitError(
          `Cannot start Kafka: no answer on ${this.address} after ${this.#timeoutMs} ms: ${await this
            .#reason(process)}`,
        );
      }
      await new Promise((next) => setTimeout(next, 20));
    }
  }

  /** How many brokers of the cluster serve clients, as this one sees it. */
  brokersSeen(): Promise<number> {
    return brokersSeenFrom(this.#probePort);
  }

  async #reason(process: NodeProcess): Promise<string> {
    let log = "";
    try {
      log = await Deno.readTextFile(this.logFile);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    const lines = (log || await process.output).split("\n");
    const telling = lines.filter((line) => /ERROR|FATAL|Exception/.test(line));
    return `${(telling.at(-1) ?? lines.at(-2) ?? "no reason given").trim()} (see ${this.logFile})`;
  }

  /** Shuts it down in good order. */
  async stop(): Promise<void> {
    this.#process?.kill("SIGCONT");
    this.#process?.kill("SIGTERM");
    await this.#gone();
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#gone();
  }

  async #gone(): Promise<void> {
    await this.#process?.ended;
    await this.#process?.output;
  }

  /** Holds the process (SIGSTOP): connections stay, nothing answers. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  resume(): void {
    this.#process?.kill("SIGCONT");
  }
}
