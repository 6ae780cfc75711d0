// The configuration of a local Apache Kafka.

/** Properties by name; those that are undefined are not written. */
export type Properties = Readonly<Record<string, string | number | boolean | undefined>>;

/** What the configuration of a broker depends on. It listens on 127.0.0.1. */
export interface BrokerPlace {
  readonly port: number;
  readonly controller: number;
  readonly dataDir: string;
}

/** The content of `server.properties`, for one broker that is its own controller. */
export function serverProperties({ port, controller, dataDir }: BrokerPlace): Properties {
  return {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${controller}`,
    "controller.listener.names": "CONTROLLER",
    "listeners": `CLIENT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": `CLIENT://127.0.0.1:${port}`,
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT",
    "inter.broker.listener.name": "CLIENT",
    "log.dirs": dataDir,

    // Frames: an encoded image may be large, and the client that knows the partitions creates the topic.
    "message.max.bytes": 16 * 1024 * 1024,
    "replica.fetch.max.bytes": 16 * 1024 * 1024,
    "auto.create.topics.enable": false,
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,

    // One partition each: they are created at their first use, and that is what start-up waits for.
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    ...replication(1),

    // How long a killed node must wait until its successor may take its name: 9 s by default.
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 4000,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
  };
}

/** Replicas of topics; all but one must be in sync. */
export function replication(replicas: number): Properties {
  const least = Math.max(1, replicas - 1);
  return {
    "offsets.topic.replication.factor": replicas,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": least,
    "share.coordinator.state.topic.replication.factor": replicas,
    "share.coordinator.state.topic.min.isr": least,
    "default.replication.factor": replicas,
    "min.insync.replicas": least,
  };
}

/**
 * For brokers of tests and benchmarks, whose frames may have times of 1970: by default a broker deletes what is
 * older than a week, first 30 s after its start.
 */
export const KEEP_ALL: Properties = { "log.retention.ms": -1 };

/** A file of properties. Java reads it as Latin-1, so other characters are written as escapes. */
export function render(properties: Properties): string {
  const escaped = (value: unknown) =>
    String(value).replaceAll("\\", "\\\\").replaceAll(
      /[^ -~]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  return Object.entries(properties).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${escaped(value)}\n`).join("");
}

/** Kafka's own log: at most two files of 10 MB beside its data. */
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
