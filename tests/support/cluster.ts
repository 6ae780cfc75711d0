// A Kafka cluster of the test's own: one node or several, each both broker and controller (KRaft), or brokers
// of a ZooKeeper, each a process of this machine that can be stopped, killed, paused and restarted.
import { join, resolve } from "node:path";
import { ifThere } from "../../runtime/base/folders.ts";
import { kafkaKit, type KitOptions } from "../../tools/kafka/kit.ts";
import { KafkaNode, KitError, type NodeParts } from "../../tools/kafka/node.ts";
import { brokersSeenFrom, freePort } from "../../tools/kafka/probe.ts";
import { KEEP_ALL, type Properties, replication } from "../../tools/kafka/properties.ts";
import { clusterIdOf } from "../../tools/kafka/start.ts";
import { freeze } from "./freeze.ts";
import { PATIENCE_MS } from "./until.ts";

/** A listener that clients use instead of the plain one. */
export interface ListenerSecurity {
  readonly protocol: "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  /**
   * PEM file with private key and certificate chain, or a PKCS #12 store (`.p12`); needed by `SSL` and
   * `SASL_SSL`.
   */
  readonly certificateFile?: string;
  /** Password of a PKCS #12 store. */
  readonly certificatePassword?: string;
  /** SASL mechanisms that are accepted. `PLAIN`, `SCRAM-SHA-256` and `SCRAM-SHA-512` by default. */
  readonly mechanisms?: readonly string[];
  /** Passwords by user name. Letters, digits and `-._~` only: Kafka's own files quote poorly. */
  readonly users?: Readonly<Record<string, string>>;
}

export interface ClusterOptions extends KitOptions {
  /** Ports that the nodes advertise instead of their own: of relays in front of them. */
  readonly advertised?: readonly number[];
  /** Where the data stays. A folder that is removed at the end by default. */
  readonly dataDir?: string;
  /** Starts a ZooKeeper, required before 3.3 and not accepted since 4.0. */
  readonly zooKeeper?: (
    parts: NodeParts,
    root: string,
  ) => Promise<{ readonly port: number; kill(): Promise<void> }>;
  /** Number of nodes, 1 by default. With three, topics have three replicas and need two. */
  readonly nodes?: number;
  /** Wins over the lines of `server.properties`. */
  readonly properties?: Properties;
  /** Where each node stands (`broker.rack`). */
  readonly racks?: readonly string[];
  /** How clients get in. Plainly by default. */
  readonly security?: ListenerSecurity;
  /** Java heap of each node, MiB. */
  readonly heapMb?: number;
  /** More switches for Java, e.g. `-XX:TieredStopAtLevel=1` for a start with half the work. */
  readonly jvmFlags?: readonly string[];
  /** How long the start may take, milliseconds. */
  readonly timeoutMs?: number;
}

/** A node that can be held (SIGSTOP): connections stay, nothing answers. */
class HeldNode extends KafkaNode {
  async pause(): Promise<void> {
    if (this.pid !== 0) await freeze(this.pid);
  }

  resume(): void {
    try {
      if (this.pid !== 0) Deno.kill(this.pid, "SIGCONT");
    } catch (error) {
      // It has ended.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  override async stop(): Promise<void> {
    this.resume();
    await super.stop();
  }
}

/** A cluster that was started. The methods without a node concern all of them. */
export interface KafkaCluster {
  /** Addresses of all nodes, separated by commas, as a Kafka client wants them. */
  readonly bootstrap: string;
  /** Of the first node. */
  readonly pid: number;
  readonly nodes: readonly HeldNode[];
  stop(): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): void;
}

/** Starts Kafka and resolves when every node serves clients. */
export async function startCluster(options: ClusterOptions = {}): Promise<KafkaCluster> {
  const { dataDir, nodes: count = 1, security = { protocol: "PLAINTEXT" } } = options;
  const {
    advertised,
    racks = [],
    heapMb = 1024,
    properties = {},
    jvmFlags = [],
    timeoutMs = PATIENCE_MS,
  } = options;
  const parts = await kafkaKit(options);
  const temporary = dataDir === undefined;
  const root = temporary ? await Deno.makeTempDir({ prefix: "kafka-" }) : resolve(dataDir);
  const ports = Array.from({ length: count }, () => ({
    port: freePort(),
    controller: freePort(),
    internal: freePort(),
  }));
  const voters = ports.map(({ controller }, index) => `${index + 1}@127.0.0.1:${controller}`);
  // Where clients cannot talk plainly, or not directly, brokers need a listener of their own.
  const inner = security.protocol !== "PLAINTEXT" || advertised !== undefined;
  const clusterId = await clusterIdOf(root);
  const zooKeeper = await options.zooKeeper?.(parts, root);
  const nodes = await Promise.all(ports.map(async ({ port, controller, internal }, index) => {
    const id = index + 1;
    const dir = join(root, `node-${id}`);
    const node = new HeldNode(parts, {
      ...{ id, port, dir, timeoutMs, flags: [`-Xmx${heapMb}m`, "-Xms64m", ...jvmFlags] },
      ...(inner ? { probePort: internal } : {}),
    });
    const listenersAt = (client: number) => [
      `CLIENT://127.0.0.1:${client}`,
      ...(inner ? [`INTERNAL://127.0.0.1:${internal}`] : []),
    ];
    const protocols = `CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENT:${security.protocol}`;
    await node.configure(controller, {
      ...replication(Math.min(3, count)),
      "node.id": id,
      "controller.quorum.voters": voters.join(","),
      "listeners": [...listenersAt(port), `CONTROLLER://127.0.0.1:${controller}`].join(","),
      "advertised.listeners": listenersAt(advertised?.[index] ?? port).join(","),
      "listener.security.protocol.map": protocols,
      "inter.broker.listener.name": inner ? "INTERNAL" : "CLIENT",
      ...(zooKeeper === undefined ? {} : {
        ...{ "process.roles": undefined, "node.id": undefined, "broker.id": id },
        ...{ "controller.quorum.voters": undefined, "controller.listener.names": undefined },
        "listeners": listenersAt(port).join(","),
        "zookeeper.connect": `127.0.0.1:${zooKeeper.port}`,
        "zookeeper.session.timeout.ms": 4000,
      }),
      ...securityProperties(security),
      "broker.rack": racks[index],
      ...KEEP_ALL,
      ...properties,
    });
    if (zooKeeper === undefined) await node.format(clusterId, credentials(security));
    return node;
  }));
  const all = (action: (node: HeldNode) => Promise<void>) => Promise.all(nodes.map(action));
  const clean = async () => {
    await zooKeeper?.kill();
    if (temporary) await ifThere(Deno.remove(root, { recursive: true }));
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
    pause: async () => void await all((node) => node.pause()),
    resume: () => nodes.forEach((node) => node.resume()),
  };
  try {
    await all((node) => node.start());
    await allSeen(ports.map(({ port, internal }) => inner ? internal : port), timeoutMs);
  } catch (error) {
    await cluster.kill();
    throw error;
  }
  return cluster;
}

/** Waits until every node knows all others: a topic with as many replicas can be made from then on. */
async function allSeen(ports: readonly number[], timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (const port of ports) {
    while (await brokersSeenFrom(port) < ports.length) {
      if (performance.now() > deadline) {
        throw new KitError(`Cannot start Kafka: its nodes did not meet within ${timeoutMs} ms`);
      }
      await new Promise((next) => setTimeout(next, 20));
    }
  }
}

const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/** Flags of Kafka's storage tool for the passwords of SCRAM. */
function credentials({ users = {}, mechanisms = MECHANISMS }: ListenerSecurity): string[] {
  return Object.entries(users).flatMap(([name, password]) =>
    mechanisms.filter((mechanism) => mechanism.startsWith("SCRAM")).flatMap((mechanism) => [
      "--add-scram",
      `${mechanism}=[name=${name},password=${password}]`,
    ])
  );
}

function securityProperties(security: ListenerSecurity): Properties {
  const { protocol, certificateFile, certificatePassword, users = {} } = security;
  const properties: Record<string, string | undefined> = {};
  const prefix = "listener.name.client";
  if (protocol.endsWith("SSL")) {
    if (certificateFile === undefined) {
      throw new TypeError(`Cannot configure a ${protocol} listener: certificateFile is missing`);
    }
    properties[`${prefix}.ssl.keystore.type`] = certificateFile.endsWith(".p12") ? "PKCS12" : "PEM";
    properties[`${prefix}.ssl.keystore.location`] = certificateFile;
    properties[`${prefix}.ssl.keystore.password`] = certificatePassword;
    properties[`${prefix}.ssl.key.password`] = certificatePassword;
  }
  if (protocol.startsWith("SASL")) {
    const { mechanisms = MECHANISMS } = security;
    properties["sasl.enabled.mechanisms"] = mechanisms.join(",");
    if (mechanisms.includes("PLAIN")) {
      const logins = Object.entries(users)
        .map(([user, password]) => ` user_${user}="${password}"`).join("");
      properties[`${prefix}.plain.sasl.jaas.config`] =
        `org.apache.kafka.common.security.plain.PlainLoginModule required${logins};`;
    }
    for (const mechanism of mechanisms.filter((name) => name.startsWith("SCRAM"))) {
      properties[`${prefix}.${mechanism.toLowerCase()}.sasl.jaas.config`] =
        "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    }
  }
  return properties;
}
