import assert from "node:assert/strict";

const kit = new URL("../../../tools/kafka/kit.ts", import.meta.url).href;

Deno.test("without Java, and without a way to install it, it says what to install", async () => {
  const cacheDir = await Deno.makeTempDir();
  try {
    const program = `
      const { kafkaKit } = await import(${JSON.stringify(kit)});
      try {
        await kafkaKit({ cacheDir: ${JSON.stringify(cacheDir)} });
      } catch (error) {
        await Deno.stdout.write(new TextEncoder().encode(error.name + ": " + error.message));
      }`;
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", program],
      clearEnv: true,
      env: { PATH: cacheDir, HOME: cacheDir },
    }).output();
    assert.match(
      new TextDecoder().decode(stdout),
      /^KitError: Cannot continue without java \(17 or newer, for a local Apache Kafka\): install /,
    );
  } finally {
    await Deno.remove(cacheDir, { recursive: true });
  }
});
