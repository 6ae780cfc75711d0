/** Files that are cut, damaged, replaced while they are read, or oddly named. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeSource } from "../../cameras/open.ts";
import { SourceError } from "../../cameras/source.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { withFolder } from "../support/folder.ts";
import { Random } from "../support/random.ts";
import { makeVideo } from "../support/videos.ts";
import { context, runToMemory, take } from "./kit.ts";

const FILMS = [["a.mp4", "libx264"], ["b.mkv", "mpeg4"], ["c.ts", "mpeg4"], [
  "d.avi",
  "mjpeg",
]] as const;

/** Frames of a film, or how it failed. */
async function outcome(path: string): Promise<number> {
  let frames = 0;
  try {
    for await (const { value } of (await makeSource(path)).open(context())) {
      inspectImage(value);
      frames++;
    }
  } catch (error) {
    assert.ok(error instanceof SourceError, `${path}: ${error}`);
  }
  return frames;
}

Deno.test("films that are cut anywhere, or hold wrong bytes, end by themselves", async () => {
  const random = Random.fromEnvironment(17);
  await withFolder(async (folder) => {
    for (const [name, codec] of FILMS) {
      const path = join(folder, name);
      await makeVideo(path, { frames: 12, codec });
      const whole = await Deno.readFile(path);
      for (const share of [0.02, 0.3, 0.7, 0.98]) {
        await Deno.writeFile(path, whole.subarray(0, Math.floor(whole.length * share)));
        assert.ok(await outcome(path) <= 12);
      }
      for (let round = 0; round < 6; round++) {
        const damaged = whole.slice();
        for (let i = 0; i < 20; i++) {
          damaged[random.whole(0, damaged.length - 1)] = random.whole(0, 255);
        }
        await Deno.writeFile(path, damaged);
        assert.ok(await outcome(path) < 100);
      }
    }
  });
});

Deno.test("a film that is replaced or removed while it is read is read to its end", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a.mp4");
    await makeVideo(path, { frames: 40 });
    const other = join(folder, "other.mp4");
    await makeVideo(other, { frames: 5 });
    let frames = 0;
    for await (const _ of (await makeSource(path)).open(context())) {
      if (++frames === 3) await Deno.rename(other, path);
      if (frames === 9) await Deno.remove(path);
    }
    assert.equal(frames, 40);
  });
});

Deno.test("names with blanks, quotes, per cents, hashes, line ends and other alphabets", async () => {
  await withFolder(async (folder) => {
    const names = [
      "a b",
      "100%41 'q' \"d\"",
      "x#y?z=1&k",
      "ünïcödé 摄像机 🎥",
      "-lead",
      "a\nb",
      "a:b,c;d|e",
    ];
    for (const name of names) {
      const path = join(folder, `${name}.mp4`);
      await makeVideo(join(folder, "plain.mp4"), { frames: 2 });
      await Deno.rename(join(folder, "plain.mp4"), path);
      assert.equal((await take(makeSource(path))).length, 2, name);
      const images = join(folder, name);
      await Deno.mkdir(images);
      const [image] = await take(makeSource(path), 1);
      await Deno.writeFile(join(images, `${name}.jpg`), image!.value);
      assert.equal((await take(makeSource(images, { loop: false }))).length, 1, name);
    }
  });
});

Deno.test("odd sizes, rates from one frame in 5 s to 240 a second", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a.mp4");
    await makeVideo(path, { frames: 10 });
    for (const [width, height] of [[161, 121], [17, 16], [640, 33]] as const) {
      const [image] = await take(makeSource(path, { size: { width, height } }), 1);
      const found = inspectImage(image!.value);
      assert.deepEqual([found.width, found.height], [width, height]);
    }
    for (const fps of [0.2, 240]) {
      let passed = 0;
      const clock = {
        now: () => 1e12 + passed,
        monotonic: () => passed,
        sleep: (ms: number) => {
          passed += ms;
          return Promise.resolve();
        },
      };
      const { records } = await runToMemory(path, { settings: { fps }, clock, limit: 10 });
      const span = records.at(-1)!.timestamp - records[0]!.timestamp;
      assert.ok(Math.abs(span - 9_000 / fps) <= 1, `${fps}: ${span}`);
    }
  });
});
