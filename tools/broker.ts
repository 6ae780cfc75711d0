// The Apache Kafka that the tests run against.
import { fromFileUrl } from "./paths.ts";
import { run } from "./run.ts";

export interface TestBroker {
  /** `host:port`, or several separated by commas. */
  readonly address: string;
  /** One line that says which broker it is and how it was started. */
  readonly way: string;
  stop(): Promise<void>;
}

export const BROKER_VARIABLE = "FRAMELANE_TEST_KAFKA";

/**
 * Provides the tests with a broker: the one named in the environment, else one from Docker Compose
 * if a Docker engine responds, else one started from Kafka's own jars.
 *
 * @throws {Error} if it cannot be started.
 */
export async function startTestBroker(say: (line: string) => void): Promise<TestBroker> {
  const given = Deno.env.get(BROKER_VARIABLE);
  if (given) {
    return {
      address: given,
      way: `Kafka: the one at ${given} (${BROKER_VARIABLE})`,
      async stop() {},
    };
  }
  return await hasDockerEngine() ? await startWithCompose() : await startFromJars(say);
}

/** True if a Docker engine with Compose is available: a client alone cannot start anything. */
async function hasDockerEngine(): Promise<boolean> {
  const engine = await run("docker", ["info", "--format", "{{.ServerVersion}}"]);
  if (engine?.code !== 0) return false;
  return (await run("docker", ["compose", "version"]))?.code === 0;
}

async function startWithCompose(): Promise<TestBroker> {
  const file = fromFileUrl(new URL("../compose.yaml", import.meta.url));
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const project = ["compose", "-f", file, "-p", `framelane-test-${Deno.pid}`];
  // Compose requires every variable of the file, even those of services that do not start.
  const env = { FRAMELANE_KAFKA_PORT: String(port), FRAMELANE_TOKEN: crypto.randomUUID() };
  const down = () => run("docker", [...project, "down", "--volumes"], { env });
  const up = await run("docker", [...project, "up", "--detach", "--wait", "kafka"], { env });
  if (up?.code !== 0) {
    await down();
    throw new Error(`Cannot start Kafka with Docker Compose: ${up?.output.trim()}`);
  }
  return {
    address: `127.0.0.1:${port}`,
    way: `Kafka: Docker Compose, at 127.0.0.1:${port}`,
    stop: async () => void await down(),
  };
}

async function startFromJars(say: (line: string) => void): Promise<TestBroker> {
  const { startKafka } = await import("./kafka/start.ts");
  const kafka = await startKafka({
    say,
    properties: {
      "auto.create.topics.enable": false,
      // The default is ten seconds, for which a test would have to wait.
      "transaction.abort.timed.out.transaction.cleanup.interval.ms": 100,
    },
  });
  return {
    address: kafka.bootstrap,
    way: `Kafka: its own jars, since no Docker engine responds, at ${kafka.bootstrap}`,
    stop: () => kafka.stop(),
  };
}
