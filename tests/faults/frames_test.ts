/** Faults in the frames themselves: bad bytes, odd times, sequences that start again, two cameras on one partition. */
import assert from "node:assert/strict";
import type { LogRecord, TopicLog } from "../../runtime/log/log.ts";
import { assertFlawless, judge, type Marked, markedRecords, markOf } from "../support/checker.ts";
import { framelane } from "../support/framelane.ts";
import { readAll, withLog } from "../support/log.ts";
import { Random } from "../support/random.ts";

async function publish(log: TopicLog, records: readonly LogRecord[]): Promise<void> {
  await log.createTopic("VideoStreaming", 1);
  const producer = await log.producer();
  await producer.append("VideoStreaming", 0, records);
  await producer.close();
}

async function run(url: string) {
  const { code, process } = await framelane([
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
    "--executors",
    "1",
    "--json",
  ]);
  assert.equal(code, 0, process.output());
  return process;
}

const offsetsOf = async (log: TopicLog, topic: string, header: string) =>
  (await readAll(log, topic, 0)).map(({ headers }) => Number(headers[header]));

/** Ways of being no image, with the reason that is given. */
const SPOILED: Readonly<Record<string, (value: Uint8Array, random: Random) => Uint8Array>> = {
  empty: () => new Uint8Array(0),
  truncated: (value, random) => value.slice(0, random.whole(1, value.length - 40)),
  "wrong type": () => new TextEncoder().encode("<html>no picture</html>"),
  "corrupt header": (value) => value.map((byte, i) => (i < 160 && i > 1 ? 0xff : byte)),
  "claims to be huge": (value) => withSize(value, 0xffff, 0xffff),
};

/** A JPEG whose frame header says another size. */
function withSize(value: Uint8Array, width: number, height: number): Uint8Array {
  const copy = value.slice();
  for (let at = 2; at < copy.length;) {
    const length = copy[at + 2]! << 8 | copy[at + 3]!;
    if (copy[at + 1]! >= 0xc0 && copy[at + 1]! <= 0xc2) {
      copy.set([height >> 8, height & 255, width >> 8, width & 255], at + 5);
      return copy;
    }
    at += 2 + length;
  }
  throw new Error("Cannot find the frame header");
}

Deno.test("1 % bad frames: each a dead letter with reason and KIP-1034 headers, neighbours untouched, no restart", async () => {
  await withLog(async (url, log) => {
    const random = Random.fromEnvironment(4);
    const records = markedRecords(1, 600);
    const bad = new Map<number, string>();
    for (const [index, kind] of Object.keys(SPOILED).entries()) {
      bad.set(index * 100 + random.whole(20, 90), kind);
    }
    // Two in a row.
    bad.set(590, "empty").set(591, "wrong type");
    await publish(
      log,
      records.map((record, offset) =>
        bad.has(offset)
          ? { ...record, value: SPOILED[bad.get(offset)!]!(record.value, random) }
          : record
      ),
    );
    const process = await run(url);
    const [summary] = process.summaries;
    assert.equal(summary!.deadLettered, bad.size);
    assert.equal(summary!.outputs, records.length - bad.size);
    assert.doesNotMatch(process.output(), /starting it again/);
    assert.deepEqual(
      await offsetsOf(log, "OUT", "source-offset"),
      records.map((_, offset) => offset).filter((offset) => !bad.has(offset)),
    );
    const letters = await readAll(log, "VideoStreaming.dead-letters", 0);
    assert.deepEqual(
      letters.map(({ headers }) => Number(headers["__streams.errors.offset"])),
      [...bad.keys()].sort((a, b) => a - b),
    );
    for (const { headers } of letters) {
      for (const name of ["exception", "message", "topic", "partition", "stacktrace"]) {
        assert.notEqual(headers[`__streams.errors.${name}`], undefined, name);
      }
      assert.match(headers["reason"]!, /^(empty|corrupt|unsupported-type|too-large)$/);
    }
  });
});

Deno.test("capture times that go backwards or are an hour off: every frame once, in offset order", async () => {
  await withLog(async (url, log) => {
    const now = Date.now();
    const hour = 3_600_000;
    const shifts = [0, hour, -hour, 2 * hour, 0, -26 * hour, 5];
    const records = markedRecords(1, 70).map((record, index) => ({
      ...record,
      timestamp: now + shifts[Math.floor(index / 10)]! - (index % 3) * 500,
    }));
    await publish(log, records);
    const process = await run(url);
    assert.equal(process.summaries[0]!.outputs, 70);
    const out = await readAll(log, "OUT", 0);
    assert.deepEqual(out.map(({ timestamp }) => timestamp), records.map((r) => r.timestamp));
    assert.deepEqual(
      out.map(({ headers }) => headers["seq"]),
      records.map((r) => r.headers["seq"]),
    );
  });
});

Deno.test("a camera that starts its sequence again is no gap and no second camera", async () => {
  await withLog(async (url, log) => {
    await publish(log, [
      ...markedRecords(1, 20, { session: "a" }),
      ...markedRecords(1, 20, { session: "b" }),
    ]);
    const process = await run(url);
    const { totals } = process.progress(0).at(-1)! as unknown as { totals: Record<string, number> };
    assert.deepEqual(
      [totals["gaps"], totals["duplicates"], totals["orderViolations"]],
      [0, 0, 0],
    );
    assert.doesNotMatch(process.output(), /Two cameras/);
  });
});

Deno.test("two cameras on one partition are detected and named; no frame is lost for it", async () => {
  await withLog(async (url, log) => {
    const [one, two] = [
      markedRecords(1, 20, { session: "front" }),
      markedRecords(2, 20, { session: "back" }),
    ];
    const mixed = one.flatMap((record, i) => [record, two[i]!]);
    await publish(log, mixed);
    const process = await run(url);
    assert.match(
      process.output(),
      /Two cameras publish to VideoStreaming partition 0: CAMERA-\d\/\w+ and CAMERA-\d\/\w+ take turns/,
    );
    assert.equal(process.summaries[0]!.outputs, 40);
    const seen = (await readAll(log, "OUT", 0)).map(({ key, headers }): Marked => ({
      camera: key!,
      seq: Number(headers["seq"]),
      sha256: headers["sha256"]!,
    }));
    assertFlawless(judge(mixed.map(markOf), seen), "two cameras");
  });
});
