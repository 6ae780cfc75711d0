import assert from "node:assert/strict";
import { encodeJpeg } from "../../../runtime/image/jpeg.ts";
import { video } from "../../../runtime/sinks/video.ts";
import { sinkContext, visible } from "../../contracts/sink_contract_kit.ts";
import { GroupTracker } from "../../../runtime/video/groups.ts";
import { probe } from "../video/probe.ts";
import { accessUnits } from "../../support/access_units.ts";
import { filmed as frame, filmedUnit, HEIGHT, WIDTH } from "./filmed.ts";
import { range, withDirectory, written } from "./video_kit.ts";

const tiny = await encodeJpeg(
  { data: new Uint8Array(16 * 8 * 3).fill(99), width: 16, height: 8, channels: 3 },
);

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

Deno.test("video: a pause in an AVI is as long as it was, a very long one begins a new file", async () => {
  await withDirectory(async (directory) => {
    const at = (offset: number, timestamp: number) => ({ ...frame(0, offset), timestamp });
    const frames = [0, 40, 80, 1080, 1120, 101_120, 101_160].map((time, index) => at(index, time));
    await (await written({ directory, format: "avi" }, frames)).close!();
    assert.deepEqual((await probe(`${directory}/CAMERA-1.avi`)).times, [0, 40, 80, 1080, 1120]);
    assert.deepEqual((await probe(`${directory}/CAMERA-1.000000000005.avi`)).times, [0, 40]);
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

Deno.test("video: a picture that is too small or too large for H.264 is left out and said", async () => {
  await withDirectory(async (directory) => {
    const said: string[] = [];
    const sides = [[16_384, 2], [16_386, 2], [1, 8], [2, 16_385], [2, 16_384]] as const;
    const pictures = await Promise.all(sides.map(async ([width, height]) => {
      const data = new Uint8Array(width * height);
      return await encodeJpeg({ data, width, height, channels: 1 });
    }));
    const frames = range(5).map((each, index) => ({ ...each, value: pictures[index]! }));
    const task = await written({ directory }, frames, { report: (line) => said.push(line) });
    await task.close!();
    assert.equal((await probe(`${directory}/CAMERA-1.mp4`)).size, "16384x2");
    assert.equal((await probe(`${directory}/CAMERA-1.000000000004.mp4`)).size, "2x16384");
    assert.deepEqual(
      said.map((line) => line.match(/offset (\d).* of (\d+x\d+)/)?.slice(1)),
      [["1", "16386x2"], ["2", "1x8"], ["3", "2x16385"]],
    );
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
    assert.match(said[0]!, /Not in the video: offset 2: /);
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

Deno.test("video: a recording that another checkpoint finished is put aside, however few its batches", async () => {
  for (const format of ["mp4", "avi"] as const) {
    await withDirectory(async (directory) => {
      await (await written({ directory, format }, range(20))).close!();
      await (await written({ directory, format }, range(14, 6))).close!();
      for (const [name, frames] of [["", 14], [".old", 20]] as const) {
        assert.equal((await probe(`${directory}/CAMERA-1.${format}${name}`)).frames, frames);
      }
    });
  }
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

Deno.test("video: another format begins a file, and finishes the one before as it was begun", async () => {
  await withDirectory(async (directory) => {
    await (await written({ directory }, range(10))).close!();
    for (const [batchId, format] of [[1, "avi"], [2, "mp4"]] as const) {
      const [start, end] = [batchId * 10, (batchId + 1) * 10];
      const next = await video({ directory, format }).open(
        sinkContext({ committedBatch: batchId - 1, committedEnd: start }),
      );
      await next.refeed!(range(10, start - 10));
      await next.write!(range(10, start), { batchId, start, end });
      await next.flush!({ batchId, start, end });
      await next.committed!({ batchId, start, end });
      await next.close!();
    }
    const files = Object.keys(await visible(directory));
    assert.deepEqual(files, [
      "CAMERA-1.000000000010.avi",
      "CAMERA-1.000000000020.mp4",
      "CAMERA-1.mp4",
    ]);
    for (const file of files) {
      const { codec, frames } = await probe(`${directory}/${file}`);
      assert.deepEqual([codec, frames], [file.endsWith("avi") ? "mjpeg" : "h264", 10]);
    }
  });
});

Deno.test("video: access units are in the file as they came, each at its capture time", async () => {
  await withDirectory(async (directory) => {
    const frames = Array.from({ length: 30 }, (_, offset) => filmedUnit(0, offset));
    const task = await written({ directory }, frames);
    const path = `${directory}/CAMERA-1.mp4`;
    for (const finished of [false, true]) {
      if (finished) await task.close!();
      const found = await probe(path);
      assert.deepEqual([found.frames, found.codec, found.size], [30, "h264", `${WIDTH}x${HEIGHT}`]);
      assert.deepEqual(
        found.times,
        frames.map(({ timestamp }) => timestamp - frames[0]!.timestamp),
      );
    }
    const decoded = await gray(path, "mp4");
    const stream = new Blob(frames.map(({ value }) => value as Uint8Array<ArrayBuffer>));
    await Deno.writeFile(`${directory}/stream.h264`, stream.stream());
    assert.deepEqual(decoded, await gray(`${directory}/stream.h264`, "h264"));
  });
});

Deno.test("video: units whose neighbours were left out are encoded anew", async () => {
  await withDirectory(async (directory) => {
    const frames = Array.from({ length: 28 }, (_, offset) => filmedUnit(0, offset))
      .filter(({ offset }) => offset % 7 !== 3);
    await (await written({ directory }, frames)).close!();
    const files = Object.keys(await visible(directory)).filter((name) => name.endsWith(".mp4"));
    const pictures: Uint8Array[] = [];
    for (const file of files) {
      pictures.push(await gray(`${directory}/${file}`, "mp4"));
    }
    assert.equal(
      pictures.reduce((sum, { length }) => sum + length, 0),
      frames.length * WIDTH * HEIGHT,
    );
  });
});

Deno.test("video: access units of H.265 are copied too", async () => {
  const units = await accessUnits({ codec: "h265", frames: 12, gop: 5 });
  const tracker = new GroupTracker(() => {});
  const frames = units.map((value, offset) => ({
    ...frame(0, offset),
    headers: { "content-type": "video/h265" },
    value,
  }));
  for (const each of frames) tracker.take(each);
  await withDirectory(async (directory) => {
    await (await written({ directory }, frames)).close!();
    const found = await probe(`${directory}/CAMERA-1.mp4`);
    assert.deepEqual([found.frames, found.codec], [12, "hevc"]);
  });
  await tracker.close();
});

/** All pictures of a video, grey, as FFmpeg decodes them. */
async function gray(path: string, format: string): Promise<Uint8Array> {
  const { success, stdout, stderr } = await new Deno.Command("ffmpeg", {
    args: [
      "-v",
      "error",
      "-f",
      format,
      "-i",
      path,
      "-fps_mode",
      "passthrough",
      "-pix_fmt",
      "gray",
      "-f",
      "rawvideo",
      "-",
    ],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return stdout;
}
