import assert from "node:assert/strict";
import { MemoryLog } from "../../runtime/testing/memory_log.ts";
// Loads FFmpeg before the tests begin, each of which must leave as much as it found.
import "../../runtime/video/h264_encoding.ts";
import { withLengths } from "../../runtime/video/unit_copy.ts";
import { accessUnits } from "../support/access_units.ts";
import { clipOf } from "../../viewer/clips.ts";
import { History } from "../../viewer/history.ts";
import { FakeLanes, paintCode } from "../support/fake_lanes.ts";
import { probeBytes } from "../runtime/video/probe.ts";
import { recorded, TestPage, until, withViewer } from "./kit.ts";

const TOPIC = "VideoStreaming";
const BEGIN = 1_700_000_000_000;
const units = await accessUnits({ frames: 60, gop: 20 });
const larger = await accessUnits({ frames: 10, gop: 10, width: 320, height: 192 });
const h265 = await accessUnits({ codec: "h265", frames: 10, gop: 10 });

function append(
  log: MemoryLog,
  partition: number,
  values: readonly Uint8Array[],
  type = "video/h264",
  from = 0,
): void {
  log.append(
    TOPIC,
    partition,
    values.map((value, i) => ({
      key: null,
      value,
      timestamp: BEGIN + (from + i) * 40,
      headers: { "content-type": type },
    })),
  );
}

/** The samples of a fragmented MP4, in order. */
function samplesOf(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const samples: Uint8Array[] = [];
  for (let at = 0; at + 8 <= file.length;) {
    const size = view.getUint32(at);
    const type = new TextDecoder().decode(file.subarray(at + 4, at + 8));
    if (type === "mdat" && at + size <= file.length) samples.push(file.slice(at + 8, at + size));
    at += size;
  }
  return samples;
}

const lengths = (values: readonly Uint8Array[]) => values.map((value) => withLengths(value));

async function logOf(partitions: number): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, partitions);
  return log;
}

Deno.test("a clip of access units is their very bytes, from the keyframe before on", async () => {
  const log = await logOf(1);
  append(log, 0, units);
  await withViewer({ log, topics: [TOPIC], lanes: { count: 1 } }, async (viewer) => {
    const clip = async (query: string) =>
      await (await fetch(`${viewer.url}api/clip.mp4?lane=greyscale-0&${query}`)).bytes();
    const file = await clip("from=27&to=51");
    assert.deepEqual(samplesOf(file), lengths(units.slice(20, 52)));
    const { frames, times, keys, size } = await probeBytes(file);
    assert.deepEqual([frames, keys, size], [32, 2, "160x96"]);
    assert.deepEqual(times, Array.from({ length: 32 }, (_, i) => i * 40));
    assert.deepEqual(
      samplesOf(await clip(`after=${BEGIN + 40 * 40}&before=${BEGIN + 45 * 40}`)),
      lengths(units.slice(40, 45)),
    );
  });
});

Deno.test("what retention left of a group gives way to the next keyframe, in clips, at times and in steps", async () => {
  const log = await logOf(1);
  append(log, 0, units.slice(15));
  await withViewer({ log, topics: [TOPIC], lanes: { count: 1 } }, async (viewer) => {
    const clip = await fetch(`${viewer.url}api/clip.mp4?lane=greyscale-0&from=2&to=9`);
    assert.deepEqual(samplesOf(await clip.bytes()), lengths(units.slice(20, 25)));
    const frame = await fetch(`${viewer.url}api/frame?lane=greyscale-0&time=${BEGIN}`);
    assert.equal(frame.headers.get("x-framelane-offset"), "5");
    await frame.body!.cancel();
    const page = await TestPage.open(viewer);
    const lead = "greyscale-0";
    for (const video of [true, false]) {
      page.send({ type: "watch", tiles: [{ lane: lead, width: 0, video }] });
      for (
        const command of [
          { action: "jump", lead, time: BEGIN },
          { action: "seek", lead, offset: 1 },
          { action: "step", lead, offset: 5, by: -1 },
        ] as const
      ) {
        assert.equal((await page.time(command)).offset, 5);
        await until(() => page.newest(0)?.offset === 5);
      }
    }
    await page.close();
  });
});

Deno.test("a clip ends where the camera's video becomes another one", async () => {
  const log = await logOf(1);
  append(log, 0, units.slice(0, 20));
  append(log, 0, larger, "video/h264", 20);
  const said: string[] = [];
  const report = (line: string) => said.push(line);
  await withViewer({ log, topics: [TOPIC], lanes: { count: 1 }, report }, async (viewer) => {
    const response = await fetch(`${viewer.url}api/clip.mp4?lane=greyscale-0&from=5&to=29`);
    assert.deepEqual(samplesOf(await response.bytes()), lengths(units.slice(0, 20)));
    assert.match(said.join(), /offset 20 of 320x192 pixels, expected 160x96/);
  });
});

Deno.test("a query's own pictures are encoded, also of a camera that sends video", async () => {
  const log = await logOf(1);
  append(log, 0, units);
  await log.createTopic("out", 1);
  log.append(
    "out",
    0,
    units.map((_, offset) => ({
      key: null,
      value: paintCode(0, offset, 64, 48),
      timestamp: BEGIN + offset * 40,
      headers: { "source-offset": String(offset) },
    })),
  );
  const outputTopics = { greyscale: "out" };
  await withViewer({ log, topics: [TOPIC], outputTopics, lanes: { count: 1 } }, async (viewer) => {
    const response = await fetch(`${viewer.url}api/clip.mp4?lane=greyscale-0&from=25&to=44`);
    const { frames, size } = await probeBytes(await response.bytes());
    assert.deepEqual([frames, size], [20, "64x48"]);
  });
});

Deno.test("a query's own picture is shown although the keyframe of its frame is gone", async () => {
  const log = await logOf(1);
  append(log, 0, units.slice(15));
  await log.createTopic("out", 1);
  const [value, headers] = [paintCode(0, 2, 64, 48), { "source-offset": "2" }];
  log.append("out", 0, [{ key: null, value, timestamp: BEGIN + 2 * 40, headers }]);
  const history = new History({ log, outputTopics: { greyscale: "out" } });
  const lane = new FakeLanes({ count: 1 }).lanes()[0]!;
  for (const decodesUnits of [false, true]) {
    assert.equal((await history.at(lane, 2, decodesUnits))?.offset, 2);
  }
  await history.close();
});

Deno.test("a camera's video streams as it comes, from its newest keyframe on", async () => {
  const log = await logOf(2);
  append(log, 0, units.slice(0, 50));
  append(log, 1, h265, "video/h265");
  await withViewer({ log, topics: [TOPIC], lanes: { count: 2 } }, async (viewer) => {
    const response = await fetch(`${viewer.url}cam/1.mp4`);
    assert.equal(response.headers.get("content-type"), "video/mp4");
    let file = new Uint8Array();
    const reader = response.body!.getReader();
    const upTo = async (count: number) => {
      while (samplesOf(file).length < count) {
        const { value } = await reader.read();
        file = new Uint8Array([...file, ...value!]);
      }
      return samplesOf(file);
    };
    assert.deepEqual(await upTo(10), lengths(units.slice(40, 50)));
    append(log, 0, units.slice(50), "video/h264", 50);
    assert.deepEqual(await upTo(20), lengths(units.slice(40, 60)));
    await reader.cancel();
    const hevc = await fetch(`${viewer.url}cam/2.mp4`);
    assert.equal(hevc.status, 200);
    await hevc.body!.cancel();
  });
});

Deno.test("a reader that falls far behind continues at the newest keyframe", async () => {
  const log = await logOf(1);
  append(log, 0, units);
  const history = new History({ log });
  const [lane] = new FakeLanes({ count: 1 }).lanes();
  const stop = new AbortController();
  const chunks = clipOf(history, { lane: lane!, from: 40, to: Infinity, signal: stop.signal });
  const offsets: number[] = [];
  const upTo = async (offset: number) => {
    while (offsets.at(-1) !== offset) {
      const { value } = await chunks.next();
      // A fragment's number is its frame's offset and one.
      const isHead = new TextDecoder().decode(value!.subarray(4, 8)) === "moof";
      if (isHead) offsets.push(new DataView(value!.buffer).getUint32(20) - 1);
    }
  };
  await upTo(45);
  for (let turn = 1; turn <= 50; turn++) append(log, 0, units, "video/h264", turn * 60);
  await upTo(3059);
  assert.equal(offsets[offsets.indexOf(3040) - 1]! < 200, true, "frames were left out");
  assert.deepEqual(
    offsets.slice(offsets.indexOf(3040)),
    [...Array(20).keys()].map((i) => 3040 + i),
  );
  await chunks.return();
  await history.close();
});

Deno.test("what is no video says why it cannot be streamed as MP4", async () => {
  const log = await logOf(3);
  append(log, 0, [paintCode(0, 0, 64, 48)], "image/jpeg");
  append(log, 2, units.slice(1, 5));
  await withViewer({ log, topics: [TOPIC], lanes: { count: 3 } }, async (viewer) => {
    const said = async (path: string) => {
      const response = await fetch(viewer.url + path);
      return [response.status, (await response.text()).trim()];
    };
    assert.deepEqual(await said("cam/1.mp4"), [
      415,
      'CAMERA-1 sends "image/jpeg": only H.264 and H.265 are streamed as MP4, and /cam/1 shows all cameras as MJPEG',
    ]);
    assert.deepEqual(await said("cam/2.mp4"), [503, "CAMERA-2 has not sent a frame yet"]);
    assert.deepEqual(await said("cam/3.mp4"), [503, "CAMERA-3 has sent no keyframe yet"]);
    assert.deepEqual(await said("cam/9.mp4"), [404, "No such camera"]);
    append(log, 2, units.slice(20, 30));
    await until(async () => {
      const response = await fetch(`${viewer.url}cam/3.mp4`, { method: "HEAD" });
      return response.status === 200;
    });
    append(log, 0, [paintCode(0, 0, 64, 48)], `image/${"x".repeat(10_000)}`);
    await until(async () => /sends "image\/x{9}/.test(String((await said("cam/1.mp4"))[1])));
    assert.ok(String((await said("cam/1.mp4"))[1]).length < 500);
  });
});

Deno.test("two clips are made at a time: a third is refused for now", async () => {
  const log = await recorded(
    50,
    (offset) => BEGIN + offset * 40,
    (...of) => paintCode(...of, 64, 48),
  );
  const made = Promise.withResolvers<void>();
  const reader = log.reader.bind(log);
  log.reader = async (...options) => {
    const { open, close } = await reader(...options);
    return {
      close,
      open: async (...of) => {
        const opened = await open(...of);
        const read = opened.read.bind(opened);
        opened.read = async (count, ...rest) => {
          // A look-up of the first frame reads that one alone.
          if (count > 1) await made.promise;
          return await read(count, ...rest);
        };
        return opened;
      },
    };
  };
  await withViewer({ log, topics: [TOPIC], lanes: { count: 1 } }, async (viewer) => {
    const clip = () => fetch(`${viewer.url}api/clip.mp4?lane=greyscale-0&from=0&to=9`);
    const clips = [clip(), clip(), clip()];
    const third = await Promise.race(clips);
    assert.deepEqual([third.status, third.headers.get("retry-after")], [503, "5"]);
    made.resolve();
    const all = await Promise.all(clips);
    assert.deepEqual(all.map(({ status }) => status).sort(), [200, 200, 503]);
    await Promise.all(all.map((each) => each.bytes()));
    assert.equal((await (await clip()).bytes()).length > 0, true, "their places are free again");
  });
});
