import assert from "node:assert/strict";
import { Admin } from "@platformatic/kafka";
import { kafka as command } from "../../../cli/commands/kafka.ts";
import { startKafka } from "../../../tools/kafka/start.ts";
import { KitError } from "../../../tools/kafka/node.ts";
import { brokersSeenFrom, freePort, portInUse } from "../../../tools/kafka/probe.ts";
import { startCluster } from "../../support/cluster.ts";
import { smallBroker } from "../../support/kafka.ts";
import { PATIENCE_MS, until } from "../../support/until.ts";

async function topicsOf(bootstrap: string): Promise<string[]> {
  const admin = new Admin({
    clientId: "test",
    bootstrapBrokers: [bootstrap],
    timeout: PATIENCE_MS,
  });
  try {
    return await admin.listTopics();
  } finally {
    await admin.close();
  }
}

async function createTopic(bootstrap: string, name: string): Promise<void> {
  const admin = new Admin({
    clientId: "test",
    bootstrapBrokers: [bootstrap],
    timeout: PATIENCE_MS,
  });
  try {
    await admin.createTopics({ topics: [name], partitions: 1, replicas: 1 });
  } finally {
    await admin.close();
  }
}

Deno.test("a local Kafka keeps its data over a kill, a restart and a new start", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "kafka \u{1f4f7} für Räume " });
  try {
    const first = await startKafka({ dataDir });
    try {
      await createTopic(first.bootstrap, "kept");
      assert.ok((await Deno.stat(`${dataDir}/node-1/data/meta.properties`)).isFile);
      await assert.rejects(startKafka({ dataDir }), {
        name: "KitError",
        message: /^Cannot start Kafka with its data in .*: another one uses this folder; choose/,
      });
      await assert.rejects(startKafka({ dataDir: `${dataDir}/lock` }), { name: "KitError" });
      await first.node.kill();
      await first.node.ended;
      await first.node.start();
      assert.deepEqual(await topicsOf(first.bootstrap), ["kept"]);
    } finally {
      await first.stop();
    }
    const again = await startKafka({ dataDir });
    try {
      assert.deepEqual(await topicsOf(again.bootstrap), ["kept"]);
    } finally {
      await again.stop();
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a paused node does not answer, a resumed one does", async () => {
  const kafka = await startCluster(smallBroker);
  try {
    const port = Number(kafka.bootstrap.split(":")[1]);
    await kafka.pause();
    await until("it is held", async () => await brokersSeenFrom(port, 300) === 0);
    kafka.resume();
    await until("the broker answers again", async () => await brokersSeenFrom(port) === 1);
  } finally {
    await kafka.stop();
  }
});

Deno.test("Kafka ends with the program that started it, even if that is killed", async () => {
  const start = new URL("../../../tools/kafka/start.ts", import.meta.url).href;
  const dataDir = await Deno.makeTempDir();
  const program = `
    const { startKafka } = await import(${JSON.stringify(start)});
    console.log((await startKafka({ dataDir: ${JSON.stringify(dataDir)} })).bootstrap);`;
  const starter = new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const lines = starter.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await lines.read();
  const port = Number(value.split(":")[1]);
  assert.equal(await brokersSeenFrom(port), 1);
  starter.kill("SIGKILL");
  await starter.status;
  await lines.cancel();
  await until("Kafka has ended", () => !portInUse(port));
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("a port in use is refused by name", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    await assert.rejects(startKafka({ port: listener.addr.port }), (error: Error) => {
      assert.ok(error instanceof KitError);
      assert.equal(
        error.message,
        `Cannot start Kafka on port ${listener.addr.port}: the port is in use`,
      );
      return true;
    });
  } finally {
    listener.close();
  }
});

Deno.test("a configuration that Kafka refuses is reported with Kafka's reason", async () => {
  await assert.rejects(
    startKafka({ properties: { "message.max.bytes": "many" } }),
    /Cannot start Kafka: it ended with 1: .*message\.max\.bytes/,
  );
});

Deno.test("the command prints the address, and stops when it is asked to", async () => {
  const dataDir = await Deno.makeTempDir();
  const port = freePort();
  const abort = new AbortController();
  const printed: string[] = [];
  const said: string[] = [];
  try {
    const code = await command.run({ positionals: [], options: { port, data: dataDir } }, {
      signal: abort.signal,
      print: (line) => {
        printed.push(line);
        abort.abort();
      },
      say: (line) => said.push(line),
    });
    assert.equal(code, 0, said.join("\n"));
    assert.deepEqual(printed, [`kafka://127.0.0.1:${port}`]);
    assert.equal(said.at(-1), "Kafka has stopped");
    assert.equal(await brokersSeenFrom(port), 0);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
