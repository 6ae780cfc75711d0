import assert from "node:assert/strict";
import { join } from "node:path";
import { checkSource, makeSource } from "../../cameras/open.ts";
import { SourceError, type SourceImage } from "../../cameras/source.ts";
import { inspectAccessUnit, nalUnits } from "../../runtime/video/access_unit.ts";
import { accessUnits } from "../support/access_units.ts";
import { withFolder } from "../support/folder.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { pictureSet, sequenceSet, slice } from "../support/h264_writer.ts";
import { makeVideo } from "../support/videos.ts";
import { context, runToMemory, take } from "./kit.ts";

const copy = (path: string, limit = Infinity, loop = false) =>
  take(makeSource(path, { codec: "copy", loop }), limit);

/** Sums of the pictures that FFmpeg decodes of a file. */
async function pictures(path: string, format: readonly string[] = []): Promise<string[]> {
  const { stdout, stderr, success } = await new Deno.Command("ffmpeg", {
    args: ["-v", "error", ...format, "-i", path, "-fps_mode", "passthrough", "-f", "framemd5", "-"],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(",").at(-1)!.trim());
}

/** Writes units one behind the other: a raw stream. */
async function write(path: string, units: readonly Pick<SourceImage, "value">[]): Promise<void> {
  await Deno.writeFile(path, new Blob(units.map(({ value }) => value as BlobPart)).stream());
}

async function remux(from: string, to: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command("ffmpeg", {
    args: ["-v", "error", "-i", from, "-c", "copy", ...args, to],
  }).output();
  assert.ok(success);
}

Deno.test("Copied units decode to FFmpeg's pictures of the source, whatever the container", async () => {
  await withFolder(async (folder) => {
    for (const [codec, encoder] of [["h264", "libx264"], ["h265", "libx265"]] as const) {
      const source = join(folder, `${codec}.mp4`);
      await makeVideo(source, { frames: 25, codec: encoder });
      const expected = await pictures(source);
      assert.equal(expected.length, 25);
      const ts = join(folder, `${codec}.ts`);
      await remux(source, ts);
      const fragmented = join(folder, `${codec}-fragmented.mp4`);
      await remux(source, fragmented, "-movflags", "frag_keyframe+empty_moov");
      const matroska = join(folder, `${codec}.mkv`);
      await remux(source, matroska);
      for (const path of [source, ts, fragmented, matroska]) {
        const units = await copy(path);
        assert.equal(units.length, 25, path);
        const raw = join(folder, "raw");
        await write(raw, units);
        assert.deepEqual(await pictures(raw, ["-f", codec === "h264" ? codec : "hevc"]), expected);
        for (
          const [i, { value, contentType, headers, timestamp, width, height }] of units.entries()
        ) {
          const unit = inspectAccessUnit(codec, value);
          assert.equal(unit.keyframe, i % 10 === 0, `${path} ${i}`);
          assert.equal(contentType, `video/${codec}`);
          assert.deepEqual([width, height], [160, 120]);
          assert.equal(Math.round(timestamp), i * 40);
          assert.deepEqual(
            headers,
            unit.keyframe ? { keyframe: "1", codec: unit.codec } : undefined,
          );
        }
        // Each keyframe decodes with nothing before it.
        await write(raw, [units[20]!]);
        assert.deepEqual(
          await pictures(raw, ["-f", codec === "h264" ? codec : "hevc"]),
          [expected[20]],
        );
      }
    }
  });
});

Deno.test("What cannot be copied is refused with the reason; auto and jpeg make JPEG of a file", async () => {
  await withFolder(async (folder) => {
    const refused = async (name: string, options: object, why: RegExp) => {
      const path = join(folder, name);
      await makeVideo(path, { frames: 12, ...options });
      await assert.rejects(
        copy(path),
        (error) =>
          error instanceof SourceError && error.code === "UNSUPPORTED" && why.test(error.message),
      );
      const [first] = await take(makeSource(path), 1);
      assert.equal(first!.contentType, "image/jpeg");
    };
    await refused("b.mp4", { bFrames: 2 }, /not in presentation order \(B-frames\)/);
    await refused("m.avi", { codec: "mjpeg" }, /its codec is mjpeg/);
    await refused("r.mp4", { rotation: 90 }, /must be rotated/);
  });
  for (
    const [source, settings, why] of [
      ["pattern:", {}, /it contains no H.264 or H.265/],
      ["a.mp4", { quality: 5, size: { width: 64, height: 64 } }, /--size .*; --quality/],
      ["rtsp://h/", { fps: 5 }, /--fps drops frames/],
    ] as const
  ) {
    assert.throws(() => checkSource(source, { codec: "copy", ...settings }), why);
  }
});

Deno.test("Streams whose parameter sets allow another order of showing are copied where no frame is out of order", async () => {
  await withFolder(async (folder) => {
    for (const codec of ["h264", "h265"] as const) {
      const units = await accessUnits({
        ...{ codec, frames: 12, gop: 4 },
        parameters: "bframes=2:b-adapt=0:rc-lookahead=4:open-gop=0",
        types: (index) => index % 4 === 0 ? "I" : "P",
      });
      const raw = join(folder, codec), film = join(folder, `${codec}.mp4`);
      await write(raw, units.map((value) => ({ value })));
      await remux(raw, film, "-f", "mp4");
      const copied = await copy(film);
      assert.equal(copied.length, 12);
      const [expected, again] = [await pictures(raw), join(folder, "again")];
      await write(again, copied);
      assert.deepEqual(await pictures(again, ["-f", codec === "h264" ? codec : "hevc"]), expected);
      const [first] = await take(makeSource(film), 1);
      assert.equal(first!.contentType, "image/jpeg");
    }
  });
});

Deno.test("A stream whose packets hold single fields is refused with the reason", async () => {
  const sequence = { columns: 2, rows: 4, fields: true };
  const fields = Array.from({ length: 24 }, (_, order) =>
    slice(sequence, {
      type: order === 0 ? "I" : "P",
      keyframe: order === 0,
      number: order >> 1,
      order,
      field: order % 2 === 0 ? "top" : "bottom",
      luma: 4 * order,
    }));
  await withFolder(async (folder) => {
    const path = join(folder, "fields.h264");
    const sets = [sequenceSet(sequence), pictureSet()];
    await write(path, [...sets, ...fields].map((value) => ({ value })));
    await assert.rejects(
      copy(path),
      /\(--codec copy\): its packets hold single fields, not whole frames/,
    );
  });
});

Deno.test("A stream that begins in the middle of a group, and changes its resolution", async () => {
  await withFolder(async (folder) => {
    const [one, two, raw] = ["1.mp4", "2.mp4", "all.h264"].map((name) => join(folder, name));
    await makeVideo(one!, { frames: 20 });
    await makeVideo(two!, { frames: 10, width: 320, height: 240 });
    const first = await copy(one!), second = await copy(two!);
    await write(raw!, [...first.slice(7), ...second]);
    const { reports, ...opening } = context();
    const given: SourceImage[] = [];
    for await (const unit of (await makeSource(raw!, { codec: "copy" })).open(opening)) {
      given.push(unit);
    }
    assert.deepEqual(
      given.map(({ value }) => value),
      [...first.slice(10), ...second].map(({ value }) => value),
    );
    assert.deepEqual(given.map(({ width }) => width), [
      ...Array(10).fill(160),
      ...Array(10).fill(320),
    ]);
    assert.match(reports.join(), /^3 frames of .* were skipped: no keyframe came before them/);
  });
});

Deno.test("A loop of copied units keeps counting, and begins with a keyframe", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a.mp4");
    await makeVideo(path, { frames: 15 });
    const { records, summary } = await runToMemory(path, {
      settings: { codec: "copy", loop: true, fps: "max" },
      limit: 40,
    });
    assert.deepEqual(records.map(({ headers }) => headers.seq), records.map((_, i) => String(i)));
    assert.deepEqual(
      records.flatMap(({ headers }, i) => headers.keyframe === "1" ? [i] : []),
      [0, 10, 15, 25, 30],
    );
    assert.deepEqual(summary.stream, {
      codec: "h264",
      keyframeSeconds: 0.4,
      contentType: "video/h264",
    });
  });
});

Deno.test("A copied file goes through a query to images and, unchanged, to a video", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a.mp4"), log = `embedded:${join(folder, "log")}`;
    await makeVideo(path, { frames: 25 });
    const run = async (args: readonly string[]) => {
      const framelane = new FramelaneProcess([...args, "--log", log, "--json"]);
      assert.equal(await framelane.ended(), 0, framelane.said.join("\n"));
    };
    await run(["camera", "1", "--source", path, "--codec", "copy", "--fps", "max"]);
    const query = (name: string, sink: string, folderOut: string) =>
      run([
        ...["queries", name, "--sink", `${sink}:${join(folder, folderOut)}`, "--port", "off"],
        ...["--trigger", "available-now", "--starting-offsets", "earliest"],
        ...["--checkpoint", join(folder, `checkpoint-${folderOut}`)],
      ]);
    await query("greyscale", "images", "grey");
    await query("greyscale", "video", "video-grey");
    await query("passthrough", "video", "video");
    const files = async (name: string, end: string) => {
      const found: string[] = [];
      const walk = async (at: string) => {
        for await (const entry of Deno.readDir(at)) {
          if (entry.isDirectory) await walk(join(at, entry.name));
          else if (entry.name.endsWith(end)) found.push(join(at, entry.name));
        }
      };
      await walk(join(folder, name));
      return found;
    };
    assert.equal((await files("grey", ".jpg")).length, 25);
    const [grey] = await files("video-grey", ".mp4");
    assert.equal((await pictures(grey!)).length, 25);
    const [video] = await files("video", ".mp4");
    assert.deepEqual(await pictures(video!), await pictures(path));
    const slices = async (from: string) =>
      (await copy(from)).map(({ value }) => [...nalUnits(value)].at(-1)!);
    assert.deepEqual(await slices(video!), await slices(path));
  });
});
