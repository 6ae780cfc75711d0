import assert from "node:assert/strict";
import type { Output } from "../../../runtime/definition/frame.ts";
import type { Sink } from "../../../runtime/definition/sink.ts";
import { onlyAlerts } from "../../../runtime/sinks/alerts.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { finding, frame } from "./outputs.ts";

const batch = { batchId: 0, start: 0, end: 100 };
const alert = {
  ...finding(0, 8),
  result: { alert: { id: "a1", state: "start", label: "fall", peak: 0.9 } },
} as const;

Deno.test("a sink for alerts gets outputs with an alert and no others", async () => {
  const got: [string, ...unknown[]][] = [];
  const all: Sink = {
    uri: "all:x",
    delivery: "exactly-once",
    topics: ["found"],
    shows: true,
    check: (output) => void got.push(["check", output]),
    open: () => ({
      write: (outputs) => void got.push(["write", ...outputs]),
      records: (outputs) => (got.push(["records", ...outputs]), []),
      flush: () => void got.push(["flush"]),
      committed: () => void got.push(["committed"]),
      restartOffset: () => 7,
      refeed: (outputs) => void got.push(["refeed", ...outputs]),
      close: () => void got.push(["close"]),
    }),
  };
  const { open, check, ...rest } = onlyAlerts(all);
  assert.deepEqual(rest, { uri: "all:x", delivery: "exactly-once", topics: ["found"] });
  const quiet: Output[] = [frame(0, 1), finding(0, 2)];
  const task = await open(sinkContext());
  for (const outputs of [quiet, [...quiet, alert]]) {
    outputs.forEach(check!);
    await task.write!(outputs, batch);
    task.records!(outputs, batch);
    await task.refeed!(outputs);
  }
  await task.flush!(batch);
  await task.committed!(batch);
  assert.equal(task.restartOffset!(), 7);
  await task.close!();
  assert.deepEqual(got, [
    ["records"],
    ["refeed"],
    ["check", alert],
    ["write", alert],
    ["records", alert],
    ["refeed", alert],
    ["flush"],
    ["committed"],
    ["close"],
  ]);
});
