import assert from "node:assert/strict";
import { join } from "node:path";
import { checkSource, makeSource } from "../../cameras/open.ts";
import { SourceError, type SourceImage } from "../../cameras/source.ts";
import { VideoFileSource } from "../../cameras/sources/file.ts";
import { inspectAccessUnit, nalUnits } from "../../runtime/video/access_unit.ts";
import { GroupTracker, unitOf } from "../../runtime/video/groups.ts";
import { framesOf, lumaOf, planeOf } from "../runtime/video/corpus.ts";
import { accessUnits } from "../support/access_units.ts";
import { withFolder } from "../support/folder.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { joined, pictureSet, sequenceSet, slice } from "../support/h264_writer.ts";
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

const PAFF = { columns: 2, rows: 4, fields: true };

/** Pictures of a group, some as a whole (`frame`), some as two fields, each in a packet of its own. */
function fieldsAndFrames(kinds: readonly ("frame" | "fields" | "lone")[]): Uint8Array[] {
  return kinds.flatMap((kind, index) => {
    const picture = (field?: "top" | "bottom") => {
      const keyframe = index === 0 && field !== "bottom";
      return slice(PAFF, {
        type: keyframe ? "I" : "P",
        keyframe,
        number: index,
        order: 2 * index + (field === "bottom" ? 1 : 0),
        ...(field === undefined ? {} : { field }),
        luma: 7 * index + (field === "bottom" ? 3 : 0),
      });
    };
    const pictures = kind === "frame"
      ? [picture()]
      : kind === "lone"
      ? [picture("top")]
      : [picture("top"), picture("bottom")];
    return index === 0 ? [sequenceSet(PAFF), pictureSet(), ...pictures] : pictures;
  });
}

Deno.test("The two fields of a frame are one record, wherever a stream has fields", async () => {
  const first = ["frame", "fields", "frame", "fields", "fields", "frame"] as const;
  const second = ["fields", "frame", "fields", "fields", "frame"] as const;
  await withFolder(async (folder) => {
    const raw = join(folder, "paff.h264"), film = join(folder, "paff.ts");
    const stream = [...fieldsAndFrames(first), ...fieldsAndFrames(second)];
    await write(raw, stream.map((value) => ({ value })));
    await remux(raw, film, "-bsf:v", "setts=ts=N*20/(TB*1000)");
    const expected = await lumaOf(stream, "h264");
    for (const path of [raw, film]) {
      const units = await copy(path);
      assert.equal(units.length, 11, path);
      assert.deepEqual(
        units.flatMap(({ headers }, index) => headers?.keyframe === "1" ? [index] : []),
        [0, 6],
      );
      const tracker = new GroupTracker(() => {});
      for (const [i, frame] of framesOf(units.map(({ value }) => value), "h264").entries()) {
        assert.equal(tracker.take(frame), "unit");
        const { group, index } = unitOf(frame.value)!;
        const picture = await (await group.decoder()).picture({ group, index });
        assert.equal(planeOf(picture), expected[i], `${path} ${i}`);
        picture.release();
      }
      await tracker.close();
    }
    const { reports, ...opening } = context();
    for await (const { contentType } of new VideoFileSource(raw, { codec: "auto" }).open(opening)) {
      assert.match(contentType, reports.length === 0 ? /h264/ : /jpeg/);
    }
    assert.match(reports.join(), /^Converting .* to JPEG: it is interlaced/);
  });
});

Deno.test("A field without the other one costs its group alone", async () => {
  await withFolder(async (folder) => {
    const raw = join(folder, "lone.h264");
    const damaged = ["frame", "fields", "lone", "fields", "frame"] as const;
    const stream = [...fieldsAndFrames(damaged), ...fieldsAndFrames(["fields", "frame"])];
    await write(raw, stream.map((value) => ({ value })));
    const { reports, ...opening } = context();
    const given: SourceImage[] = [];
    for await (const unit of (await makeSource(raw, { codec: "copy" })).open(opening)) {
      given.push(unit);
    }
    assert.deepEqual(given.map(({ headers }) => headers?.keyframe === "1"), [
      ...[true, false],
      ...[true, false],
    ]);
    assert.match(reports.join(), /: damaged packets skipped: 1/);
  });
});

Deno.test("A packet of very many NAL units costs itself, and none of the memory that FFmpeg would take", async () => {
  const units = await accessUnits({ frames: 8, gop: 4 });
  const filler = Uint8Array.from({ length: 400_000 }, (_, at) => [0, 0, 1, 12][at & 3]!);
  const stream = units.map((unit, index) => ({
    value: index === 1 ? joined(unit, filler) : unit,
  }));
  await withFolder(async (folder) => {
    const raw = join(folder, "many.h264");
    await write(raw, stream);
    for (const [codec, expected] of [["copy", 5], ["jpeg", 7]] as const) {
      const { reports, ...opening } = context();
      let images = 0;
      for await (const _ of (await makeSource(raw, { codec })).open(opening)) images++;
      assert.equal(images, expected, codec);
      assert.match(reports.join(), /: damaged packets skipped: 1/);
    }
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
    assert.match(reports.join(), /: frames skipped since no keyframe came before them: 3/);
  });
});

Deno.test("A recording that goes on in another codec is followed, copied and as JPEG", async () => {
  await withFolder(async (folder) => {
    const parts = await Promise.all((["libx264", "libx265"] as const).map(async (codec) => {
      const film = join(folder, `${codec}.mp4`);
      await makeVideo(film, { frames: 30, codec });
      const part = join(folder, `${codec}.ts`);
      await remux(film, part);
      return await Deno.readFile(part);
    }));
    const path = join(folder, "both.ts");
    for (const [first, second] of [[0, 1], [1, 0]] as const) {
      await Deno.writeFile(path, new Blob([parts[first]!, parts[second]!]).stream());
      const codecs = ["h264", "h265"] as const;
      const units = await copy(path);
      assert.deepEqual(
        [...new Set(units.map(({ contentType }) => contentType))],
        [`video/${codecs[first]}`, `video/${codecs[second]}`],
      );
      for (const { contentType, value } of units) {
        inspectAccessUnit(contentType === "video/h264" ? "h264" : "h265", value);
      }
      // FFmpeg loses what lies around the change, up to a keyframe.
      const images = await take(makeSource(path));
      assert.ok(images.length > 40 && units.length > 40, `${images.length}, ${units.length}`);
    }
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
