import assert from "node:assert/strict";
import type { Frame } from "../../runtime/definition/frame.ts";
import type { Lane } from "../../runtime/lanes.ts";
import type { LogReader, PartitionReader, TopicLog } from "../../runtime/log/log.ts";
import { openLog } from "../../runtime/log/open.ts";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
// Loads FFmpeg before the tests begin, each of which must leave as much as it found.
import "../../runtime/video/h264_encoding.ts";
import { clipOf } from "../../viewer/clips.ts";
import { History } from "../../viewer/history.ts";
import { FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { withViewer } from "./kit.ts";

const TOPIC = "VideoStreaming";
const BEGIN = 1_700_000_000_000;
const lane: Lane = new FakeLanes({ count: 1 }).lanes()[0]!;

/** Frames 100 ms apart, each of one byte that tells its offset. */
async function filled(count: number, holes: (offset: number) => boolean = () => false) {
  const log = new HoleyLog(holes);
  await log.createTopic(TOPIC, 1);
  log.append(
    TOPIC,
    0,
    Array.from({ length: count }, (_, offset) => ({
      key: null,
      value: new Uint8Array([offset]),
      timestamp: BEGIN + offset * 100,
      headers: {},
    })),
  );
  return log;
}

/** A log some of whose offsets hold no record, as transaction markers leave them. */
class HoleyLog extends MemoryLog {
  readonly #isHole: (offset: number) => boolean;
  opened = 0;
  closed = 0;
  read = 0;

  constructor(isHole: (offset: number) => boolean) {
    super();
    this.#isHole = isHole;
  }

  override async reader(): Promise<LogReader> {
    const reader = await super.reader();
    return {
      close: () => reader.close(),
      open: async (...args) => {
        this.opened++;
        const inner: PartitionReader = await reader.open(...args);
        const read = async (max: number, signal?: AbortSignal, until?: number) => {
          while (true) {
            const frames: Frame[] = await inner.read(max, signal, until);
            if (frames.length === 0) return frames;
            const kept = frames.filter(({ offset }) => !this.#isHole(offset));
            this.read += kept.length;
            if (kept.length > 0) return kept;
          }
        };
        return Object.create(inner, {
          read: { value: read },
          buffered: { get: () => inner.buffered },
          position: { get: () => inner.position },
          latest: { get: () => inner.latest },
          seek: { value: (to: number) => inner.seek(to) },
          close: {
            value: async () => {
              this.closed++;
              await inner.close();
            },
          },
        });
      },
    };
  }
}

Deno.test("a frame is found by its offset, and steps go from there", async () => {
  const log = await filled(50);
  const history = new History({ log });
  const offset = async (found: ReturnType<History["at"]>) => (await found)?.offset;
  assert.equal(await offset(history.at(lane, 17)), 17);
  assert.deepEqual((await history.at(lane, 17))!.bytes, new Uint8Array([17]));
  assert.equal(await offset(history.step(lane, 17, 1)), 18);
  assert.equal(await offset(history.step(lane, 17, -1)), 16);
  assert.equal(await offset(history.step(lane, 17, 10)), 27);
  assert.equal(await offset(history.step(lane, 17, -10)), 7);
  assert.equal(await offset(history.step(lane, 3, -10)), 0, "no further back than the first");
  assert.equal(await offset(history.step(lane, 45, 10)), 49, "no further than the last");
  assert.equal(await offset(history.step(lane, 0, -1)), 0);
  assert.equal(await offset(history.at(lane, 50)), undefined);
  log.read = 0;
  assert.equal(await offset(history.step(lane, 999_999_999, -1)), 49);
  assert.equal(log.read, 1, "from far behind the end, only the last one is read");
  assert.equal(log.opened, log.closed, "every reader was closed");
  await history.close();
});

Deno.test("a moment shows the last frame at or before it", async () => {
  const history = new History({ log: await filled(50) });
  const offset = async (time: number) => (await history.atTime(lane, BEGIN + time))?.offset;
  assert.equal(await offset(1_700), 17);
  assert.equal(await offset(1_750), 17);
  assert.equal(await offset(1_799.5), 17);
  assert.equal(await offset(1_800), 18);
  assert.equal(await offset(-5_000), 0, "before the first: the first");
  assert.equal(await offset(1e9), 49, "after the last: the last");
  await history.close();
});

Deno.test("holes between offsets are stepped over", async () => {
  const log = await filled(60, (offset) => offset > 10 && offset < 40 || offset > 55);
  const history = new History({ log });
  assert.equal((await history.step(lane, 10, 1))!.offset, 40);
  assert.equal((await history.step(lane, 40, -1))!.offset, 10);
  assert.equal((await history.step(lane, 41, -3))!.offset, 9);
  assert.equal((await history.at(lane, 20))!.offset, 40);
  assert.equal(await history.at(lane, 57), undefined);
  assert.equal((await history.atTime(lane, BEGIN + 2_000))!.offset, 10);
  assert.equal((await history.atTime(lane, BEGIN + 1e6))!.offset, 55);
  await history.close();
});

Deno.test("what retention took is not there; the range says what is", async () => {
  const log = await filled(50);
  const history = new History({ log });
  log.expire(TOPIC, 0, 20);
  assert.equal((await history.at(lane, 5))!.offset, 20);
  assert.equal((await history.step(lane, 21, -5))!.offset, 20);
  assert.deepEqual(await history.range(lane), {
    earliest: 20,
    latest: 50,
    earliestTime: BEGIN + 2_000,
    latestTime: BEGIN + 4_900,
  });
  log.expire(TOPIC, 0, 50);
  assert.equal(await history.atTime(lane, BEGIN), undefined);
  await history.close();
});

Deno.test("a query's kept outputs are shown: its pictures, or its findings on the source's", async () => {
  const log = await filled(20);
  await log.createTopic("grey", 1);
  await log.createTopic("found", 1);
  const grey = paintCode(0, 5, 64, 48);
  const output = (offset: number, value: Uint8Array, headers: Record<string, string>) => ({
    key: "CAMERA-1",
    value,
    timestamp: BEGIN + offset * 100,
    headers,
  });
  const seen = { scores: { dog: 0.8 } };
  log.append("grey", 0, [
    output(5, grey, { "source-offset": "5", "result": JSON.stringify(seen) }),
  ]);
  const finding = { scores: { fight: 0.9 } };
  log.append("found", 0, [
    output(7, new TextEncoder().encode(JSON.stringify(finding)), {
      "source-first-offset": "4",
      "source-last-offset": "7",
    }),
    output(8, new Uint8Array([1, 2]), { "source-offset": "8" }),
  ]);
  const history = new History({
    log,
    outputTopics: { grey: "grey", found: "found", none: "gone" },
  });
  const of = (query: string) => ({ ...lane, query });
  assert.deepEqual((await history.at(of("grey"), 5))!.bytes, grey);
  assert.deepEqual((await history.at(of("grey"), 5))!.result, seen, "found then, shown now");
  assert.equal((await history.at(of("grey"), 5))!.offset, 5);
  assert.deepEqual((await history.at(of("grey"), 6))!.bytes, new Uint8Array([6]), "not kept: raw");
  const found = (await history.at(of("found"), 7))!;
  assert.deepEqual([found.bytes, found.result], [new Uint8Array([7]), finding]);
  assert.equal(
    (await history.at(of("found"), 8))!.result,
    undefined,
    "foreign bytes are no result",
  );
  assert.deepEqual((await history.at(of("none"), 5))!.bytes, new Uint8Array([5]));
  await history.close();
});

Deno.test("a stretch of the log comes as an MP4, by offsets or by times", async () => {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 1);
  log.append(
    TOPIC,
    0,
    Array.from({ length: 30 }, (_, offset) => ({
      key: null,
      value: offset === 12 ? new Uint8Array([1, 2, 3]) : paintCode(0, offset, 64, 48),
      timestamp: BEGIN + offset * 100,
      headers: {},
    })),
  );
  await withViewer({ log, topics: [TOPIC], lanes: { count: 1 } }, async (viewer) => {
    const clip = (query: string) => fetch(`${viewer.url}api/clip.mp4?lane=greyscale-0&${query}`);
    const lengths: number[] = [];
    for (const query of ["from=10&to=19", `after=${BEGIN + 1_000}&before=${BEGIN + 2_000}`]) {
      const response = await clip(query);
      assert.equal(response.headers.get("content-type"), "video/mp4");
      assert.match(
        response.headers.get("content-disposition")!,
        /^attachment; filename="camera-1-10-19\.mp4"$/,
      );
      const bytes = await response.bytes();
      assert.equal(new TextDecoder().decode(bytes.subarray(4, 8)), "ftyp");
      lengths.push(bytes.length);
    }
    assert.ok(lengths[0]! > 1_000);
    assert.equal(lengths[0], lengths[1]);
    const wrong = ["", "from=5", "from=9&to=3", "from=0&to=9999999", "after=1&before=1"];
    for (const query of wrong) {
      const response = await clip(query);
      assert.equal(response.status, 400, query);
      await response.body!.cancel();
    }
    const missing = [
      "from=500&to=510",
      "from=12&to=12", // a frame that is no picture
      `after=${BEGIN - 9_000}&before=${BEGIN - 5_000}`,
      `after=${BEGIN + 60_000}&before=${BEGIN + 90_000}`,
    ];
    for (const query of missing) {
      const gone = await clip(query);
      assert.equal(gone.status, 404, query);
      assert.deepEqual(await gone.json(), { error: "The log does not hold these frames" });
    }
    // What is still to come is not waited for.
    for (const query of ["from=25&to=500", `after=${BEGIN + 2_450}&before=${BEGIN + 90_000}`]) {
      const bytes = await (await clip(query)).bytes();
      assert.equal(new TextDecoder().decode(bytes.subarray(4, 8)), "ftyp", query);
    }
    const nobody = await fetch(`${viewer.url}api/clip.mp4?lane=greyscale-7&from=1&to=2`);
    assert.equal(nobody.status, 404);
    assert.equal(await nobody.text(), '{"error":"No such lane"}');
    const cancelled = await clip("from=0&to=29");
    await cancelled.body!.cancel();
  });
});

Deno.test("frames by offset or time: missing ones and wrong requests are reported", async () => {
  const log = await filled(50);
  log.expire(TOPIC, 0, 20);
  await withViewer({ log, topics: [TOPIC], lanes: { count: 1 } }, async (viewer) => {
    const ask = async (path: string) => {
      const response = await fetch(`${viewer.url}api/${path}`);
      const { error } = response.ok ? await response.bytes() && {} : await response.json();
      return [response.status, response.headers.get("x-framelane-offset") ?? error];
    };
    const frame = "frame?lane=greyscale-0";
    const gone = "The log does not hold this frame";
    assert.deepEqual(await ask(`${frame}&offset=30`), [200, "30"]);
    assert.deepEqual(await ask(`${frame}&time=${BEGIN + 3_050}`), [200, "30"]);
    assert.deepEqual(await ask(`${frame}&offset=10`), [404, gone], "20 is another frame");
    assert.deepEqual(await ask(`${frame}&offset=50`), [404, gone]);
    const expected = "Expected offset=N or time=EPOCH-MILLISECONDS";
    assert.deepEqual(await ask(`${frame}&offset=-1`), [400, expected]);
    assert.deepEqual(await ask("frame?lane=none&offset=30"), [404, "No such lane"]);
    assert.deepEqual(await ask("queries/none"), [404, "No such lane"]);
    assert.deepEqual(await ask("alerts/thumbnail?id=none"), [404, "No such alert"]);
  });
});

Deno.test("frames that retention takes while a clip is downloaded are left out", async () => {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 1);
  const value = paintCode(0, 1, 64, 48);
  log.append(
    TOPIC,
    0,
    Array.from({ length: 60 }, (_, offset) => ({
      key: null,
      value,
      timestamp: BEGIN + offset * 100,
      headers: {},
    })),
  );
  const history = new History({ log });
  const taken: number[] = [];
  const open = history.open.bind(history);
  history.open = async (...args) => {
    const reader = await open(...args);
    const read = reader.read.bind(reader);
    reader.read = async (...args) => {
      if (reader.position === 8) log.expire(TOPIC, 0, 40);
      const frames = await read(...args);
      taken.push(...frames.map(({ offset }) => offset).filter((offset) => offset < 50));
      return frames;
    };
    return reader;
  };
  const { signal } = new AbortController();
  const chunks = clipOf(history, { lane, from: 0, to: 49, signal }, () => {});
  const bytes = await new Response(ReadableStream.from(chunks)).bytes();
  assert.equal(new TextDecoder().decode(bytes.subarray(4, 8)), "ftyp");
  const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  // Look-ups read some of them too.
  assert.deepEqual([...new Set(taken)], [...upTo(0, 8), ...upTo(40, 50)]);
  await history.close();
});

Deno.test("the embedded log looks back like any other", async () => {
  const directory = await Deno.makeTempDir();
  const log: TopicLog = await openLog(`embedded:${directory}`);
  try {
    await log.createTopic(TOPIC, 1);
    const producer = await log.producer();
    const records = Array.from({ length: 100 }, (_, offset) => ({
      key: null,
      value: new Uint8Array([offset]),
      timestamp: BEGIN + offset * 100,
      headers: {},
    }));
    await producer.append(TOPIC, 0, records);
    const history = new History({ log });
    assert.equal((await history.at(lane, 42))!.bytes[0], 42);
    assert.equal((await history.step(lane, 42, -1))!.bytes[0], 41);
    assert.equal((await history.step(lane, 42, 25))!.bytes[0], 67);
    assert.equal((await history.atTime(lane, BEGIN + 5_050))!.bytes[0], 50);
    assert.equal((await history.atTime(lane, BEGIN + 1e9))!.bytes[0], 99);
    await history.close();
    await producer.close();
  } finally {
    await log.close();
    await Deno.remove(directory, { recursive: true });
  }
});
