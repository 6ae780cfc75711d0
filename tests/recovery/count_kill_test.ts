/** kill -9 of a query that follows and counts: ids and counts are those of a run in peace. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { BATCH_STEPS, CRASH_VARIABLE } from "./crash.ts";
import { records } from "../support/frames.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { withLog } from "../support/log.ts";

const MODULE = fileURLToPath(new URL("../support/queries/counted.ts", import.meta.url));
const FRAMES = 120;

Deno.test("kill -9 at every step of a batch: tracks and counts continue as if nothing had happened", async () => {
  await withLog(async (url, log, folder) => {
    await log.createTopic("Walkers", 1);
    const producer = await log.producer();
    const frames = records(1, FRAMES).map((record) => ({
      ...record,
      headers: { ...record.headers, width: "200", height: "180", session: "a" },
    }));
    await producer.append("Walkers", 0, frames);
    await producer.close();
    const start = (name: string, crash?: string) =>
      new FramelaneProcess([
        ...["queries", MODULE, "--log", url, "--topic", "Walkers", "--group", name],
        ...["--sink", `events:${folder}/${name}.jsonl`, "--port", "off", "--executors", "1"],
        ...["--trigger", "available-now", "--json"],
      ], {
        permissions: ["--allow-run"],
        env: crash === undefined ? {} : { [CRASH_VARIABLE]: crash },
      });
    const undisturbed = start("peace");
    assert.equal(await undisturbed.ended(), 0, undisturbed.output());
    for (const [index, step] of BATCH_STEPS.entries()) {
      const crash = `${step}:${1 + index % 3}`;
      const killed = start("war", crash);
      assert.equal(await killed.ended(), 137, `${crash}: ${killed.output()}`);
    }
    const last = start("war");
    assert.equal(await last.ended(), 0, last.output());
    const [peace, war] = await Promise.all(
      ["peace", "war"].map((name) => Deno.readTextFile(`${folder}/${name}.jsonl`)),
    );
    const lines = peace!.trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(lines.length, FRAMES);
    const { counts } = lines.at(-1);
    assert.ok(counts.door.in > 3 && counts.door.out > 3, JSON.stringify(counts));
    const strip = (text: string) => text.replaceAll('"counted"', "");
    assert.equal(strip(war!), strip(peace!));
  });
});
