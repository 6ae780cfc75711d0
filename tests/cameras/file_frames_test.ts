import assert from "node:assert/strict";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import { decodeImage } from "../../runtime/image/decode.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { makeVideo } from "../support/videos.ts";
import { images, indexOf } from "./file_kit.ts";
import { burntIn, context, runToMemory } from "./kit.ts";
import { withFolder } from "../support/folder.ts";

Deno.test("a video file gives every frame once, in order, with its time", async () => {
  await withFolder(async (folder) => {
    for (
      const [name, codec] of [["a.mp4", "libx264"], ["b.mkv", "mpeg4"], ["c.avi", "mjpeg"]] as const
    ) {
      const path = join(folder, name);
      await makeVideo(path, { frames: 30, codec });
      const given = await images(path);
      assert.equal(given.length, 30, name);
      for (const [index, image] of given.entries()) {
        assert.equal(await burntIn(image.value), index, name);
        assert.equal(image.timestamp, index * 40, name);
        assert.equal(image.contentType, "image/jpeg");
        const { width, height } = inspectImage(image.value);
        assert.deepEqual([width, height, image.width, image.height], [160, 120, 160, 120]);
      }
    }
  });
});

Deno.test("a variable frame rate stays as it was filmed", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "v.mkv");
    const times = (index: number) => index * index * 7;
    await makeVideo(path, { frames: 15, times });
    const given = await images(path);
    assert.deepEqual(given.map(({ timestamp }) => timestamp), given.map((_, i) => times(i)));
  });
});

Deno.test("a rotated film stands upright", async () => {
  // Where the white bar, top left as filmed, and the dark one, top right, are when it was turned.
  const expected = {
    90: { width: 120, height: 160, white: [110, 10], dark: [110, 150] },
    180: { width: 160, height: 120, white: [150, 110], dark: [10, 110] },
    270: { width: 120, height: 160, white: [9, 150], dark: [9, 10] },
  } as const;
  await withFolder(async (folder) => {
    for (const rotation of [90, 180, 270] as const) {
      const path = join(folder, `r${rotation}.mp4`);
      await makeVideo(path, { frames: 2, rotation });
      const [image] = await images(path, {}, 1);
      const picture = await decodeImage(image!.value, 1);
      const { width, height, white, dark } = expected[rotation];
      assert.deepEqual([picture.width, picture.height], [width, height]);
      assert.deepEqual([image!.width, image!.height], [width, height]);
      const luma = ([x, y]: readonly [number, number]) => picture.data[y * width + x]!;
      assert.ok(luma(white) > 200, `${rotation}: ${luma(white)} at ${white}`);
      assert.ok(luma(dark) < 60, `${rotation}: ${luma(dark)} at ${dark}`);
      picture.release();
    }
  });
});

Deno.test("size and quality are obeyed; MJPEG passes untouched without them", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "m.mkv");
    await makeVideo(path, { frames: 3, codec: "mjpeg" });
    const [asIs] = await images(path, {}, 1);
    const file = await Deno.readFile(path);
    const at = indexOf(file, asIs!.value);
    assert.ok(at > 0, "the bytes of the JPEG are those in the file");
    const [small] = await images(path, { size: { width: 80, height: 62 }, quality: 30 }, 1);
    assert.deepEqual(inspectImage(small!.value).width, 80);
    const [good] = await images(path, { quality: 95 }, 1);
    const [poor] = await images(path, { quality: 10 }, 1);
    assert.ok(good!.value.length > 2 * poor!.value.length);
  });
});

Deno.test("looping continues without a gap", async () => {
  await withFolder(async (folder) => {
    for (
      const [name, codec] of [
        ["l.mp4", "libx264"],
        ["l.mkv", "libx264"],
        ["l.avi", "mjpeg"],
        ["l.ts", "mpeg4"],
      ] as const
    ) {
      const path = join(folder, name);
      await makeVideo(path, { frames: 7, codec });
      const given = await images(path, { loop: true }, 30);
      assert.deepEqual(given.map(({ timestamp }) => timestamp), given.map((_, i) => i * 40), name);
      assert.deepEqual(
        await Promise.all(given.map(({ value }) => burntIn(value))),
        given.map((_, i) => i % 7),
        name,
      );
    }
  });
});

Deno.test("a film that changes its size on the way is followed", async () => {
  await withFolder(async (folder) => {
    // MPEG streams may be joined end to end.
    await makeVideo(join(folder, "a.ts"), { frames: 10, codec: "mpeg4" });
    await makeVideo(join(folder, "b.ts"), { frames: 10, codec: "mpeg4", width: 320, height: 240 });
    const path = join(folder, "ab.ts");
    await Deno.writeFile(path, await Deno.readFile(join(folder, "a.ts")));
    await Deno.writeFile(path, await Deno.readFile(join(folder, "b.ts")), { append: true });
    const given = await images(path);
    const sizes = new Set(given.map(({ value }) => inspectImage(value).width));
    assert.deepEqual([...sizes], [160, 320]);
    assert.equal(given.at(-1)!.width, 320);
    const fixed = await images(path, { size: { width: 64, height: 48 } });
    assert.ok(fixed.every(({ value }) => inspectImage(value).width === 64));
  });
});

Deno.test("stopping in the middle releases everything", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "s.mp4");
    await makeVideo(path, { frames: 60 });
    const { stop, ...rest } = context();
    let count = 0;
    for await (const _ of (await makeSource(path)).open(rest)) if (++count === 5) stop.abort();
    assert.equal(count, 5);
  });
});

Deno.test("camera and file: paced by frame times, the capture times are exact", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "p.mp4");
    await makeVideo(path, { frames: 12, times: (i) => i * 25 });
    const begin = performance.now();
    const { summary, records } = await runToMemory(path);
    assert.ok(performance.now() - begin >= 11 * 25);
    assert.equal(summary.published, 12);
    const steps = records.slice(1).map(({ timestamp }, i) => timestamp - records[i]!.timestamp);
    assert.deepEqual(steps, steps.map(() => 25));
    assert.deepEqual(
      records.map(({ headers }) => headers.seq),
      records.map((_, i) => String(i)),
    );
    assert.ok(records.every(({ key }) => key === "CAMERA-1"));
    assert.equal(new Set(records.map(({ headers }) => headers.session)).size, 1);
    const sleeps: number[] = [];
    const sleep = (ms: number, signal?: AbortSignal) => {
      sleeps.push(ms);
      return systemClock.sleep(ms, signal);
    };
    await runToMemory(path, { settings: { fps: "max" }, clock: { ...systemClock, sleep } });
    // A batch lingers for 10 ms.
    assert.ok(!sleeps.some((ms) => ms > 10 && ms <= 25), String(sleeps));
    const limited = await runToMemory(path, { settings: { fps: 500 }, limit: 4 });
    assert.equal(limited.summary.published, 4);
    assert.deepEqual(
      limited.records.map(({ timestamp }) => timestamp - limited.records[0]!.timestamp),
      [0, 2, 4, 6],
    );
  });
});
