// The configuration of a local Apache Kafka node.

/** A listener that clients use besides, or instead of, the plain one. */
export interface ListenerSecurity {
  /** What clients speak. `PLAINTEXT` by default. */
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

/** Addresses of a node. All listen on 127.0.0.1. */
export interface NodePorts {
  readonly client: number;
  /** What is advertised instead: the port of a relay in front of it. */
  readonly advertised?: number;
  /** Of the controllers' quorum. */
  readonly controller: number;
  /** Plain listener between brokers, where clients' own is a secured one. */
  readonly internal: number;
}

/** All that the configuration of a node depends on. */
export interface NodeConfiguration {
  readonly id: number;
  readonly ports: NodePorts;
  /** Every node's controller port, by node id. */
  readonly quorum: Readonly<Record<number, number>>;
  readonly dataDir: string;
  readonly security: ListenerSecurity;
  /** Port of the ZooKeeper that takes the place of the controllers' quorum. */
  readonly zooKeeper?: number;
  readonly extra: Readonly<Record<string, string | number | boolean>>;
}

/** True where clients cannot talk plainly and the brokers need a listener of their own. */
export function needsInternalListener(security: ListenerSecurity, relayed = false): boolean {
  return security.protocol !== "PLAINTEXT" || relayed;
}

/** The text of `server.properties`. */
export function serverProperties(configuration: NodeConfiguration): string {
  const { id, ports, quorum, dataDir, security, zooKeeper, extra } = configuration;
  const replicas = Math.min(3, Object.keys(quorum).length);
  const internal = needsInternalListener(security, ports.advertised !== undefined);
  const listenersAt = (client: number) => [
    `CLIENT://127.0.0.1:${client}`,
    ...(internal ? [`INTERNAL://127.0.0.1:${ports.internal}`] : []),
  ];
  const listeners = listenersAt(ports.client);
  const protocols = [
    "CONTROLLER:PLAINTEXT",
    `CLIENT:${security.protocol}`,
    ...(internal ? ["INTERNAL:PLAINTEXT"] : []),
  ];
  const voters = Object.entries(quorum).map(([voter, port]) => `${voter}@127.0.0.1:${port}`);
  const controllers = zooKeeper === undefined
    ? {
      "process.roles": "broker,controller",
      "node.id": id,
      "controller.quorum.voters": voters.join(","),
      "controller.listener.names": "CONTROLLER",
      "listeners": [...listeners, `CONTROLLER://127.0.0.1:${ports.controller}`].join(","),
    }
    : {
      "broker.id": id,
      "zookeeper.connect": `127.0.0.1:${zooKeeper}`,
      "zookeeper.session.timeout.ms": 4000,
      "listeners": listeners.join(","),
    };
  return render({
    ...controllers,
    "advertised.listeners": listenersAt(ports.advertised ?? ports.client).join(","),
    "listener.security.protocol.map": protocols.join(","),
    "inter.broker.listener.name": internal ? "INTERNAL" : "CLIENT",
    "log.dirs": dataDir,

    // Frames: an encoded image may be large, and the client that knows the partitions creates the topic.
    "message.max.bytes": 16 * 1024 * 1024,
    "replica.fetch.max.bytes": 16 * 1024 * 1024,
    "auto.create.topics.enable": false,
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,

    // One partition each: they are created at their first use, and that is what start-up waits for.
    "offsets.topic.num.partitions": 1,
    "offsets.topic.replication.factor": replicas,
    "transaction.state.log.num.partitions": 1,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": Math.max(1, replicas - 1),
    "share.coordinator.state.topic.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": replicas,
    "share.coordinator.state.topic.min.isr": Math.max(1, replicas - 1),
    "default.replication.factor": replicas,
    "min.insync.replicas": Math.max(1, replicas - 1),

    // How long a killed node must wait until its successor may take its name: 9 s by default.
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 4000,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    ...securityProperties(security),
    ...extra,
  });
}

function securityProperties(security: ListenerSecurity): Record<string, string> {
  const properties: Record<string, string> = {};
  const prefix = "listener.name.client";
  if (security.protocol.endsWith("SSL")) {
    if (security.certificateFile === undefined) {
      throw new TypeError(
        `Cannot configure a ${security.protocol} listener: certificateFile is missing`,
      );
    }
    const store = security.certificateFile.endsWith(".p12");
    properties[`${prefix}.ssl.keystore.type`] = store ? "PKCS12" : "PEM";
    properties[`${prefix}.ssl.keystore.location`] = security.certificateFile;
    if (security.certificatePassword !== undefined) {
      properties[`${prefix}.ssl.keystore.password`] = security.certificatePassword;
      properties[`${prefix}.ssl.key.password`] = security.certificatePassword;
    }
  }
  if (security.protocol.startsWith("SASL")) {
    const mechanisms = security.mechanisms ?? ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
    properties["sasl.enabled.mechanisms"] = mechanisms.join(",");
    if (mechanisms.includes("PLAIN")) {
      const users = Object.entries(security.users ?? {})
        .map(([user, password]) => ` user_${user}="${password}"`).join("");
      properties[`${prefix}.plain.sasl.jaas.config`] =
        `org.apache.kafka.common.security.plain.PlainLoginModule required${users};`;
    }
    for (const mechanism of mechanisms.filter((name) => name.startsWith("SCRAM"))) {
      properties[`${prefix}.${mechanism.toLowerCase()}.sasl.jaas.config`] =
        "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    }
  }
  return properties;
}

/** The text of a Java properties file. */
export function render(
  properties: Readonly<Record<string, string | number | boolean>>,
): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${String(value).replaceAll("\\", "\\\\")}\n`).join("");
}

/** Kafka's own log goes to a file beside its data, bounded: two files of 10 MB. */
export function log4jProperties(file: string): string {
  return render({
    "rootLogger.level": "info",
    "rootLogger.appenderRef.file.ref": "file",
    "appender.file.type": "RollingFile",
    "appender.file.name": "file",
    "appender.file.fileName": file,
    "appender.file.filePattern": `${file}.%i`,
    "appender.file.layout.type": "PatternLayout",
    "appender.file.layout.pattern": "%d %p %m (%c)%n",
    "appender.file.policies.type": "Policies",
    "appender.file.policies.size.type": "SizeBasedTriggeringPolicy",
    "appender.file.policies.size.size": "10MB",
    "appender.file.strategy.type": "DefaultRolloverStrategy",
    "appender.file.strategy.max": "1",
  });
}
