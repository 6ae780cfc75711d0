import assert from "node:assert/strict";
import { join } from "node:path";
import type { Frame } from "../../runtime/definition/frame.ts";
import { kafkaUrl, openPatiently, uniqueName } from "../support/kafka.ts";
import { burntIn, framelane } from "./kit.ts";

const CLIP = join(import.meta.dirname!, "..", "..", "clips", "bigbuckbunny.mp4");

async function framesOf(topic: string, partition: number): Promise<Frame[]> {
  const log = await openPatiently();
  try {
    const { earliest, latest } = await log.offsets(topic, partition);
    const reader = await log.reader();
    const open = await reader.open(topic, partition, earliest);
    const frames: Frame[] = [];
    while (open.position < latest) {
      for (const frame of await open.read(100)) {
        frames.push({ ...frame, value: frame.value.slice() });
      }
    }
    return frames;
  } finally {
    await log.close();
  }
}

Deno.test("cameras into Kafka: several at once, each in its partition, every compression", async () => {
  const topic = uniqueName("cameras");
  const names = ["none", "gzip", "snappy", "lz4", "zstd"];
  const runs = await Promise.all(names.map(async (compression, index) => {
    const { code, stdout, stderr } = await framelane([
      "camera",
      String(index + 1),
      "--source=pattern:?size=160x120",
      "--fps=100",
      "--limit=40",
      `--log=${kafkaUrl()}`,
      `--topic=${topic}`,
      `--compression=${compression}`,
      "--linger-ms=20",
      "--batch-bytes=60000",
      "--json",
    ]).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
  }));
  for (const [partition, summary] of runs.entries()) {
    assert.deepEqual(
      [summary.camera, summary.partition, summary.published, summary.dropped],
      [`CAMERA-${partition + 1}`, partition, 40, 0],
    );
    const frames = await framesOf(topic, partition);
    assert.equal(frames.length, 40);
    for (const [seq, { key, headers, value }] of frames.entries()) {
      assert.equal(key, `CAMERA-${partition + 1}`);
      assert.equal(headers.seq, String(seq));
      assert.equal(await burntIn(value), seq);
    }
  }
});

Deno.test("a film into Kafka: all of it once, with its own times", async () => {
  const topic = uniqueName("cameras");
  const { code, stdout } = await framelane([
    "camera",
    "2",
    `--source=${CLIP}`,
    "--fps=max",
    `--log=${kafkaUrl()}`,
    `--topic=${topic}`,
    "--json",
  ]).output();
  assert.equal(code, 0);
  const summary = JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
  assert.equal(summary.published, 132);
  const frames = await framesOf(topic, 1);
  assert.deepEqual(frames.map(({ headers }) => headers.seq), frames.map((_, i) => String(i)));
  assert.equal(frames.length, 132);
  const first = frames[0]!.timestamp;
  assert.deepEqual(frames.map(({ timestamp }) => timestamp - first), frames.map((_, i) => 40 * i));
});

Deno.test("a broker that is not there is waited for; Ctrl-C ends the waiting, and says what was lost", async () => {
  const child = framelane([
    "camera",
    "1",
    "--source=pattern:?size=160x120",
    "--fps=50",
    "--buffer=10",
    "--log=kafka://127.0.0.1:1",
    "--json",
  ]).spawn();
  const lines: string[] = [];
  let stopped = 0;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream() as never)) {
    lines.push(...String(text).trim().split("\n"));
    // The buffer is full.
    if (/"dropped":[1-9]/.test(String(text)) && stopped++ === 0) child.kill("SIGINT");
  }
  const { code } = await child.status;
  const error = await new Response(child.stderr).text();
  const summary = JSON.parse(lines.at(-1)!);
  assert.equal(code, 1);
  assert.equal(summary.published, 0);
  assert.ok(summary.dropped > 10, `${summary.dropped} dropped`);
  assert.match(error, /waiting for it/);
  assert.match(error, /did not accept the last \d+ frames within 5 s: they are lost/);
});
