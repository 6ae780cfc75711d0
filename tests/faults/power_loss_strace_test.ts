/** Power failures, replayed on a copy of the files. `FRAMELANE_TEST_CRASHES` takes more moments. */
import assert from "node:assert/strict";
import { EmbeddedLog } from "../../runtime/log/embedded/log.ts";
import { readAll } from "../contracts/log_contract_kit.ts";
import { withFolder } from "../support/folder.ts";
import { Random } from "../support/random.ts";
import { crash, record, type Recording } from "./power_loss.ts";
import { powerRecord } from "./power_record.ts";

const CRASHES = Number(Deno.env.get("FRAMELANE_TEST_CRASHES") ?? 12);
const APPENDS = 90;
const CHILD = `${import.meta.dirname}/power_child.ts`;

/** How many of the acknowledged records must be there: all, or those that a second is over for. */
function owed({ said }: Recording, at: number, sync: "always" | "interval") {
  const before = (key: string, moment: number) =>
    said.filter(({ at, line }) => key in line && at < moment);
  const end = sync === "always" ? at : before("synced", at).at(-1)?.at ?? 0;
  return { appended: before("appended", end).length, commits: before("committed", at).length };
}

async function inspect(dir: string, least: ReturnType<typeof owed>, what: string) {
  const log = new EmbeddedLog(`embedded:${dir}`, { onWarning: () => {} });
  try {
    const partitions = await log.partitionCount("t");
    assert.ok(partitions === 2 || least.appended <= 0, what);
    for (let partition = 0; partition < partitions; partition++) {
      const frames = await readAll(log, "t", partition);
      frames.forEach((frame, i) => {
        assert.equal(frame.offset, i, what);
        if (frame.fault !== undefined) {
          assert.ok(i >= least.appended, `${what}: ${i} is lost`);
          return;
        }
        assert.deepEqual({ ...frame.value }, { ...powerRecord("t", partition, i).value }, what);
      });
      assert.ok(frames.length >= least.appended, `${what}: ${frames.length} of ${least.appended}`);
    }
    const done = (await log.checkpoints())[0]?.committed?.batchId ?? -1;
    assert.ok(done + 1 >= least.commits, `${what}: ${done + 1} of ${least.commits} commits`);
    const outputs = await log.partitionCount("out") === 0 ? [] : await readAll(log, "out", 0);
    assert.equal(outputs.length, done + 1, `${what}: outputs and checkpoint`);
    outputs.slice(0, least.commits).forEach((frame, i) => {
      assert.equal(frame.fault, undefined, what);
      assert.deepEqual({ ...frame.value }, { ...powerRecord("out", 0, i).value }, what);
    });
  } finally {
    await log.close();
  }
}

for (const sync of ["always", "interval"] as const) {
  Deno.test(
    `power fails at any moment, sync=${sync}: what was acknowledged is there, nothing is half`,
    async () => {
      await withFolder(async (folder) => {
        const dir = `${folder}/log`;
        const recording = await record(dir, [
          ...["run", "--no-prompt", `--allow-read=${dir}`, `--allow-write=${dir}`],
          ...[CHILD, `embedded:${dir}?sync=${sync}`, `${APPENDS}`],
        ]);
        assert.equal(recording.said.filter(({ line }) => "appended" in line).length, APPENDS);
        const random = Random.fromEnvironment(23);
        const { at: begin } = recording.said[0]!;
        for (let i = 0; i < CRASHES; i++) {
          const at = begin + (recording.end - begin) * (i + 0.5) / CRASHES;
          const copy = `${folder}/crash-${i}`;
          await crash(recording, at, dir, copy, random);
          await inspect(
            copy,
            owed(recording, at, sync),
            `crash ${i} after ${(at - begin).toFixed(3)} s`,
          );
          await Deno.remove(copy, { recursive: true });
        }
      });
    },
  );
}
