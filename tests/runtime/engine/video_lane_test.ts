import assert from "node:assert/strict";
import type { Frame, Output } from "../../../runtime/definition/frame.ts";
import type { OverloadPolicy } from "../../../runtime/definition/overload.ts";
import type { Operator } from "../../../runtime/definition/operator.ts";
import { query } from "../../../runtime/definition/query.ts";
import { LogError } from "../../../runtime/log/log.ts";
import { pictureOf } from "../../../runtime/image/picture.ts";
import { MemoryLog } from "../../../runtime/testing/memory_log.ts";
import { collect, runQuery, startQuery } from "../../../runtime/testing/run_query.ts";
import { accessUnits } from "../../support/access_units.ts";
import { Random } from "../../support/random.ts";
import { until } from "../../support/until.ts";
import { upTo } from "./kit.ts";

const TOPIC = "VideoStreaming";

async function logOf(units: readonly Uint8Array[]): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopic(TOPIC, 1);
  appendTo(log, units);
  return log;
}

function appendTo(
  log: MemoryLog,
  units: readonly Uint8Array[],
  first = log.frames(TOPIC, 0).length,
): void {
  for (const [i, value] of units.entries()) {
    const headers = { "content-type": "video/h264", session: "s", seq: String(first + i) };
    log.append(TOPIC, 0, [{ key: "CAMERA-1", value, timestamp: i * 40, headers }]);
  }
}

/** Gives each frame the sum of its grey pixels. */
const brightness: Operator<Frame, Frame> = {
  name: "brightness",
  concurrency: 3,
  open: () => ({
    async process(frame) {
      const picture = await pictureOf(frame);
      const grey = await picture.pixels(1, 2);
      picture.release();
      const sum = grey.data.reduce((total, sample) => total + sample, 0);
      grey.release();
      return [{ ...frame, result: { scores: { sum } } }];
    },
  }),
};

function definition(
  sink: ReturnType<typeof collect>,
  frames?: number,
  overload?: OverloadPolicy,
  failOnDataLoss = true,
) {
  const stream = query("brightness").readStream({
    startingOffsets: "earliest",
    failOnDataLoss,
    ...(frames === undefined ? {} : { maxFramesPerTrigger: frames }),
  });
  const written = stream.process(brightness).writeStream(sink);
  return overload === undefined ? written : written.overload(overload);
}

const sums = (outputs: readonly Output[]) =>
  outputs.map((output) => [(output as Frame).offset, output.result?.scores?.["sum"]]);

Deno.test("A lane of access units gives the same results wherever it was stopped and batched", async () => {
  const units = await accessUnits({ frames: 40, gop: 9 });
  const whole = collect();
  await runQuery(definition(whole), {
    log: await logOf(units),
    overrides: { trigger: { kind: "available-now" } },
  });
  const expected = sums(whole.outputs);
  assert.equal(expected.length, 40);

  const random = Random.fromEnvironment(11);
  const log = await logOf([]);
  const parts = collect();
  for (let at = 0; at < units.length;) {
    const more = random.whole(1, 7);
    appendTo(log, units.slice(at, at + more));
    at += more;
    await runQuery(definition(parts, random.whole(1, 4)), {
      log,
      overrides: { trigger: { kind: "available-now" } },
    });
  }
  assert.deepEqual(sums(parts.outputs), expected);
});

Deno.test("Units before the first keyframe are dropped and counted, also after a restart", async () => {
  const units = (await accessUnits({ frames: 20, gop: 8 })).slice(3);
  const log = await logOf(units.slice(0, 2));
  const sink = collect();
  const availableNow = { trigger: { kind: "available-now" } } as const;
  const first = await runQuery(definition(sink), { log, overrides: availableNow });
  assert.deepEqual([first.frames, first.dropped], [0, 2]);
  appendTo(log, units.slice(2));
  const second = await runQuery(definition(sink), { log, overrides: availableNow });
  assert.deepEqual([second.frames, second.dropped], [12, 3]);
  assert.deepEqual(
    sums(sink.outputs).map(([offset]) => offset),
    Array.from({ length: 12 }, (_, i) => i + 5),
  );
});

Deno.test("A read of nothing but units without a keyframe is not the end, whatever the trigger", async () => {
  const units = (await accessUnits({ frames: 20, gop: 8 })).slice(3);
  const ends = { [TOPIC]: { 0: units.length } };
  const idle = await logOf(units.slice(0, 3));
  const waiting = startQuery(definition(collect(), 1), { log: idle });
  const committed = async () => (await idle.checkpoints())[0]?.committed?.end;
  await until("what was dropped is committed", async () => await committed() === 3);
  waiting.stop();
  await waiting.ended;
  for (const kind of ["asap", "available-now", "interval"] as const) {
    const trigger = kind === "interval" ? { kind, ms: 1 } : { kind };
    const sink = collect();
    const { frames, dropped } = await runQuery(definition(sink, 1), {
      log: await logOf(units),
      overrides: { trigger, source: { endingOffsets: ends, maxFramesPerTrigger: 1 } },
    });
    assert.deepEqual([frames, dropped, sink.outputs.length], [12, 5, 12], kind);
  }
});

Deno.test("A lane whose keyframe has expired continues at the next one, and counts what it dropped", async () => {
  const units = await accessUnits({ frames: 20, gop: 8 });
  const log = await logOf(units.slice(0, 11));
  const sink = collect();
  const overrides = { trigger: { kind: "available-now" } } as const;
  await runQuery(definition(sink), { log, overrides });
  appendTo(log, units.slice(11));
  log.expire(TOPIC, 0, 10);
  const reports: string[] = [];
  const running = startQuery(definition(sink), { log, overrides });
  const totals = await running.ended;
  reports.push(...running.reports);
  assert.deepEqual([totals.frames, totals.dropped], [4, 5]);
  assert.ok(reports.some((line) => line.includes("keyframe at offset 8")), reports.join("\n"));
});

Deno.test("A lane whose log is another one, as the log says once, is stopped by name or begins anew", async () => {
  const units = await accessUnits({ frames: 20, gop: 8 });
  for (const failOnDataLoss of [true, false]) {
    const log = await logOf(units.slice(0, 11));
    const sink = collect();
    const anew = definition(sink, undefined, undefined, failOnDataLoss);
    const overrides = { trigger: { kind: "available-now" } } as const;
    await runQuery(anew, { log, overrides });
    log.makeAnew(TOPIC);
    // The offset that comes next is there again. 11 to 19 are lost; five have lost their keyframe.
    appendTo(log, units.slice(3, 19), 20);
    log.fail = (point) => {
      if (point !== "read") return;
      log.fail = () => {};
      const range = { earliest: 0, latest: 16 };
      throw new LogError("OFFSET_OUT_OF_RANGE", "Its log was written again", { range });
    };
    const again = runQuery(anew, { log, overrides });
    if (failOnDataLoss) {
      await assert.rejects(again, /from offset 11: the topic was deleted and created again/);
    } else {
      const { dropped, gaps } = await again;
      assert.deepEqual([dropped, gaps], [14, 0]);
    }
    const offsets = sink.outputs.map((output) => (output as Frame).offset);
    assert.deepEqual(offsets, [...upTo(11), ...failOnDataLoss ? [] : upTo(16).slice(5)]);
  }
});

Deno.test("A damaged unit and what hangs on it become dead letters; the lane continues", async () => {
  const units = await accessUnits({ frames: 16, gop: 8 });
  units[3] = units[3]!.subarray(0, units[3]!.length >> 1);
  const sink = collect();
  const totals = await runQuery(definition(sink), {
    log: await logOf(units),
    overrides: { trigger: { kind: "available-now" } },
  });
  assert.equal(totals.deadLettered, 5);
  assert.deepEqual(sums(sink.outputs).map(([offset]) => offset), [
    0,
    1,
    2,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
  ]);
});

Deno.test("What an overload policy drops is read all the same, so that what is kept can be decoded", async () => {
  const units = await accessUnits({ frames: 30, gop: 30 });
  const log = await logOf(units);
  const sink = collect();
  const running = startQuery(definition(sink, 4, { kind: "latest" }), { log });
  await until("outputs", () => sink.outputs.length > 0);
  running.stop();
  const totals = await running.ended;
  assert.equal(totals.deadLettered, 0);
  assert.equal(totals.dropped + totals.frames, 30);
  assert.equal((sink.outputs.at(-1) as Frame).offset, 29);
});
