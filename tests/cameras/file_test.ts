import assert from "node:assert/strict";
import { join } from "node:path";
import { concatenated } from "../../runtime/base/bytes.ts";
import { makeSource } from "../../cameras/open.ts";
import { SourceError, type SourceErrorCode } from "../../cameras/source.ts";
import { makeVideo } from "../support/videos.ts";
import { images, indexOf } from "./file_kit.ts";
import { burntIn, context, take } from "./kit.ts";
import { withFolder } from "../support/folder.ts";

async function fails(path: string, code: SourceErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(
    images(path),
    (error) => error instanceof SourceError && error.code === code && message.test(error.message),
  );
}

Deno.test("MJPEG: a damaged frame costs itself, a missing one nothing", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "m.mkv");
    await makeVideo(path, { frames: 5, codec: "mjpeg" });
    const whole = await images(path);
    const file = await Deno.readFile(path);
    const third = indexOf(file, whole[2]!.value);
    // The frame header says how high the picture is: now 0.
    const header = file.indexOf(0xc0, third);
    file[header + 4] = file[header + 5] = 0;
    await Deno.writeFile(path, file);
    const { reports, stop: _stop, ...rest } = context();
    const seen: number[] = [];
    for await (const { value } of (await makeSource(path)).open(rest)) {
      seen.push((await burntIn(value))!);
    }
    assert.deepEqual(seen, [0, 1, 3, 4]);
    assert.match(reports[0]!, /^video file .*: damaged packets skipped: 1$/);
    const laps = context();
    let left = 9;
    for await (const _ of (await makeSource(path, { loop: true })).open(laps)) {
      if (--left === 0) break;
    }
    assert.deepEqual(laps.reports, reports, "once, not in each lap");

    const gaps = join(folder, "gaps.avi");
    await makeVideo(gaps, { frames: 6, codec: "mjpeg", times: (i) => i * i * 30 });
    const given = await images(gaps);
    assert.deepEqual(given.map(({ timestamp }) => Math.round(timestamp)), [
      0,
      30,
      120,
      270,
      480,
      750,
    ]);
    const bytes = await Deno.readFile(gaps);
    assert.ok(given.every(({ value }) => indexOf(bytes, value) > 0), "all pass untouched");
  });
});

Deno.test("MJPEG without Huffman tables, as webcams send it, gets those that it lacks", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "bare.mjpeg");
    const source = await makeSource("pattern:?size=160x120&fps=1000");
    const pictures = (await take(source, 3)).map(({ value }) => {
      const pieces: Uint8Array[] = [value.subarray(0, 2)];
      let at = 2;
      for (; value[at + 1] !== 0xda;) {
        const end = at + 2 + value[at + 2]! * 256 + value[at + 3]!;
        if (value[at + 1] !== 0xc4) pieces.push(value.subarray(at, end));
        at = end;
      }
      return concatenated([...pieces, value.subarray(at)]);
    });
    await Deno.writeFile(path, concatenated(pictures));
    const shown = await images(path);
    const tables = Uint8Array.of(0xff, 0xc4);
    assert.ok(!pictures.some((picture) => indexOf(picture, tables) > 0));
    assert.ok(shown.every(({ value }) => indexOf(value, tables) > 0));
    assert.deepEqual(await Promise.all(shown.map(({ value }) => burntIn(value))), [0, 1, 2]);
  });
});

Deno.test("what is no video says so", async () => {
  await withFolder(async (folder) => {
    const write = async (name: string, bytes: Uint8Array) => {
      await Deno.writeFile(join(folder, name), bytes);
      return join(folder, name);
    };
    await fails(
      join(folder, "none.mp4"),
      "MISSING",
      /video file .*none.mp4: there is no such file/,
    );
    await fails(await write("zero.mp4", new Uint8Array()), "CORRUPT", /it is empty/);
    await fails(
      await write("text.mp4", new TextEncoder().encode("Dear diary, ".repeat(500))),
      "CORRUPT",
      /FFmpeg cannot read it as video/,
    );
    await makeVideo(join(folder, "good.mp4"), { frames: 20 });
    const good = await Deno.readFile(join(folder, "good.mp4"));
    await fails(
      await write("half.mp4", good.subarray(0, good.length / 2)),
      "CORRUPT",
      /damaged or cut off/,
    );
    await fails(await write("sound.wav", silence()), "UNSUPPORTED", /it holds no video/);
  });
});

Deno.test("a codec without a decoder is reported with the film's name", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "strange.avi");
    await makeVideo(path, { frames: 5, codec: "mpeg4" });
    const film = await Deno.readFile(path);
    // The name of the codec stands twice in an AVI's header.
    const text = new TextDecoder("latin1").decode(film);
    for (const { index } of text.matchAll(/FMP4/g)) {
      film.set(new TextEncoder().encode("ZZZ0"), index);
    }
    await Deno.writeFile(path, film);
    await fails(
      path,
      "UNSUPPORTED",
      /Cannot decode video file .*strange\.avi: there is no decoder/,
    );
  });
});

Deno.test("a film that cannot be read is reported, whichever command runs it", async () => {
  await withFolder(async (folder) => {
    // A link that leads to itself: the superuser, whom no mode keeps out, cannot open it either.
    const loop = join(folder, "loop.mp4");
    await Deno.symlink(loop, loop);
    await fails(loop, "UNREADABLE", /^Cannot open video file .*loop\.mp4: /);
    const closed = join(folder, "closed.mp4");
    await makeVideo(closed, { frames: 2 });
    await Deno.chmod(closed, 0);
    if (Deno.uid() === 0) assert.equal((await images(closed)).length, 2);
    else await fails(closed, "UNREADABLE", /^Cannot open video file .*closed\.mp4: /);
  });
});

Deno.test("a file cannot make FFmpeg go to the network, or to other files", async () => {
  await withFolder(async (folder) => {
    let requests = 0;
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
      requests++;
      return new Response("");
    });
    const address = `127.0.0.1:${server.addr.port}`;
    const traps = {
      "list.m3u8": `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://${address}/a.ts\n`,
      "list.txt": `ffconcat version 1.0\nfile 'http://${address}/a.mp4'\n`,
      "film.sdp": `v=0\nm=video 5000 RTP/AVP 96\nc=IN IP4 127.0.0.1\na=rtpmap:96 H264/90000\n`,
    };
    const long = `#${"x".repeat(100_000)}\n`;
    const later = {
      "late.m3u8": traps["list.m3u8"].replace("\n", `\n${long}`),
      "late.sdp": `v=0\n${long}${traps["film.sdp"]}`,
    };
    for (const [name, text] of Object.entries({ ...traps, ...later })) {
      await Deno.writeTextFile(join(folder, name), text);
      await fails(join(folder, name), "UNSUPPORTED", /it is a playlist/);
    }
    assert.equal(requests, 0);
    await server.shutdown();
  });
});

Deno.test("a film that is cut off gives what there is, and fails", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "fast.mp4");
    await makeVideo(path, { frames: 50 });
    // The index first, so that half the file can be read.
    const cut = moveIndexFirst(await Deno.readFile(path));
    await Deno.writeFile(path, cut.subarray(0, Math.round(cut.length * 0.6)));
    const seen: number[] = [];
    await assert.rejects(
      async () => {
        for await (const image of (await makeSource(path)).open(context())) {
          seen.push((await burntIn(image.value)) ?? -1);
        }
      },
      (error) => error instanceof SourceError && /cut off after \d+ frames/.test(error.message),
    );
    assert.ok(seen.length > 5 && seen.length < 50, `${seen.length} frames`);
  });
});

Deno.test("a film that ends within a frame gives the whole frames before it, and fails", async () => {
  await withFolder(async (folder) => {
    const kinds = [
      ["a.avi", "libx264"],
      ["b.avi", "mjpeg"],
      ["c.flv", "libx264"],
      ["d.mkv", "libx264"],
    ] as const;
    for (const [name, kind] of kinds) {
      const path = join(folder, name);
      await makeVideo(path, { frames: 75, codec: kind });
      const whole = await images(path);
      const film = await Deno.readFile(path);
      await Deno.writeFile(path, film.subarray(0, Math.round(film.length / 2)));
      for (const codec of ["jpeg", "copy"] as const) {
        if (kind === "mjpeg" && codec === "copy") continue;
        let count = 0;
        await assert.rejects(
          async () => {
            for await (const image of (await makeSource(path, { codec })).open(context())) {
              if (codec === "jpeg") assert.deepEqual(image, whole[count]);
              count++;
            }
          },
          (error) =>
            error instanceof SourceError && error.code === "CORRUPT" &&
            new RegExp(`cut off after ${count} frames`).test(error.message),
        );
        assert.ok(count > 5 && count < 75, `${name}, ${codec}: ${count}`);
      }
    }
  });
});

Deno.test("H.264 in AVI, which names no times of showing, is copied as it was filmed", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "film.avi");
    await makeVideo(path, { frames: 25, times: (i) => i * i * 10 });
    const copied = await take(makeSource(path, { codec: "copy" }));
    assert.deepEqual(
      copied.map(({ timestamp }) => timestamp),
      (await images(path)).map((
        { timestamp },
      ) => timestamp),
    );
    assert.equal(copied.at(-1)!.timestamp, 24 * 24 * 10);
  });
});

Deno.test("H.264 without times of its own is not copied where a B-frame comes", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "film.h264");
    await makeVideo(path, { frames: 30, bFrames: 2 });
    await assert.rejects(
      take(makeSource(path, { codec: "copy" })),
      /presentation order \(B-frames/,
    );
  });
});

Deno.test("MPEG-TS that lacks packets: a copy leaves out their frame and what depends on it", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "film.ts");
    await makeVideo(path, { frames: 30, width: 640, height: 480 });
    const whole = await take(makeSource(path, { codec: "copy" }));
    const film = await Deno.readFile(path);
    const counts = new Set<number>();
    // In frames between keyframes, and in keyframes: the first one fills the first parts.
    for (let part = 4; part < 16; part++) {
      const at = Math.floor(film.length * part / 16 / 188) * 188;
      await Deno.writeFile(path, concatenated([film.subarray(0, at), film.subarray(at + 2 * 188)]));
      const left = await take(makeSource(path, { codec: "copy" }));
      const values = left.map(({ value }) => value.toBase64());
      const shown = whole.filter(({ value }) => values.includes(value.toBase64()));
      assert.equal(shown.length, left.length, `no damaged frame, part ${part}`);
      counts.add(left.length);
    }
    assert.ok(counts.has(20), "a keyframe was hit: the frame before it is there, its group is not");
  });
});

/** A second of silence as a WAV file. */
function silence(): Uint8Array {
  const bytes = new Uint8Array(44 + 8_000);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("RIFF    WAVEfmt "));
  view.setUint32(4, bytes.length - 8, true);
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, 8_000, true);
  view.setUint32(28, 8_000, true);
  view.setUint16(32, 1, true);
  view.setUint16(34, 8, true);
  bytes.set(new TextEncoder().encode("data"), 36);
  view.setUint32(40, 8_000, true);
  return bytes;
}

/** Puts the `moov` box of an MP4 before its `mdat`, and moves the offsets in it. */
function moveIndexFirst(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer);
  const boxes = new Map<string, readonly [number, number]>();
  for (let at = 0; at < file.length; at += view.getUint32(at)) {
    boxes.set(new TextDecoder().decode(file.subarray(at + 4, at + 8)), [at, view.getUint32(at)]);
  }
  const [moovAt, moovSize] = boxes.get("moov")!;
  const [mdatAt] = boxes.get("mdat")!;
  const moov = file.slice(moovAt, moovAt + moovSize);
  const stco = indexOf(moov, new TextEncoder().encode("stco"));
  const inner = new DataView(moov.buffer);
  for (let i = 0; i < inner.getUint32(stco + 8); i++) {
    const at = stco + 12 + i * 4;
    inner.setUint32(at, inner.getUint32(at) + moovSize);
  }
  const moved = new Uint8Array(file.length);
  moved.set(file.subarray(0, mdatAt));
  moved.set(moov, mdatAt);
  moved.set(file.subarray(mdatAt, moovAt), mdatAt + moovSize);
  return moved;
}
