/**
 * Several queries and a consumer that knows nothing of Framelane read one topic at once, each at its
 * own offset; a group goes back, by a flag and by Kafka's own tools.
 */
import assert from "node:assert/strict";
import type { Kafka } from "kafkajs";
import type { TopicLog } from "../../runtime/log/log.ts";
import { framelane, FramelaneProcess } from "../support/framelane.ts";
import { records } from "../support/frames.ts";
import { kafkaAddress, openPatiently, uniqueName } from "../support/kafka.ts";
import { kafkajs } from "../support/kafkajs.ts";
import { readAll } from "../support/log.ts";

const PARTITIONS = 2;
const FRAMES = 30;
/** What the foreign consumer takes before it leaves. */
const FOREIGN = 25;

/** A topic, and what the tests ask of it. */
async function withTopic(
  body: (bed: {
    readonly log: TopicLog;
    readonly topic: string;
    readonly publish: (count: number) => Promise<void>;
    readonly queries: (name: string, group: string, ...more: string[]) => string[];
    readonly admin: ReturnType<Kafka["admin"]>;
    /** Committed offset of each partition. */
    readonly offsets: (group: string) => Promise<number[]>;
    readonly directory: string;
  }) => Promise<void>,
): Promise<void> {
  const broker = kafkaAddress();
  const url = `kafka://${broker}`;
  const topic = uniqueName("together");
  const log = await openPatiently(url);
  const directory = await Deno.makeTempDir({ prefix: "framelane-test-" });
  const admin = kafkajs(broker).admin();
  await admin.connect();
  let published = 0;
  try {
    await log.createTopic(topic, PARTITIONS);
    const producer = await log.producer();
    await body({
      log,
      topic,
      admin,
      directory,
      async publish(count) {
        for (let partition = 0; partition < PARTITIONS; partition++) {
          await producer.append(
            topic,
            partition,
            records(partition + 1, count, { from: published }),
          );
        }
        published += count;
      },
      queries: (name, group, ...more) => [
        "queries",
        name,
        "--log",
        url,
        "--topic",
        topic,
        "--group",
        group,
        ...(more.includes("--starting-offsets") ? [] : ["--starting-offsets", "earliest"]),
        "--port",
        "off",
        "--json",
        ...more,
      ],
      async offsets(group) {
        const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
        return found!.partitions.toSorted((a, b) => a.partition - b.partition)
          .map(({ offset }) => Number(offset));
      },
    });
  } finally {
    await admin.disconnect();
    await log.close();
    await Deno.remove(directory, { recursive: true });
  }
}

/** Reads with kcat as a member of a group of its own; what it got, as `partition:offset`. */
async function kcat(group: string, topic: string, count: number): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command("kcat", {
    args: [
      ...["-b", kafkaAddress(), "-G", group, "-c", String(count), "-q", "-f", "%p:%o\n"],
      ...["-X", "auto.offset.reset=earliest", topic],
    ],
    stdin: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim().split("\n");
}

Deno.test("two runtimes and kcat read one topic at once, each at its own offset", () =>
  withTopic(async ({ log, topic, publish, queries, offsets }) => {
    await publish(FRAMES);
    const [grey, copy, foreign] = ["grey", "copy", "foreign"].map((name) => `${topic}-${name}`);
    const greyscale = new FramelaneProcess(
      queries("greyscale", grey!, "--sink", `topic:${grey}`),
    );
    const passthrough = new FramelaneProcess(
      queries("passthrough", copy!, "--sink", `topic:${copy}`, "--max-frames-per-trigger", "3"),
    );
    try {
      const taken = kcat(foreign!, topic, FOREIGN);
      const done = (process: FramelaneProcess, end: number) =>
        process.until(
          `offset ${end} of both partitions`,
          () =>
            Array.from({ length: PARTITIONS }, (_, partition) => partition).every((partition) =>
              process.progress(partition).at(-1)?.sources[0]?.endOffset[topic]?.[partition] === end
            ),
        );
      await done(greyscale, FRAMES);
      // One ends, the other reads on.
      assert.equal(await greyscale.stop(), 0, greyscale.output());
      await publish(FRAMES);
      await done(passthrough, 2 * FRAMES);
      assert.equal(await passthrough.stop(), 0, passthrough.output());
      const seen = await taken;
      assert.equal(new Set(seen).size, FOREIGN);
      assert.deepEqual(await offsets(grey!), [FRAMES, FRAMES]);
      assert.deepEqual(await offsets(copy!), [2 * FRAMES, 2 * FRAMES]);
      const left = (await offsets(foreign!)).reduce((sum, offset) => sum + Math.max(0, offset), 0);
      assert.equal(left, FOREIGN);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        assert.equal((await readAll(log, grey!, partition)).length, FRAMES);
        assert.equal((await readAll(log, copy!, partition)).length, 2 * FRAMES);
      }
    } finally {
      await greyscale.kill();
      await passthrough.kill();
    }
  }));

Deno.test("a group goes back: a new one by its flag, an old one by Kafka's own tools", () =>
  withTopic(async ({ log, topic, publish, queries, admin, offsets, directory }) => {
    await publish(FRAMES);
    const [group, later] = [`${topic}-passthrough`, `${topic}-second`];
    const sinks = (of: string) => [
      ...["--trigger", "available-now", "--sink", `topic:${of}`],
      ...["--sink", `events:${directory}/${of}.jsonl`, "--sink", `images:${directory}/${of}`],
    ];
    const run = async (args: string[]) => {
      const { code, process } = await framelane(args);
      assert.equal(code, 0, process.output());
      return process.summaries[0]!;
    };
    /** Source offsets of the records that came out, in their order. */
    const out = async (of: string, partition: number) =>
      (await readAll(log, of, partition)).map(({ headers }) => Number(headers["source-offset"]));
    const upTo = (first: number, end: number) =>
      Array.from({ length: end - first }, (_, i) => first + i);

    assert.equal((await run(queries("passthrough", group, ...sinks(group)))).frames, 2 * FRAMES);
    const from = JSON.stringify({ [topic]: { 0: 12, 1: -2 } });
    const second = await run(
      queries("passthrough", later, ...sinks(later), "--starting-offsets", from),
    );
    assert.equal(second.frames, 2 * FRAMES - 12);
    assert.deepEqual(await out(later, 0), upTo(12, FRAMES));
    assert.deepEqual(await out(later, 1), upTo(0, FRAMES));
    assert.deepEqual(await offsets(group), [FRAMES, FRAMES]);

    await admin.setOffsets({
      groupId: group,
      topic,
      partitions: [{ partition: 0, offset: "20" }],
    });
    const again = await run(queries("passthrough", group, ...sinks(group)));
    assert.equal(again.frames, FRAMES - 20);
    assert.deepEqual(await offsets(group), [FRAMES, FRAMES]);
    // The topic keeps what was there and gets what was asked for again.
    assert.deepEqual(await out(group, 0), [...upTo(0, FRAMES), ...upTo(20, FRAMES)]);
    assert.deepEqual(await out(group, 1), upTo(0, FRAMES));
    // Files are named by source offsets: they hold each of them once, whatever was asked for again.
    const rows = async (file: string) =>
      (await Deno.readTextFile(`${directory}/${file}`)).trim().split("\n");
    assert.equal(new Set(await rows(`${group}.jsonl`)).size, 2 * FRAMES);
    assert.equal((await rows(`${group}.jsonl`)).length, 2 * FRAMES);
    assert.equal((await rows(`${group}/annotations.csv`)).length, 1 + 2 * FRAMES);
  }));
