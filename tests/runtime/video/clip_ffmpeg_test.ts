import assert from "node:assert/strict";
// Loaded before the tests, which would take the library for a leak.
import { streamClip, writeClip } from "../../../runtime/video/clip.ts";
import "../../../runtime/video/h264_encoding.ts";
import { filmed } from "../sinks/filmed.ts";
import { probeBytes } from "./probe.ts";

const episode = Array.from({ length: 60 }, (_, index) => filmed(0, 100 + index));
const times = episode.map(({ timestamp }) => timestamp - episode[0]!.timestamp);

Deno.test("clip: every frame at its capture time, with seek points", async () => {
  const found = await probeBytes(await writeClip(episode, { format: "mp4" }));
  assert.equal(found.frames, 60);
  assert.deepEqual(found.times, times);
  assert.equal(found.keys, 2);
  assert.equal(found.codec, "h264");
});

Deno.test("clip: the stream's chunks are the same video, from frames as they come", async () => {
  async function* source() {
    for (const frame of episode) {
      await Promise.resolve();
      yield frame;
    }
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of streamClip(source())) chunks.push(chunk);
  const found = await probeBytes(
    new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()),
  );
  assert.equal(found.frames, 60);
  assert.deepEqual(found.times, times);
});

Deno.test("clip: damaged frames are left out and said, and one without any is refused", async () => {
  const said: string[] = [];
  const damaged = { ...episode[1]!, value: new Uint8Array([0xff, 0xd8, 1, 2]) };
  const report = (line: string) => said.push(line);
  const found = await probeBytes(await writeClip([episode[0]!, damaged, episode[2]!], { report }));
  assert.equal(found.frames, 2);
  assert.match(said.join(), /^Left out of the clip: offset 101: /);
  await assert.rejects(
    () => writeClip([damaged]),
    /Cannot make a clip: expected one frame at least/,
  );
  await assert.rejects(() => writeClip([], { format: "avi" as "mp4" }), /expected mp4/);
});

Deno.test("clip: an aborted one ends at once", async () => {
  const abort = new AbortController();
  abort.abort(new Error("enough"));
  await assert.rejects(() => writeClip(episode, { signal: abort.signal }), /enough/);
});
