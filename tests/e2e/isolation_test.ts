/**
 * A query that misbehaves leaves the others alone.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { FramelaneProcess } from "../support/framelane.ts";
import { whilePublishing, withLog } from "../support/log.ts";

const queryFile = (name: string) =>
  fileURLToPath(new URL(`../support/queries/${name}.ts`, import.meta.url));

const end = (process: FramelaneProcess, partition: number) =>
  process.progress(partition).at(-1)?.sources[0]?.endOffset["VideoStreaming"]?.[partition] ?? 0;

for (const executors of [[], ["--executors", "1"]]) {
  const where = executors.length === 0 ? "lanes with an executor each" : "lanes that share one";
  Deno.test(`a lane that holds its thread does not hold the others: ${where}`, async () => {
    await blocked(executors);
  });
}

async function blocked(executors: readonly string[]): Promise<void> {
  await withLog(async (url, log, directory) => {
    const marker = `${directory}/marker`;
    await log.createTopic("VideoStreaming", 3);
    await using process = new FramelaneProcess([
      "queries",
      queryFile("blocking"),
      "--log",
      url,
      ...executors,
      "--session-timeout",
      "1500",
      "--port",
      "off",
      "--json",
    ], { env: { FRAMELANE_TEST_MARKER: marker } });
    await whilePublishing(log, 3, async () => {
      await process.until(
        "the block",
        (p) => p.said.some((line) => line.includes("blocks its thread")),
      );
      const before = [end(process, 1), end(process, 2)];
      await process.until(
        "the others to continue while it lasts",
        (p) => end(p, 1) > before[0]! + 50 && end(p, 2) > before[1]! + 50,
      );
      await Deno.writeTextFile(marker, "");
      await process.until(
        "the end of the block",
        // Where all this took more than ten seconds the executor was ended before.
        (p) => p.said.some((line) => /continues|was abandoned/.test(line)),
      );
      await process.until("the blocker itself", (p) => end(p, 0) > 60);
    });
    assert.equal(await process.stop(), 0, process.output());
    const moved = process.said.filter((line) => line.includes(" moves: ")).length;
    assert.equal(moved, executors.length === 0 ? 0 : 2, process.output());
  });
}

Deno.test("a query that throws starts again and says why; the others never stop", async () => {
  await withLog(async (url, log, directory) => {
    await log.createTopic("VideoStreaming", 2);
    await using process = new FramelaneProcess([
      "queries",
      queryFile("failing"),
      "--log",
      url,
      "--port",
      "off",
      "--json",
    ], { env: { FRAMELANE_TEST_MARKER: `${directory}/marker` } });
    await whilePublishing(
      log,
      2,
      () => process.until("the failing lane to recover", (p) => end(p, 0) > 20),
    );
    assert.equal(await process.stop(), 0, process.output());
    const failures = process.said.filter((line) => line.includes("This frame is cursed"));
    assert.equal(failures.length, 2, process.output());
    assert.equal(new Set(process.progress(1).map(({ runId }) => runId)).size, 1);
  });
});
