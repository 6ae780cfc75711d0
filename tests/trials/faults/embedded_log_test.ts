/** The embedded log's folder is damaged, copied and deleted, with processes that use it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import { openLog } from "../../../runtime/log/open.ts";
import { deletedUnder } from "../../faults/deleted_log.ts";
import { framelane } from "../../support/framelane.ts";
import { readAll, whilePublishing, withLog } from "../../support/log.ts";
import { sha256 } from "../../support/checker.ts";
import { withFolder } from "../../support/folder.ts";
import { records } from "../../support/frames.ts";
import { Random } from "../../support/random.ts";
import { reportRow } from "../../support/trial_report.ts";

const [DAMAGES, COPIES, DELETIONS] = [200, 12, 5];
const flawless = { lost: 0, doubled: 0, reordered: 0 };

async function segmentsOf(dir: string): Promise<string[]> {
  const folder = join(dir, "segments", "VideoStreaming-0");
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => join(folder, name))
    .toSorted();
}

Deno.test("segments with a flipped bit, or cut: that frame is a dead letter, all others are as they were", async () => {
  await withFolder(async (dir) => {
    const url = `embedded:${dir}/log?retention-bytes=20000000`;
    const log = await openLog(url);
    await log.createTopic("VideoStreaming", 1);
    const producer = await log.producer();
    for (let i = 0; i < 100; i++) {
      await producer.append("VideoStreaming", 0, records(1, 3, { from: 3 * i }));
    }
    const sums = (await readAll(log, "VideoStreaming", 0)).map(({ value }) => sha256(value));
    await log.close();
    const random = new Random(1);
    for (let i = 0; i < DAMAGES; i++) {
      const files = await segmentsOf(`${dir}/log`);
      const file = random.pick(files);
      const whole = await Deno.readFile(file);
      const at = random.whole(0, whole.length - 1);
      const damaged = whole.slice();
      damaged[at]! ^= 1 << random.whole(0, 7);
      await Deno.writeFile(file, i % 2 === 0 ? damaged : whole.subarray(0, at));
      const again = await openLog(url);
      const frames = await readAll(again, "VideoStreaming", 0);
      await again.close();
      const bad = frames.filter(({ fault }) => fault !== undefined).length;
      assert.equal(frames.length, sums.length);
      assert.ok(i % 2 === 0 ? bad === 1 : bad >= 1, `${bad} frames`);
      frames.forEach(({ value, fault, offset }, n) => {
        assert.equal(offset, n);
        if (fault === undefined) assert.equal(sha256(value), sums[n]);
      });
      await Deno.writeFile(file, whole);
    }
  });
  reportRow({
    fault: "a segment with a bit flipped, or cut: that frame, or those cut off, are dead letters",
    repetitions: DAMAGES,
    verdict: flawless,
  });
});

Deno.test("a log that is copied while it is written: a backup is whole, a copy by cp is reported", async () => {
  let told = 0;
  await withLog(async (_url, log, dir) => {
    await log.createTopic("VideoStreaming", 2);
    await whilePublishing(log, 2, async () => {
      for (let i = 0; i < COPIES; i++) {
        await (log as EmbeddedLog).backup(`${dir}/backup${i}`);
        const checked = await framelane(["log", "check", "--log", `embedded:${dir}/backup${i}`]);
        assert.equal(checked.code, 0, checked.process.output());
        assert.match(checked.process.output(), /all intact/);
        await new Deno.Command("cp", { args: ["-r", `${dir}/log`, `${dir}/copy${i}`] }).output();
        const copy = await framelane(["log", "check", "--log", `embedded:${dir}/copy${i}`]);
        // It may be torn: never without a word.
        if (/is a copy of log|is damaged/.test(copy.process.output())) told++;
      }
    });
  });
  assert.equal(told, COPIES);
  reportRow({
    fault:
      "a log copied while cameras write: `log backup` is whole, `cp -r` is reported when it is opened",
    repetitions: 2 * COPIES,
    verdict: flawless,
  });
});

Deno.test("a log that is deleted under a camera and a query: both stop by name", async () => {
  const afterMs: number[] = [];
  for (let i = 0; i < DELETIONS; i++) afterMs.push(...await deletedUnder());
  reportRow({
    fault: "the log is deleted under a camera and a query: both say so and end with 1",
    repetitions: DELETIONS,
    verdict: flawless,
    recoveryMs: afterMs,
  });
});
