import assert from "node:assert/strict";
import type { Frame } from "../../../runtime/frame.ts";
import { probe } from "../video/probe.ts";
import { filmed as frame, HEIGHT, WIDTH } from "./filmed.ts";
import { encodeJpeg } from "../../../runtime/image/jpeg.ts";
import type { SinkContext } from "../../../runtime/sinks/sink.ts";
import { video, type VideoOptions } from "../../../runtime/sinks/video.ts";
import { sinkContext, sinkContract, visible } from "../../contracts/sink_contract.ts";

const tiny = await encodeJpeg(
  { data: new Uint8Array(16 * 8 * 3).fill(99), width: 16, height: 8, channels: 3 },
);

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
  });
}

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Writes frames in one batch; `close` false leaves the task as a crash would. */
async function written(
  options: VideoOptions,
  frames: readonly Frame[],
  context: Partial<SinkContext> = {},
) {
  const task = await video(options).open(sinkContext(context));
  const batch = { batchId: 0, start: 0, end: frames.at(-1)!.offset + 1 };
  await task.write!(frames, batch);
  await task.flush!(batch);
  await task.committed!(batch);
  return task;
}

const range = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => frame(0, from + i));

Deno.test("video: a file has every frame at its capture time, before and after it is finished", async () => {
  await withDirectory(async (directory) => {
    for (const [format, codec] of [["mp4", "h264"], ["avi", "mjpeg"]] as const) {
      const frames = range(60);
      const task = await written({ directory, format, groupMs: 400 }, frames, {
        partition: format === "mp4" ? 0 : 1,
      });
      const path = `${directory}/CAMERA-${format === "mp4" ? 1 : 2}.${format}`;
      const expected = frames.map(({ timestamp }) => timestamp - frames[0]!.timestamp);
      for (const finished of [false, true]) {
        if (finished) await task.close!();
        const found = await probe(path);
        assert.equal(found.frames, 60);
        assert.equal(found.codec, codec);
        assert.equal(found.size, `${WIDTH}x${HEIGHT}`);
        assert.ok(Math.abs(found.duration - 2.4) < 0.05, `${found.duration} s`);
        if (format === "mp4") assert.deepEqual(found.times, expected);
        else {
          for (const [index, time] of found.times.entries()) {
            assert.ok(Math.abs(time - expected[index]!) <= 40 / 2 + 1, `${time} of frame ${index}`);
          }
        }
      }
    }
  });
});

Deno.test("video: pauses, and times that go back, are told apart", async () => {
  await withDirectory(async (directory) => {
    const at = (offset: number, timestamp: number) => ({ ...frame(0, offset), timestamp });
    const frames = [at(0, 1000), at(1, 1050), at(2, 9050), at(3, 9050), at(4, 20), at(5, 70)];
    await (await written({ directory }, frames)).close!();
    assert.deepEqual((await probe(`${directory}/CAMERA-1.mp4`)).times, [
      0,
      50,
      8050,
      16050,
      24050,
      24100,
    ]);
  });
});

Deno.test("video: files roll by duration and by size, and with the size of the pictures", async () => {
  await withDirectory(async (directory) => {
    const small = range(10).map((each, index) => index < 6 ? each : ({ ...each, value: tiny }));
    await (await written({ directory }, small, { partition: 1 })).close!();
    await (await written({ directory, rollMs: 400 }, range(25))).close!();
    const files = Object.keys(await visible(directory));
    assert.deepEqual(files, [
      "CAMERA-1.000000000000.mp4",
      "CAMERA-1.000000000010.mp4",
      "CAMERA-1.000000000020.mp4",
      "CAMERA-2.000000000006.mp4",
      "CAMERA-2.mp4",
    ]);
    const frames = await Promise.all(
      files.map(async (file) => (await probe(`${directory}/${file}`)).frames),
    );
    assert.deepEqual(frames, [10, 10, 5, 4, 6]);
    assert.equal((await probe(`${directory}/${files[3]}`)).size, "16x8");
  });
});

Deno.test("video: what cannot be decoded is left out and said", async () => {
  await withDirectory(async (directory) => {
    const said: string[] = [];
    const frames = range(5).map((each, index) =>
      index === 2 ? { ...each, value: each.value.subarray(0, each.value.length >> 1) } : each
    );
    const task = await written({ directory }, frames, { report: (line) => said.push(line) });
    await task.close!();
    assert.equal((await probe(`${directory}/CAMERA-1.mp4`)).frames, 4);
    assert.equal(said.length, 1);
    assert.match(said[0]!, /Left out of the video: offset 2: /);
  });
});

Deno.test("video: a file that is in the way is put aside", async () => {
  await withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/CAMERA-1.mp4`, "mine");
    const said: string[] = [];
    await (await written({ directory }, range(3), { report: (line) => said.push(line) })).close!();
    assert.equal(await Deno.readTextFile(`${directory}/CAMERA-1.mp4.old`), "mine");
    assert.match(said.join(), /CAMERA-1\.mp4\.old/);
  });
});

Deno.test("video: after a damaged last group it goes on from what is whole", async () => {
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

Deno.test("video: when the log has lost what the encoder needs a new group begins", async () => {
  await withDirectory(async (directory) => {
    await (await written({ directory }, range(10))).close!();
    const next = await video({ directory }).open(
      sinkContext({ committedBatch: 0, committedEnd: 10 }),
    );
    await next.refeed!(range(4, 6));
    const batch = { batchId: 1, start: 10, end: 20 };
    await next.write!(range(10, 10), batch);
    await next.flush!(batch);
    await next.committed!(batch);
    await next.close!();
    assert.equal((await probe(`${directory}/CAMERA-1.mp4`)).frames, 20);
  });
});

Deno.test("video: options are checked", () => {
  const faults: [VideoOptions, RegExp][] = [
    [{ directory: "" }, /expected a folder/],
    [{ format: "mkv" as "mp4" }, /Cannot write video as "mkv": expected mp4 or avi/],
    [{ rollMs: 0 }, /Cannot use rollMs 0: expected a number above 0/],
    [{ rollBytes: NaN }, /Cannot use rollBytes NaN/],
    [{ groupMs: -1 }, /Cannot use groupMs -1/],
    [{ preset: "slow" as "fast" }, /Cannot use preset "slow": expected ultrafast, superfast/],
    [{ crf: 52 }, /Cannot use crf 52: expected a number from 0 to 51/],
  ];
  for (const [options, message] of faults) assert.throws(() => video(options), message);
});
