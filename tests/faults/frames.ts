// Faults in the frames themselves: bad bytes, odd times, sequences that start again, two cameras on one
// partition.
import assert from "node:assert/strict";
import type { Frame, Headers } from "../../runtime/definition/frame.ts";
import type { LogRecord, TopicLog } from "../../runtime/log/log.ts";
import { assertFlawless, judge, type Marked, markedRecords, sha256 } from "../support/checker.ts";
import { reportRow } from "../support/trial_report.ts";
import { withFolder } from "../support/folder.ts";
import { framelane } from "../support/framelane.ts";
import { readAll } from "../support/log.ts";
import { Random } from "../support/random.ts";

/** A log, and names on it that no other test uses. */
export interface Place {
  readonly url: string;
  readonly log: TopicLog;
  readonly topic: string;
  readonly out: string;
  /** The largest record that it takes. */
  readonly mostBytes: number;
}

/** Room for what a record has besides its value. */
const BESIDE = 600;
/** Larger records go alone. */
const ALONE = 100_000;

async function publish({ log, topic }: Place, records: readonly LogRecord[]): Promise<void> {
  await log.createTopic(topic, 1);
  const producer = await log.producer();
  // A bad camera's frames do not all fit into one request.
  for (let at = 0, end = 0; at < records.length; at = end) {
    const large = records.slice(at, at + 100).findIndex(({ value }) => value.length > ALONE);
    end = at + (large < 0 ? 100 : Math.max(1, large));
    await producer.append(topic, 0, records.slice(at, end));
  }
  await producer.close();
}

async function run({ url, topic, out }: Place, query = "greyscale") {
  const { code, process } = await framelane([
    ...["queries", query, "--log", url, "--topic", topic, "--group", `${topic}-group`],
    ...["--starting-offsets", "earliest", "--trigger", "available-now", "--sink", `topic:${out}`],
    ...["--executors", "1", "--json"],
  ]);
  assert.equal(code, 0, process.output());
  return process;
}

/** A camera's sequence starts again with each session: to the checker each is a camera. */
function sessionMark(
  { key, headers }: Pick<LogRecord, "key" | "headers">,
  sum: string,
): Marked {
  return { camera: `${key}/${headers["session"]}`, seq: Number(headers["seq"]), sha256: sum };
}

/** What the checker says of the outputs; the pictures are grey, their sources' sums go with them. */
async function verdictOn(
  what: string,
  { log, out }: Place,
  published: readonly LogRecord[],
): Promise<void> {
  const seen = (await readAll(log, out, 0)).map((frame) =>
    sessionMark(frame, frame.headers["sha256"]!)
  );
  const verdict = judge(
    published.map((record) => sessionMark(record, sha256(record.value))),
    seen,
  );
  reportRow({ fault: what, repetitions: 1, verdict });
  assertFlawless(verdict, what);
}

const offsetsOf = async (log: TopicLog, topic: string, header: string) =>
  (await readAll(log, topic, 0)).map(({ headers }) => Number(headers[header]));

/** Ways of being no image, with the reason that is given. */
const SPOILED: Readonly<
  Record<string, (value: Uint8Array, random: Random, mostBytes: number) => Uint8Array>
> = {
  empty: () => new Uint8Array(0),
  truncated: (value, random) => value.slice(0, random.whole(1, value.length - 40)),
  "wrong type": () => new TextEncoder().encode("<html>no picture</html>"),
  "corrupt header": (value) => value.map((byte, i) => (i < 160 && i > 1 ? 0xff : byte)),
  "truncated in its header": (value, random) => value.slice(0, random.whole(3, 100)),
  "claims to be huge": (value) => withSize(value, 0xffff, 0xffff),
  "as large as the log takes": (value, _, mostBytes) =>
    padded(withSize(value, 0xffff, 0xffff), mostBytes - BESIDE),
};

/** The same with this many bytes: JPEG decoders stop at the end of the image. */
function padded(value: Uint8Array, bytes: number): Uint8Array {
  const large = new Uint8Array(bytes);
  large.set(value);
  return large;
}

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

function assertDeadLetter(headers: Headers): void {
  for (const name of ["exception", "message", "topic", "partition", "stacktrace"]) {
    assert.notEqual(headers[`__streams.errors.${name}`], undefined, name);
  }
  assert.match(headers["reason"]!, /^(empty|corrupt|unsupported-type|too-large)$/);
}

/** Registers the trials for a kind of log. */
export function frameFaults(
  kind: string,
  withPlace: (test: (place: Place) => Promise<void>) => Promise<void>,
): void {
  Deno.test(`${kind}: 1 % bad frames: each a dead letter with reason and KIP-1034 headers, neighbours untouched, no restart`, async () => {
    await withPlace(async (place) => {
      const { log, topic, out, mostBytes } = place;
      const random = Random.fromEnvironment(4);
      const records = markedRecords(1, 800, { start: Date.now() - 800 * 66 });
      const bad = new Map<number, string>();
      for (const [index, kind] of Object.keys(SPOILED).entries()) {
        bad.set(index * 100 + random.whole(20, 90), kind);
      }
      // Two in a row.
      bad.set(790, "empty").set(791, "wrong type");
      await publish(
        place,
        records.map((record, offset) =>
          bad.has(offset)
            ? { ...record, value: SPOILED[bad.get(offset)!]!(record.value, random, mostBytes) }
            : record
        ),
      );
      const process = await run(place);
      const [summary] = process.summaries;
      assert.equal(summary!.deadLettered, bad.size);
      assert.equal(summary!.outputs, records.length - bad.size);
      assert.doesNotMatch(process.output(), /; restarting/);
      assert.deepEqual(
        await offsetsOf(log, out, "source-offset"),
        records.map((_, offset) => offset).filter((offset) => !bad.has(offset)),
      );
      await verdictOn(
        `1 % bad frames, ${kind}: all dead-lettered, the others`,
        place,
        records.filter((_, offset) => !bad.has(offset)),
      );
      const letters = await readAll(log, `${topic}.dead-letters`, 0);
      assert.deepEqual(
        letters.map(({ headers }) => Number(headers["__streams.errors.offset"])),
        [...bad.keys()].sort((a, b) => a - b),
      );
      for (const { headers } of letters) assertDeadLetter(headers);
      // With what is said of it the largest is larger than its topic takes: it has no value, and says so.
      const cut = letters.filter(({ headers }) => headers["truncated"] !== undefined);
      assert.deepEqual(cut.map(({ headers }) => headers["truncated"]), [`${mostBytes - BESIDE}`]);
      assert.equal(cut[0]!.value.length, 0);
    });
  });

  Deno.test(`${kind}: a good frame that an output topic does not take is a dead letter, the others continue`, async () => {
    await withPlace(async (place) => {
      const { log, topic, mostBytes } = place;
      const records = markedRecords(1, 30, { start: Date.now() - 60_000 });
      const large = 17;
      // With the headers of an output it is just too large.
      const value = padded(records[large]!.value, mostBytes - 240);
      records[large] = { ...records[large]!, value };
      await publish(place, records);
      const process = await run(place, "passthrough");
      const [summary] = process.summaries;
      assert.equal(summary!.deadLettered, 1);
      assert.doesNotMatch(process.output(), /; restarting/);
      await verdictOn(
        `a frame that the output topic does not take, ${kind}: dead-lettered, the others`,
        place,
        records.filter((_, offset) => offset !== large),
      );
      const letters = await readAll(log, `${topic}.dead-letters`, 0);
      assert.equal(letters.length, 1);
      const [{ headers }] = letters as [Frame];
      assertDeadLetter(headers);
      assert.equal(headers["reason"], "too-large");
      assert.equal(headers["__streams.errors.offset"], `${large}`);
    });
  });

  Deno.test(`${kind}: a camera whose picture is larger than its log takes drops it, says so and continues`, async () => {
    await withPlace(async ({ url, log, topic, mostBytes }) => {
      await withFolder(async (folder) => {
        await Deno.mkdir(`${folder}/pictures`);
        const pictures = markedRecords(1, 5).map(({ value }) => value);
        pictures[2] = padded(pictures[2]!, mostBytes - 1);
        for (const [index, picture] of pictures.entries()) {
          await Deno.writeFile(`${folder}/pictures/${index}.jpg`, picture);
        }
        const { code, process } = await framelane([
          ...["camera", "1", "--source", `${folder}/pictures`, "--no-loop", "--log", url],
          ...["--topic", topic, "--state", `${folder}/cameras.kv`, "--json"],
        ]);
        assert.equal(code, 0, process.output());
        assert.match(
          process.output(),
          /A frame of \d+ bytes is too large for the log and was dropped/,
        );
        const [summary] = process.summaries;
        assert.deepEqual([summary!.published, summary!.dropped], [4, 1]);
        const seen = (await readAll(log, topic, 0)).map(({ value }) => sha256(value));
        assert.deepEqual(seen, pictures.toSpliced(2, 1).map(sha256));
      });
    });
  });

  Deno.test(`${kind}: capture times that go backwards or are an hour off: every frame once, in offset order`, async () => {
    await withPlace(async (place) => {
      const { log, out } = place;
      const now = Date.now();
      const hour = 3_600_000;
      const shifts = [0, hour, -hour, 2 * hour, 0, -26 * hour, 5];
      const records = markedRecords(1, 70).map((record, index) => ({
        ...record,
        timestamp: now + shifts[Math.floor(index / 10)]! - (index % 3) * 500,
      }));
      await publish(place, records);
      const process = await run(place);
      assert.equal(process.summaries[0]!.outputs, 70);
      const seen = await readAll(log, out, 0);
      assert.deepEqual(seen.map(({ timestamp }) => timestamp), records.map((r) => r.timestamp));
      await verdictOn(`capture times backward and hours off, ${kind}`, place, records);
    });
  });

  Deno.test(`${kind}: a camera that starts its sequence again is no gap and no second camera`, async () => {
    await withPlace(async (place) => {
      const start = Date.now() - 60_000;
      const records = [
        ...markedRecords(1, 20, { session: "a", start }),
        ...markedRecords(1, 20, { session: "b", start }),
      ];
      await publish(place, records);
      const process = await run(place);
      const { totals } = process.progress(0).at(-1)! as unknown as {
        totals: Record<string, number>;
      };
      assert.deepEqual(
        [totals["gaps"], totals["duplicates"], totals["orderViolations"]],
        [0, 0, 0],
      );
      assert.doesNotMatch(process.output(), /Two cameras/);
      await verdictOn(`a camera restarts its sequence, ${kind}`, place, records);
    });
  });

  Deno.test(`${kind}: two cameras on one partition are detected and named; no frame is lost for it`, async () => {
    await withPlace(async (place) => {
      const start = Date.now() - 60_000;
      const [one, two] = [
        markedRecords(1, 20, { session: "front", start }),
        markedRecords(2, 20, { session: "back", start }),
      ];
      const mixed = one.flatMap((record, i) => [record, two[i]!]);
      await publish(place, mixed);
      const process = await run(place);
      assert.match(
        process.output(),
        /Two cameras publish to \S+ partition 0: "CAMERA-\d\/\w+" and "CAMERA-\d\/\w+" alternate/,
      );
      assert.equal(process.summaries[0]!.outputs, 40);
      await verdictOn(`two cameras on one partition, named, ${kind}`, place, mixed);
    });
  });
}
