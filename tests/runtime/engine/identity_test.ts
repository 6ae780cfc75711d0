/** Names of what a query makes: the same however its frames come in batches and runs. */
import assert from "node:assert/strict";
import {
  type Finding,
  type Frame,
  outputName,
  type Window,
} from "../../../runtime/definition/frame.ts";
import { query } from "../../../runtime/definition/query.ts";
import { frameOf, numbered, offsetOf } from "../../../runtime/engine/identity.ts";
import { images } from "../../../runtime/sinks/images.ts";
// Opens its library here, and not in the first test that writes a picture.
import "../../../runtime/image/turbojpeg.ts";
import { topic } from "../../../runtime/sinks/topic.ts";
import { collect, MemoryLog, runQuery } from "../../../runtime/testing.ts";
import { append, logOf } from "./kit.ts";

const found = ({ topic, partition, key, frames, ...window }: Window): Finding => ({
  topic,
  partition,
  key,
  firstOffset: window.firstOffset,
  lastOffset: window.lastOffset,
  timestamp: window.lastTimestamp,
  result: { scores: { frames: Number(frames.map(({ offset }) => offset).join("")) } },
  picture: frames[1]!,
});

/** A camera at 10 frames a second, windows at 20: each frame begins two. */
const windows = () =>
  query("w").readStream({ startingOffsets: "earliest" }).window({ frames: 3, hop: 1, fps: 20 })
    .map(found);

async function inRuns(
  frames: number,
  perRun: number,
  run: (log: MemoryLog) => Promise<unknown>,
): Promise<MemoryLog> {
  const log = logOf(0);
  for (let i = 0; i < frames; i += perRun) {
    append(log, perRun, i);
    await run(log);
  }
  return log;
}

Deno.test("windows that share first and last offset have names of their own, in any batching", async () => {
  const names = async (perRun: number) => {
    const sink = collect<Finding>();
    const definition = windows().writeStream(sink).trigger("available-now");
    await inRuns(8, perRun, (log) => runQuery(definition, { log }));
    return sink.outputs.map((output) => outputName(output));
  };
  const once = await names(8);
  assert.deepEqual(once.slice(0, 4), ["0-1", "0-1.2", "1-2", "1-2.2"]);
  assert.equal(new Set(once).size, 13);
  for (const perRun of [1, 2, 4]) assert.deepEqual(await names(perRun), once, `${perRun} a run`);
});

Deno.test("pictures of such windows are files of their own, in any batching", async () => {
  const listings: string[][] = [];
  for (const perRun of [8, 1]) {
    const directory = await Deno.makeTempDir();
    try {
      const definition = windows().writeStream(images({ directory })).trigger("available-now");
      await inRuns(8, perRun, (log) => runQuery(definition, { log }));
      listings.push([...Deno.readDirSync(`${directory}/CAMERA-1`)].map(({ name }) => name).sort());
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  }
  assert.equal(listings[0]!.length, 13);
  assert.deepEqual(listings[1], listings[0]);
});

Deno.test("records of such windows say which of them they are, as header and in the result", async () => {
  const definition = windows().writeStream(topic({ name: "found" })).trigger("available-now");
  const log = await inRuns(3, 1, (log) => runQuery(definition, { log }));
  const records = log.frames("found", 0);
  assert.deepEqual(
    records.map(({ headers, value }) => [
      headers["source-first-offset"],
      headers["source-window-number"],
      JSON.parse(new TextDecoder().decode(value)).window.number,
    ]),
    [["0", undefined, undefined], ["0", "1", 1], ["1", undefined, undefined]],
  );
});

Deno.test("outputs that a timer adds to a frame are numbered after those it had, across restarts", async () => {
  const names = async (perRun: number) => {
    const sink = collect();
    const definition = query("late").readStream({ startingOffsets: "earliest" })
      .process<Frame>({
        name: "echo",
        kind: "state",
        open: ({ state }) => {
          let last = state === undefined ? undefined : JSON.parse(new TextDecoder().decode(state));
          return {
            // The frame before is reported once more when the next one comes.
            process: (frame) => {
              const outputs = last === undefined ? [frame] : [{ ...frame, offset: last }, frame];
              last = frame.offset;
              return outputs;
            },
            snapshot: () => new TextEncoder().encode(JSON.stringify(last)),
          };
        },
      }).writeStream(sink).trigger("available-now");
    await inRuns(4, perRun, (log) => runQuery(definition, { log }));
    return sink.outputs.map((output) => outputName(output));
  };
  const once = await names(4);
  assert.deepEqual(once, ["0", "0.2", "1", "1.2", "2", "2.2", "3"]);
  assert.deepEqual(await names(1), once);
});

Deno.test("what an operator of one's own makes of a window has the window's number only where it is of it", () => {
  const window = { firstOffset: 3, number: 2 };
  const given = [{ firstOffset: 3 }, { firstOffset: 3, number: 1 }, { firstOffset: 4 }, {
    offset: 3,
  }, 5];
  const numbers = numbered(given, window).map((output) => Object(output).number);
  assert.deepEqual(numbers, [2, 1, undefined, undefined, undefined]);
  assert.equal(numbered(given, { firstOffset: 3 }), given);
});

Deno.test("an input that is no frame fails as the frame that caused it", () => {
  const [cause, next] = [7, 8].map((offset): Frame => ({
    ...{ topic: "T", partition: 0, offset, timestamp: 0, key: null, headers: {} },
    value: new Uint8Array(),
  })) as [Frame, Frame];
  assert.equal(frameOf(next, cause), next);
  const others = [
    ...[5, "text", null, { offset: 8 }, { ...next, value: undefined }, { ...next, partition: 1 }],
    ...[{ ...next, topic: "U" }, { ...cause, headers: { x: 1 } }],
  ];
  for (const other of others) assert.equal(frameOf(other, cause), cause);
  for (const offset of [1.5, -0.5, NaN, "8", undefined]) {
    assert.equal(offsetOf({ offset }, cause), 7);
  }
  assert.equal(offsetOf({ ...next, partition: 1 }, cause), 7);
});
