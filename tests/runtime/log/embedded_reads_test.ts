/** Frames that are read alone: found by the heads before them in their chunk, and nothing else is read with them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Frame } from "../../../runtime/definition/frame.ts";
import type { EmbeddedLog } from "../../../runtime/log/embedded/log.ts";
import type { ReadProblem } from "../../../runtime/log/log.ts";
import { append, readAll, record } from "../../contracts/log_contract_kit.ts";
import { inFolder, withLog } from "./embedded_kit.ts";

const [COUNT, STEP] = [40, 997];

/** Reads the frame at `offset` alone. */
async function alone(log: EmbeddedLog, offset: number): Promise<Frame> {
  const reader = await log.reader();
  const frames = await reader.open("t", 0, offset);
  const [frame] = await frames.read(1);
  assert.equal(frames.buffered, 0);
  await reader.close();
  return frame!;
}

const shown = ({ offset, value, fault }: Frame) => [offset, value, fault?.message];

Deno.test("embedded log: a frame that is read alone is what it is among others, whatever was damaged before it", async () => {
  await inFolder(async (dir) => {
    const url = `embedded:${dir}`;
    await withLog(url, async (log) => {
      await log.createTopic("t", 1);
      const sizes = Array.from({ length: COUNT }, (_, i) => 1 + i * 61 % 900);
      const values = sizes.map((size, i) => new Uint8Array(size).fill(i));
      await append(log, "t", 0, values.map((value, timestamp) => record(value, { timestamp })));
    });
    const folder = join(dir, "segments", "t-0");
    const [{ name }] = await Array.fromAsync(Deno.readDir(folder)) as [Deno.DirEntry];
    const whole = await Deno.readFile(join(folder, name));
    for (let at = -1; at < whole.length; at += STEP) {
      const damaged = whole.slice();
      if (at >= 0) damaged[at]! ^= 1;
      await Deno.writeFile(join(folder, name), damaged);
      await withLog(url, async (log) => {
        const frames = await readAll(log, "t", 0);
        assert.equal(frames.length, COUNT);
        assert.equal(frames.filter(({ fault }) => fault !== undefined).length, at < 0 ? 0 : 1);
        for (const frame of frames) {
          assert.deepEqual(shown(await alone(log, frame.offset)), shown(frame));
        }
        const lost = frames.findIndex(({ fault }) => fault !== undefined);
        // What cannot be read may be of any time.
        const found = await log.offsetForTime("t", 0, COUNT - 2);
        assert.ok(found === COUNT - 2 || found === lost, `${found}, damaged: ${lost}`);
      });
    }
  });
});

Deno.test("embedded log: what keeps a reader from reading is told, and when it is over", async () => {
  const { openSync } = Deno;
  await inFolder((dir) =>
    withLog(`embedded:${dir}`, async (log) => {
      await log.createTopic("t", 1);
      await append(log, "t", 0, [record("v")]);
      Deno.openSync = (path, options) => {
        if (!`${path}`.endsWith(".seg")) return openSync(path, options);
        throw new Error("Too many open files (os error 24)");
      };
      try {
        const told: (ReadProblem | undefined)[] = [];
        const first = Promise.withResolvers<void>();
        const frames = await (await log.reader()).open("t", 0, 0, (problem) => {
          told.push(problem);
          first.resolve();
        });
        const reading = frames.read(1);
        await first.promise;
        assert.equal(told[0]!.reason, "NO_HANDLES");
        assert.match(told[0]!.message, /^Cannot read t\/0: out of file handles/);
        assert.equal(frames.status, "waiting-for-log");
        Deno.openSync = openSync;
        assert.equal((await reading)[0]!.offset, 0);
        assert.equal(told.at(-1), undefined);
        assert.equal(frames.status, "reading");
      } finally {
        Deno.openSync = openSync;
      }
    })
  );
});
