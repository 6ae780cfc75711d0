import assert from "node:assert/strict";
import type { SinkTask } from "../../../runtime/definition/sink.ts";
import { video, type VideoOptions } from "../../../runtime/sinks/video.ts";
import { sinkContract } from "../../contracts/sink_contract.ts";
import { sinkContext, visible } from "../../contracts/sink_contract_kit.ts";
import { filmed as frame, filmedUnit } from "./filmed.ts";
import { range, withDirectory, written } from "./video_kit.ts";

const VARIANTS: Record<string, VideoOptions> = {
  "mp4": { groupMs: 200 },
  "mp4, rolled": { groupMs: 200, rollMs: 320 },
  "avi": { format: "avi", groupMs: 200 },
  "avi, rolled by size": { format: "avi", groupMs: 200, rollBytes: 4000 },
};

for (const [name, options] of Object.entries(VARIANTS)) {
  sinkContract({
    name: `video ${name}`,
    make: (directory) => video({ directory: `${directory}/out`, ...options }),
    output: frame,
    remains: (path) => /\.old\d*$/.test(path),
    runs: 12,
    faults: name === "mp4, rolled",
  });
}

for (const [name, options] of Object.entries({ "as they came": {}, "rolled": { rollMs: 320 } })) {
  sinkContract({
    name: `video of access units, ${name}`,
    make: (directory) => video({ directory: `${directory}/out`, ...options }),
    output: filmedUnit,
    remains: (path) => /\.old\d*$/.test(path),
    runs: 12,
    faults: false,
  });
}

Deno.test("video: after a damaged last group it continues from what is whole", async () => {
  await withDirectory(async (reference) => {
    await withDirectory(async (directory) => {
      const whole = await written({ directory: reference, groupMs: 200 }, range(40));
      await whole.close!();
      const path = `${directory}/CAMERA-1.mp4`;
      const task = await written({ directory, groupMs: 200 }, range(22));
      const restart = task.restartOffset!()!;
      assert.ok(restart > 10 && restart < 22, `${restart}`);
      // A crash of the machine: the last pictures never reached the disk.
      const { size } = await Deno.stat(path);
      using file = await Deno.open(path, { write: true });
      await file.seek(size - 30, Deno.SeekMode.Start);
      await file.write(new Uint8Array(30));
      const next = await video({ directory, groupMs: 200 }).open(
        sinkContext({ committedBatch: 0, committedEnd: 22 }),
      );
      await next.refeed!(range(22 - restart + 2, restart - 2));
      const batch = { batchId: 1, start: 22, end: 40 };
      await next.write!(range(18, 22), batch);
      await next.flush!(batch);
      await next.committed!(batch);
      await next.close!();
      assert.deepEqual(await visible(directory), await visible(reference));
      await task.close!();
    });
  });
});

for (
  const [what, change] of Object.entries<(path: string) => Promise<void>>({
    "removed": (path) => Deno.remove(path),
    "moved away": (path) => Deno.rename(path, `${path}.mine`),
    "replaced": async (path) => {
      await Deno.copyFile(path, `${path}.mine`);
      await Deno.rename(`${path}.mine`, path);
    },
    "cut": (path) => Deno.truncate(path, 100),
  })
) {
  Deno.test(`video: a file that was ${what} while it was written is said, and another one begun`, async () => {
    await withDirectory(async (directory) => {
      const path = `${directory}/CAMERA-1.mp4`;
      const task = await written({ directory }, range(10));
      await change(path);
      const batch = { batchId: 1, start: 10, end: 20 };
      const write = async (task: SinkTask) => {
        await task.write!(range(10, 10), batch);
        await task.flush!(batch);
      };
      await assert.rejects(
        write(task),
        /Cannot write .*CAMERA-1\.mp4: it was changed while in use/,
      );
      await task.close!();
      const context = sinkContext({ committedBatch: 0, committedEnd: 10 });
      const next = await video({ directory }).open(context);
      await next.refeed!(range(10));
      await write(next);
      await next.committed!(batch);
      await next.close!();
      const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
      assert.equal(names.includes("CAMERA-1.000000000000.mp4"), what !== "replaced", names.join());
    });
  });
}

Deno.test("video: it continues where a link to a file has a number of its own", async () => {
  // As on SSHFS: the file is opened by a link in its folder.
  const { stat } = Deno.FsFile.prototype;
  Deno.FsFile.prototype.stat = async function () {
    return { ...await stat.call(this), ino: 1 };
  };
  try {
    await withDirectory(async (directory) => {
      await (await written({ directory }, range(10))).close!();
      const context = sinkContext({ committedBatch: 0, committedEnd: 10 });
      const next = await video({ directory }).open(context);
      const batch = { batchId: 1, start: 10, end: 20 };
      await next.refeed!(range(10));
      await next.write!(range(10, 10), batch);
      await next.flush!(batch);
      await next.committed!(batch);
      await next.close!();
    });
  } finally {
    Deno.FsFile.prototype.stat = stat;
  }
});

Deno.test("video: options are checked", () => {
  const faults: [VideoOptions, RegExp][] = [
    [{ directory: "" }, /expected a folder/],
    [{ format: "mkv" as "mp4" }, /Cannot write video: format: expected mp4 or avi, given "mkv"/],
    [{ rollMs: 0 }, /rollMs: expected a number above 0, given 0/],
    [{ rollBytes: NaN }, /rollBytes: .* given NaN/],
    [{ groupMs: -1 }, /groupMs: .* given -1/],
    [
      { preset: "slow" as "fast" },
      /preset: expected ultrafast, superfast, .* or medium, given "slow"/,
    ],
    [{ crf: 52 }, /crf: expected a number from 0 to 51, given 52/],
  ];
  for (const [options, message] of faults) assert.throws(() => video(options), message);
});

Deno.test("video: nothing remains of frames that were never committed", async () => {
  await withDirectory(async (reference) => {
    await withDirectory(async (directory) => {
      await (await written({ directory: reference }, range(5))).close!();
      const first = await written({ directory }, range(4));
      const given = { batchId: 1, start: 4, end: 40 };
      await first.write!(range(36, 4), given);
      await first.flush!(given);
      await first.close!();
      const context = { committedBatch: 0, committedEnd: 4 };
      const next = await video({ directory }).open(sinkContext(context));
      await next.refeed!(range(4));
      const batch = { batchId: 1, start: 4, end: 5 };
      await next.write!(range(1, 4), batch);
      await next.flush!(batch);
      await next.committed!(batch);
      await next.close!();
      assert.deepEqual(await visible(directory), await visible(reference));
    });
  });
});
