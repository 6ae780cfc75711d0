import assert from "node:assert/strict";
import { greyscale } from "../../../queries/operators/greyscale.ts";
import { passthrough } from "../../../queries/operators/passthrough.ts";
import { BadFrameError, decodeImage, inspectImage, query } from "../../../runtime/mod.ts";
import { collect, MemoryLog, runQuery } from "../../../runtime/testing.ts";
import { encoded, jpegOf, meanDifference } from "../../runtime/image/fixtures.ts";
import { frameOf, run } from "./kit.ts";

Deno.test("greyscale gives grey JPEGs of the same size whatever comes", async () => {
  const colour = {
    jpeg: jpegOf(70, 50),
    progressive: await encoded(70, 50, (i) => i.jpeg({ progressive: true })),
    cmyk: await encoded(70, 50, (i) => i.toColourspace("cmyk").jpeg()),
    png: await encoded(70, 50, (i) => i.png()),
    webp: await encoded(70, 50, (i) => i.webp()),
  };
  for (const [name, value] of Object.entries(colour)) {
    const frame = frameOf(value, 7, 700, { "content-type": "image/x", seq: "3", label: "door" });
    const [grey, ...more] = await run(greyscale({ quality: 90 }), [frame]);
    assert.equal(more.length, 0);
    assert.ok(grey);
    const { type, width, height, components } = inspectImage(grey.value);
    assert.deepEqual({ type, width, height, components }, {
      type: "jpeg",
      width: 70,
      height: 50,
      components: 1,
    }, name);
    assert.deepEqual(grey, {
      ...frame,
      value: grey.value,
      headers: { "content-type": "image/jpeg", seq: "3", label: "door", width: "70", height: "50" },
    });
    const before = await decodeImage(value, 1), after = await decodeImage(grey.value, 1);
    assert.ok(meanDifference(before.data, after.data) < 2.5, name);
    before.release();
    after.release();
  }
});

Deno.test("greyscale keeps each sample of a JPEG's luma, unless a quality is asked for", async () => {
  const jpegs = [
    jpegOf(70, 50),
    await encoded(70, 50, (i) => i.jpeg({ progressive: true })),
    await encoded(71, 49, (i) => i.jpeg({ chromaSubsampling: "4:4:4" })),
    await encoded(64, 48, (i) => i.jpeg().withMetadata({ orientation: 6 })),
  ];
  for (const jpeg of jpegs) {
    const before = await decodeImage(jpeg, 1);
    for (const [options, same] of [[{}, true], [{ quality: 50 }, false]] as const) {
      const [output] = await run(greyscale(options), [frameOf(jpeg)]);
      const after = await decodeImage(output!.value, 1);
      assert.equal(after.data.every((luma, at) => luma === before.data[at]), same);
      after.release();
    }
    before.release();
  }
});

Deno.test("greyscale leaves a grey JPEG as it is, but looks for damage", async () => {
  const grey = await encoded(70, 50, (i) => i.toColourspace("b-w").jpeg());
  const [output] = await run(greyscale(), [frameOf(grey)]);
  assert.equal(output!.value, grey);
  assert.equal(output!.headers["content-type"], "image/jpeg");
  await assert.rejects(
    run(greyscale(), [frameOf(grey.subarray(0, grey.length - 60))]),
    BadFrameError,
  );
});

Deno.test("greyscale keeps the EXIF orientation", async () => {
  for (const orientation of [1, 3, 6, 8]) {
    const turned = await encoded(70, 50, (i) => i.jpeg().withMetadata({ orientation }));
    const [output] = await run(greyscale(), [frameOf(turned)]);
    const info = inspectImage(output!.value);
    assert.equal(info.orientation ?? 1, orientation);
    assert.deepEqual([info.width, info.height], [70, 50]);
    (await decodeImage(output!.value, 1)).release();
  }
});

Deno.test("greyscale refuses bad frames one by one, with a reason each", async () => {
  const jpeg = jpegOf(70, 50);
  const bad = {
    empty: new Uint8Array(),
    "unsupported-type": new TextEncoder().encode("not a picture"),
    corrupt: jpeg.subarray(0, jpeg.length - 100),
  };
  for (const [reason, value] of Object.entries(bad)) {
    await assert.rejects(
      run(greyscale(), [frameOf(value)]),
      (error) => error instanceof BadFrameError && error.reason === reason,
    );
  }
  assert.throws(() => greyscale({ quality: 101 }), /quality: expected a whole number from 1/);
  assert.throws(() => greyscale({ qualty: 50 } as object), /qualty: unknown; expected quality/);
});

Deno.test("greyscale as a query keeps order and loses bad frames alone", async () => {
  const log = new MemoryLog();
  await log.createTopic("VideoStreaming", 1);
  const broken = new Set([3, 11]);
  const values = Array.from({ length: 20 }, (_, i) => {
    const jpeg = jpegOf(32 + 8 * (i % 5), 32, i);
    return broken.has(i) ? jpeg.subarray(0, 40) : jpeg;
  });
  const records = values.map((value, i) => ({ key: null, value, timestamp: 40 * i, headers: {} }));
  log.append("VideoStreaming", 0, records);
  const sink = collect();
  const definition = query("greyscale")
    .readStream({ startingOffsets: "earliest" })
    .process(greyscale())
    .writeStream(sink)
    .trigger("available-now");
  const totals = await runQuery(definition, { log });
  const offsets = sink.outputs.map((output) => "offset" in output ? output.offset : -1);
  assert.deepEqual(offsets, values.map((_, i) => i).filter((i) => !broken.has(i)));
  assert.equal(totals.deadLettered, 2);
});

Deno.test("passthrough changes nothing", async () => {
  const frame = frameOf(new Uint8Array([1, 2, 3]));
  assert.deepEqual(await run(passthrough(), [frame]), [frame]);
});
