// A Kafka that is not Apache's: franz-go's kfake, in memory, built by Go.
import { join, ROOT } from "../../../tools/paths.ts";
import { run } from "../../../tools/run.ts";
import { KitError } from "../../../tools/kafka/node.ts";
import { brokersSeenFrom, freePort } from "../../../tools/kafka/probe.ts";

/**
 * Starts three brokers and resolves when they answer.
 *
 * @param highest the highest versions of requests, by their numbers; −1 for a request that is unknown.
 * @throws {KitError} when Go is missing, or it does not build or start.
 */
export async function startKfake(
  highest: Readonly<Record<number, number>> = {},
): Promise<{ readonly bootstrap: string; stop(): Promise<void> }> {
  const program = join(ROOT, ".cache/kfake");
  const built = await run("go", ["build", "-o", program, "."], {
    cwd: join(ROOT, "tests/trials/brokers/kfake"),
  });
  if (built?.code !== 0) {
    throw new KitError(
      `Cannot build kfake: ${built?.output.trim() ?? "go: not found, install Go"}`,
    );
  }
  const ports = [freePort(), freePort(), freePort()];
  const versions = Object.entries(highest).map((pair) => pair.join(":")).join(",");
  const child = new Deno.Command(program, {
    args: ["-ports", ports.join(","), "-highest", versions],
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const stop = async () => {
    await child.stdin.close();
    await child.status;
  };
  const deadline = performance.now() + 10_000;
  while (await brokersSeenFrom(ports[0]!) < ports.length) {
    if (performance.now() > deadline) {
      await stop();
      throw new KitError("Cannot start kfake: no answer after 10 s");
    }
    await new Promise((next) => setTimeout(next, 20));
  }
  return { bootstrap: ports.map((port) => `127.0.0.1:${port}`).join(","), stop };
}
