import assert from "node:assert/strict";
import { BROKER_VARIABLE, startTestBroker } from "../../tools/broker.ts";
import { brokersSeenFrom } from "../../tools/kafka/probe.ts";
import { join, ROOT } from "../../tools/paths.ts";

Deno.test("A broker that is given is used, and left alone", async () => {
  const given = Deno.env.get(BROKER_VARIABLE);
  assert.ok(given, `${BROKER_VARIABLE} is set`);
  const broker = await startTestBroker(() => {});
  assert.equal(broker.address, given);
  assert.match(broker.way, /the one at/);
  await broker.stop();
  assert.notEqual(await brokersSeenFrom(Number(given.split(":")[1])), 0);
});

Deno.test("Without one, a broker of the tests' own is started, named to them, and stopped", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const test = `Deno.test("address", async () => {
      const [hostname, port] = Deno.env.get("${BROKER_VARIABLE}")!.split(":");
      (await Deno.connect({ hostname: hostname!, port: Number(port) })).close();
      await Deno.writeTextFile("${folder}/port", port!);
    });`;
    await Deno.writeTextFile(join(folder, "a_kafka_test.ts"), test);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      cwd: ROOT,
      args: ["task", "test", `--folder=${folder}`],
      env: { NO_COLOR: "1", [BROKER_VARIABLE]: "" },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    const err = decoder.decode(stderr);
    assert.match(decoder.decode(stdout), /\n1 passed, 0 failed\n$/, err);
    assert.match(err, /Kafka: its own jars/);
    const port = Number(await Deno.readTextFile(join(folder, "port")));
    await assert.rejects(
      Deno.connect({ hostname: "127.0.0.1", port }),
      Deno.errors.ConnectionRefused,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
