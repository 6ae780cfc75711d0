/**
 * The main job on Kafka, with producers and consumers that know nothing of Framelane.
 */
import assert from "node:assert/strict";
import jpeg from "@julusian/jpeg-turbo";
import { Buffer } from "node:buffer";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { framelane } from "../support/framelane.ts";
import { jpegOf } from "../support/frames.ts";
import { kafkaAddress, openPatiently, uniqueName } from "../support/kafka.ts";
import { kafkajs } from "../support/kafkajs.ts";
import { readAll } from "../support/log.ts";

const PARTITIONS = 3;
const FRAMES = 40;

/** Runs a query on all that there is; the group is called as the topic. */
const queries = (name: string, log: string, topic: string, sink: string) => [
  ...["queries", name, "--log", log, "--topic", topic, "--group", topic, "--sink", sink, "--json"],
  ...["--starting-offsets", "earliest", "--trigger", "available-now"],
];

/** Plain JPEGs without key or headers, by kcat. */
async function produceForeign(broker: string, topic: string, from: number): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "framelane-test-" });
  try {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const files: string[] = [];
      for (let i = 0; i < FRAMES; i++) {
        const file = `${directory}/${partition}-${i}.jpg`;
        await Deno.writeFile(file, jpegOf(from + i + partition * 1000));
        files.push(file);
      }
      const { success, stderr } = await new Deno.Command("kcat", {
        args: ["-P", "-b", broker, "-t", topic, "-p", String(partition), ...files],
        stdin: "null",
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("foreign JPEGs without headers come out grey, once, in order, with the design's headers", async () => {
  const broker = kafkaAddress();
  const topic = uniqueName("main-job");
  const url = `kafka://${broker}`;
  const log = await openPatiently(url);
  try {
    await log.createTopic(topic, PARTITIONS);
    await produceForeign(broker, topic, 0);
    const args = queries("greyscale", url, topic, `topic:${topic}-OUT`);
    const first = await framelane(args);
    assert.equal(first.code, 0, first.process.output());
    const summary = first.process.summaries[0]!;
    assert.deepEqual(
      [summary.frames, summary.outputs, summary.dropped, summary.deadLettered],
      [PARTITIONS * FRAMES, PARTITIONS * FRAMES, 0, 0],
    );
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const source = await readAll(log, topic, partition);
      const out = await readAll(log, `${topic}-OUT`, partition);
      assert.equal(out.length, FRAMES);
      for (const [index, frame] of out.entries()) {
        const { width, height, components } = inspectImage(frame.value);
        assert.deepEqual([width, height, components], [64, 48, 1]);
        assert.equal(frame.timestamp, source[index]!.timestamp);
        assert.equal(frame.key, null);
        assert.equal(frame.headers["query"], "greyscale");
        assert.equal(frame.headers["source-topic"], topic);
        assert.equal(frame.headers["source-partition"], String(partition));
        assert.equal(frame.headers["source-offset"], String(source[index]!.offset));
        assert.equal(frame.headers["content-type"], "image/jpeg");
        assertGreyOf(source[index]!.value, frame.value);
      }
    }
    const again = await framelane(args);
    assert.equal(again.code, 0, again.process.output());
    assert.equal(again.process.summaries[0]!.frames, 0);
    assert.equal((await readAll(log, `${topic}-OUT`, 0)).length, FRAMES);
    const { stdout } = await new Deno.Command("kcat", {
      args: ["-C", "-b", broker, "-t", `${topic}-OUT`, "-e", "-q", "-f", "%p %h\n"],
      stdin: "null",
    }).output();
    assert.equal(new TextDecoder().decode(stdout).trim().split("\n").length, PARTITIONS * FRAMES);
  } finally {
    await log.close();
  }
});

function assertGreyOf(source: Uint8Array, grey: Uint8Array): void {
  const luma = (bytes: Uint8Array) =>
    jpeg.decompressSync(Buffer.from(bytes), { format: jpeg.FORMAT_GRAY }).data;
  const [want, got] = [luma(source), luma(grey)];
  let difference = 0;
  for (let i = 0; i < want.length; i++) difference += Math.abs(want[i]! - got[i]!);
  assert.ok(difference / want.length < 6, `mean difference ${difference / want.length}`);
}

Deno.test("a query shows in Kafka's own tools as a consumer group with its offsets", async () => {
  const broker = kafkaAddress();
  const topic = uniqueName("lag");
  const url = `kafka://${broker}`;
  const log = await openPatiently(url);
  try {
    await log.createTopic(topic, PARTITIONS);
    await produceForeign(broker, topic, 0);
    const { code, process } = await framelane(queries("passthrough", url, topic, "console"));
    assert.equal(code, 0, process.output());
    const admin = kafkajs(broker).admin();
    await admin.connect();
    const [offsets] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
    await admin.disconnect();
    assert.deepEqual(
      offsets!.partitions.map(({ partition, offset }) => [partition, offset])
        .sort((a, b) => Number(a[0]) - Number(b[0])),
      Array.from({ length: PARTITIONS }, (_, partition) => [partition, String(FRAMES)]),
    );
  } finally {
    await log.close();
  }
});
