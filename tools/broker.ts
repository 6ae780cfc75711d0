// The Apache Kafka that the tests run against.

export interface TestBroker {
  /** `host:port`, or several separated by commas. */
  readonly address: string;
  /** One line that says which broker it is and how it was started. */
  readonly way: string;
  stop(): Promise<void>;
}

export const BROKER_VARIABLE = "FRAMELANE_TEST_KAFKA";

/**
 * Provides the tests with a broker: the one named in the environment, else one started from Kafka's jars.
 *
 * @throws {Error} if it cannot be started.
 */
export async function startTestBroker(say: (line: string) => void): Promise<TestBroker> {
  const given = Deno.env.get(BROKER_VARIABLE);
  if (given) {
    const way = `Kafka: the one at ${given} (${BROKER_VARIABLE})`;
    return { address: given, way, async stop() {} };
  }
  const { startKafka } = await import("./kafka/start.ts");
  const { bootstrap: address, stop } = await startKafka({
    say,
    properties: {
      // The default is ten seconds, for which a test would have to wait.
      "transaction.abort.timed.out.transaction.cleanup.interval.ms": 100,
    },
  });
  return { address, way: `Kafka: its own jars, at ${address}`, stop };
}
