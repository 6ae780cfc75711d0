import assert from "node:assert/strict";
import type { Output } from "../../../runtime/definition/frame.ts";
import { consoleSink } from "../../../runtime/sinks/console.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { finding, frame } from "./outputs.ts";

const batch = { batchId: 0, start: 0, end: 100 };

async function lines(outputs: readonly Output[], linesPerSecond = 10, times: number[] = []) {
  const said: string[] = [];
  let now = 0;
  const clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() };
  const task = await consoleSink({ linesPerSecond })
    .open(sinkContext({ clock, report: (line) => said.push(line) }));
  for (const [index, output] of outputs.entries()) {
    now = times[index] ?? now;
    await task.write!([output], batch);
  }
  await task.close!();
  return said;
}

Deno.test("console: a line says camera, offset, time, size and findings", async () => {
  assert.deepEqual(await lines([frame(1, 7), finding(0, 8)]), [
    "CAMERA-2 #7 22:13:20.280 0.0 kB motion 0.70",
    "CAMERA-1 #8–11 22:13:20.440 0.0 kB fall 0.25",
  ]);
  const objects = [{ label: "person", score: 0.654, box: [1, 2, 3, 4], track: 7 }] as const;
  const [seen] = await lines([{
    ...finding(0, 8),
    result: {
      ...{ frames: [{ offset: 8, timestamp: 0, objects }], data: { speed: 3 } },
      ...{ zones: { door: 2 }, counts: { entrance: { in: 3, out: 1 } } },
    },
  }]);
  assert.match(seen!, / \[person#7 0\.65\] door: 2 entrance: 3 in, 1 out \{"speed":3\}$/);
  const [long] = await lines([{ ...frame(1, 7), key: "x".repeat(5_000) }]);
  assert.match(long!, /^x{100} #7 /);
});

Deno.test("console: lines beyond the rate are counted, alerts are always said", async () => {
  const alert = {
    ...finding(0, 90),
    result: { alert: { id: "a1", state: "start", label: "fall", peak: 0.9 } },
  } as const;
  const outputs = [
    ...[1, 2, 3, 4, 5].map((offset) => frame(0, offset)),
    alert,
    frame(0, 6),
    frame(0, 7),
  ];
  const said = await lines(outputs, 2, [0, 0, 0, 0, 0, 0, 600, 600]);
  assert.deepEqual(said.map((line) => line.replace(/ \d\d:\S+ 0.0 kB| motion \S+/g, "")), [
    "CAMERA-1 #1",
    "CAMERA-1 #2",
    "CAMERA-1 #90–93 ALERT start fall 0.90 a1 (and 3 before it)",
    "CAMERA-1 #6",
    "… and 1 more",
  ]);
});

Deno.test("console: a rate of nothing is refused", () => {
  assert.throws(
    () => consoleSink({ linesPerSecond: 0 }),
    /Cannot print outputs: linesPerSecond: expected a number above 0, given 0/,
  );
});
