import assert from "node:assert/strict";
import { collect, MemoryLog, runQuery } from "../../../runtime/testing.ts";
import { query } from "../../../runtime/mod.ts";
import { greyscale } from "../../../queries/operators/greyscale.ts";
import { jpegOf } from "../../runtime/image/fixtures.ts";

Deno.test("repaired frames are counted, damaged ones are dead letters, good ones are neither", async () => {
  const jpeg = jpegOf(70, 50);
  const padded = Uint8Array.of(...jpeg.subarray(0, -2), ...new Array(90).fill(0), 0xff, 0xd9);
  const frames = [jpeg, padded, jpeg.subarray(0, 900), jpeg.subarray(0, -2), jpeg];
  const log = new MemoryLog();
  log.createTopic("VideoStreaming", 1);
  for (const value of frames) {
    log.append("VideoStreaming", 0, [{ key: null, value, timestamp: 1, headers: {} }]);
  }
  const sink = collect();
  const definition = query("grey").readStream({ startingOffsets: "earliest" })
    .process(greyscale()).writeStream(sink).trigger("available-now");
  const totals = await runQuery(definition, { log });
  assert.deepEqual(
    [totals.frames, totals.outputs, totals.deadLettered, totals.repaired],
    [5, 4, 1, 2],
  );
});
