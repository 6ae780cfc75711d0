import assert from "node:assert/strict";
import type { Output } from "../../../runtime/definition/frame.ts";
import { ANNOTATIONS_HEADER } from "../../../runtime/sinks/files/images_task.ts";
import { images } from "../../../runtime/sinks/images.ts";
import { sinkContract } from "../../contracts/sink_contract.ts";
import { sinkContext, visible } from "../../contracts/sink_contract_kit.ts";
import { finding, frame, picture } from "./outputs.ts";

sinkContract({
  name: "images",
  make: (directory) => images({ directory: `${directory}/out` }),
  output: frame,
  runs: 30,
});

async function written(
  outputs: readonly Output[],
  query = "test",
): Promise<Record<string, string>> {
  const directory = await Deno.makeTempDir();
  try {
    const task = await images({ directory }).open(sinkContext({ query, partition: 1 }));
    const batch = { batchId: 0, start: 0, end: 100 };
    await task.write!(outputs, batch);
    await task.flush!(batch);
    assert.deepEqual(await visible(directory), { "annotations.csv": ANNOTATIONS_HEADER });
    await task.committed!(batch);
    await task.close!();
    return await visible(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const text = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

Deno.test("images: files by offset and a row for each", async () => {
  const { result: _, ...plain } = frame(1, 8);
  assert.deepEqual(await written([frame(1, 7), { ...plain, headers: {} }]), {
    "CAMERA-2/000000000007.jpg": text(picture(7)),
    "CAMERA-2/000000000008.jpg": text(picture(8)),
    "annotations.csv": ANNOTATIONS_HEADER +
      "CAMERA-2/000000000007.jpg,CAMERA-2,1,7,2023-11-14T22:13:20.280Z,label 1," +
      '"{""query"":""test"",""topic"":""VideoStreaming"",""partition"":1,""camera"":""CAMERA-2"",' +
      '""window"":{""firstOffset"":7,""lastOffset"":7,""firstTimestamp"":1700000000280,' +
      '""lastTimestamp"":1700000000280,""frames"":1,""gaps"":0},""scores"":{""motion"":0.7}}"\n' +
      "CAMERA-2/000000000008.jpg,CAMERA-2,1,8,2023-11-14T22:13:20.320Z,,\n",
  });
});

Deno.test("images: windows are named by their span, outputs of one frame are numbered", async () => {
  const { picture: _, ...bare } = finding(1, 20);
  const found = await written([finding(1, 10), frame(1, 30), { ...frame(1, 30), part: 1 }, bare]);
  assert.deepEqual(Object.keys(found), [
    "CAMERA-2/000000000010-000000000013.jpg",
    "CAMERA-2/000000000030.2.jpg",
    "CAMERA-2/000000000030.jpg",
    "annotations.csv",
  ]);
  assert.match(found["annotations.csv"]!, /\n,CAMERA-2,1,23,/);
});

Deno.test("images: a frame that comes again has a row each time and its last picture", async () => {
  const again = { ...frame(1, 5), value: picture(9) };
  const found = await written([frame(1, 5), frame(1, 6), again]);
  assert.deepEqual(Object.keys(found), [
    "CAMERA-2/000000000005.jpg",
    "CAMERA-2/000000000006.jpg",
    "annotations.csv",
  ]);
  assert.equal(found["CAMERA-2/000000000005.jpg"], text(picture(9)));
  assert.match(found["annotations.csv"]!, /0005.jpg,.*\n.*0006.jpg,.*\n.*0005.jpg,/);
});

Deno.test("images: the ending follows the bytes, then the header", async () => {
  const png = { ...frame(1, 1), value: new Uint8Array([0x89, 0x50, 0x4e, 0x47]) };
  const webp = { ...frame(1, 2), value: new TextEncoder().encode("RIFF....WEBPVP8 ") };
  const avif = {
    ...frame(1, 3),
    value: new Uint8Array(4),
    headers: { "content-type": "image/avif" },
  };
  const evil = {
    ...frame(1, 4),
    value: new Uint8Array(4),
    headers: { "content-type": "image/../../x" },
  };
  assert.deepEqual(Object.keys(await written([png, webp, avif, evil])).slice(0, -1), [
    "CAMERA-2/000000000001.png",
    "CAMERA-2/000000000002.webp",
    "CAMERA-2/000000000003.avif",
    "CAMERA-2/000000000004.bin",
  ]);
});

Deno.test("images: labels with commas, quotes and line ends stay one field of one row", async () => {
  const { result: _, ...plain } = frame(1, 7);
  const found = await written([{ ...plain, headers: { label: 'a "b",\nc' } }]);
  assert.ok(found["annotations.csv"]!.endsWith(',"a ""b"", c",\n'), found["annotations.csv"]);
});

Deno.test("images: a second query needs its own folder, and {query} gives it", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const first = await images({ directory }).open(sinkContext({ query: "one" }));
    await assert.rejects(
      async () => await images({ directory }).open(sinkContext({ query: "two" })),
      /CAMERA-1 belongs to query one on VideoStreaming, given two on VideoStreaming.*DIR\/\{query\}/,
    );
    const own = images({ directory: `${directory}/{query}` });
    const second = await own.open(sinkContext({ query: "two" }));
    await first.close!();
    await second.close!();
    assert.ok((await Deno.stat(`${directory}/two/CAMERA-1`)).isDirectory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("images: options are checked", () => {
  assert.throws(() => images({ directory: "" }), RangeError);
});
