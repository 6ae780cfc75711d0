/**
 * The main job on the embedded log: cameras and queries as separate processes; and bad input.
 */
import assert from "node:assert/strict";
import { inspectImage } from "../../runtime/image/inspect.ts";
import { framelane, FramelaneProcess } from "../support/framelane.ts";
import { jpegOf, records } from "../support/frames.ts";
import { readAll, whilePublishing, withLog } from "../support/log.ts";

const greyscale = (url: string, ...more: string[]) => [
  "queries",
  "greyscale",
  "--log",
  url,
  "--starting-offsets",
  "earliest",
  "--trigger",
  "available-now",
  "--sink",
  "topic:OUT",
  "--json",
  ...more,
];

const passthrough = (url: string) =>
  new FramelaneProcess([
    ...["queries", "passthrough", "--log", url, "--starting-offsets", "earliest"],
    ...["--port", "off", "--json"],
  ]);

Deno.test("camera and queries in processes of their own: every frame grey, once, in order", async () => {
  await withLog(async (url, log) => {
    for (const number of [1, 3]) {
      const { code, process } = await framelane([
        "camera",
        String(number),
        "--source",
        "pattern:?size=160x120",
        "--fps",
        "100",
        "--limit",
        "30",
        "--log",
        url,
        "--json",
      ]);
      assert.equal(code, 0, process.output());
      assert.equal(process.summaries[0]!.published, 30);
    }
    assert.equal(await log.partitionCount("VideoStreaming"), 3);
    const { code, process } = await framelane(greyscale(url));
    assert.equal(code, 0, process.output());
    for (const [partition, count] of [30, 0, 30].entries()) {
      const source = await readAll(log, "VideoStreaming", partition);
      const out = await readAll(log, "OUT", partition);
      assert.equal(out.length, count);
      for (const [index, { key, value, headers, timestamp }] of out.entries()) {
        assert.equal(key, `CAMERA-${partition + 1}`);
        assert.equal(headers["source-offset"], String(index));
        assert.equal(headers["seq"], String(index));
        assert.equal(timestamp, source[index]!.timestamp);
        const { width, height, components } = inspectImage(value);
        assert.deepEqual([width, height, components], [160, 120, 1]);
      }
    }
    const again = await framelane(greyscale(url));
    assert.equal(again.process.summaries[0]!.frames, 0);
    assert.equal((await readAll(log, "OUT", 0)).length, 30);
  });
});

Deno.test("--executors 0 does the same in the main thread", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 2);
    const producer = await log.producer();
    await producer.append("VideoStreaming", 1, records(2, 20));
    await producer.close();
    const { code, process } = await framelane(greyscale(url, "--executors", "0"));
    assert.equal(code, 0, process.output());
    assert.equal((await readAll(log, "OUT", 1)).length, 20);
  });
});

Deno.test("bad frames are dead letters with reason and origin; their neighbours pass", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const good = jpegOf(1);
    const values = [
      good,
      new Uint8Array(0),
      new TextEncoder().encode("no image at all"),
      good.slice(0, good.length >> 1),
      jpegOf(2),
    ];
    const producer = await log.producer();
    await producer.append(
      "VideoStreaming",
      0,
      values.map((value, i) => ({ key: null, value, timestamp: 1000 + i, headers: {} })),
    );
    await producer.close();
    const { code, process } = await framelane(greyscale(url));
    assert.equal(code, 0, process.output());
    assert.equal(process.summaries[0]!.deadLettered, 3);
    assert.equal(process.summaries[0]!.outputs, 2);
    const out = await readAll(log, "OUT", 0);
    assert.deepEqual(out.map(({ headers }) => headers["source-offset"]), ["0", "4"]);
    const letters = await readAll(log, "VideoStreaming.dead-letters", 0);
    assert.deepEqual(
      letters.map(({ headers }) => [headers["reason"], headers["__streams.errors.offset"]]),
      [["empty", "1"], ["unsupported-type", "2"], ["corrupt", "3"]],
    );
    assert.deepEqual(letters.map(({ value }) => value), [values[1], values[2], values[3]]);
  });
});

Deno.test("PNG frames are processed as JPEGs are", async () => {
  await withLog(async (url, log) => {
    const { default: sharp } = await import("sharp");
    const png = new Uint8Array(
      await sharp({ create: { width: 40, height: 30, channels: 3, background: "#c04080" } }).png()
        .toBuffer(),
    );
    await log.createTopic("VideoStreaming", 1);
    const producer = await log.producer();
    await producer.append("VideoStreaming", 0, [
      { key: null, value: png, timestamp: 1, headers: {} },
    ]);
    await producer.close();
    const { code, process } = await framelane(greyscale(url));
    assert.equal(code, 0, process.output());
    const [frame] = await readAll(log, "OUT", 0);
    const { type, width, height, components } = inspectImage(frame!.value);
    assert.deepEqual([type, width, height, components], ["jpeg", 40, 30, 1]);
  });
});

for (
  const [what, args, code, message] of [
    [
      "an unknown query",
      ["queries", "grayscale"],
      2,
      /Unknown query "grayscale".*did you mean greyscale/,
    ],
    [
      "a wrong flag",
      ["queries", "--triger", "asap"],
      2,
      /Unknown option --triger: did you mean --trigger/,
    ],
    ["a wrong trigger", ["queries", "--trigger", "often"], 2, /--trigger "often".*available-now/],
    ["a wrong sink", ["queries", "--sink", "printer:"], 2, /--sink "printer:".*images:DIR/],
    ["wrong partitions", ["queries", "--partitions", "one"], 2, /--partitions "one".*0,2/],
    ["a wrong log", ["queries", "--log", "mysql://x"], 2, /mysql.*embedded:DIR or kafka/],
    [
      "a broker that is away",
      ["queries", "--log", "kafka://127.0.0.1:1", "--trigger", "available-now"],
      1,
      /127\.0\.0\.1:1/,
    ],
    ["a camera without a number", ["camera"], 2, /Missing N: expected deno task camera N/],
    ["no such command", ["quereis"], 2, /queries/],
  ] as const
) {
  Deno.test(`wrong use: ${what} is said clearly`, async () => {
    const ended = await framelane(args);
    assert.match(ended.process.output(), message);
    assert.equal(ended.code, code, ended.process.output());
  });
}

Deno.test("no topic: available-now fails with what to do, asap waits for a camera", async () => {
  await withLog(async (url, log) => {
    const { code, process } = await framelane(greyscale(url));
    assert.equal(code, 1);
    assert.match(process.output(), /Topic VideoStreaming does not exist.*start a camera first/);
    const waiting = passthrough(url);
    await waiting.until(
      "the word",
      (p) => p.said.some((line) => line.includes("waiting for a camera")),
    );
    await log.createTopic("VideoStreaming", 1);
    await whilePublishing(log, 1, () => waiting.until("frames", (p) => p.progress(0).length > 0));
    assert.equal(await waiting.stop(), 0);
  });
});

Deno.test("a viewer whose log is away says once that it tries again", async () => {
  const args = ["viewer", "--log", "kafka://127.0.0.1:1", "--port", "0"];
  await using viewer = new FramelaneProcess(args);
  await viewer.until(
    "the word",
    ({ said }) => said.some((line) => /connection refused\. Retrying …$/.test(line)),
  );
});

Deno.test("Ctrl-C ends with 1 once a lane has failed for good; the other lane's frames are there", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 2);
    const producer = await log.producer();
    await producer.append("VideoStreaming", 0, records(1, 3));
    await producer.close();
    const offsets = ["--starting-offsets", '{"VideoStreaming":{"0":-2,"1":99}}'];
    const running = new FramelaneProcess([
      ...["queries", "passthrough", "--log", url, "--port", "off", "--json", "--sink", "topic:OUT"],
      ...offsets,
    ]);
    await running.until("the failure", (p) => p.output().includes("at offset 99"));
    await running.until("the frames", (p) => p.progress(0).length > 0);
    assert.equal(await running.stop(), 1, running.output());
    assert.equal(running.summaries[0]!.frames, 3);
    assert.equal((await readAll(log, "OUT", 0)).length, 3);
  });
});

Deno.test("a port in use is said clearly", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const { code, process } = await framelane([
        "queries",
        "--log",
        url,
        "--port",
        String((taken.addr as Deno.NetAddr).port),
      ]);
      assert.equal(code, 1);
      assert.match(process.output(), /another program uses this port/);
    } finally {
      taken.close();
    }
  });
});

Deno.test("a topic that gains partitions is followed without a restart", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const process = passthrough(url);
    await whilePublishing(
      log,
      1,
      () => process.until("partition 0", (p) => p.progress(0).length > 0),
    );
    await log.createTopic("VideoStreaming", 3);
    await whilePublishing(
      log,
      3,
      () =>
        process.until("partition 2", (p) => p.progress(1).length > 0 && p.progress(2).length > 0),
    );
    assert.equal(await process.stop(), 0);
  });
});
