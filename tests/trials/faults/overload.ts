// The long overload, the same on every log.
import assert from "node:assert/strict";
import { assertKept, overload, reportOverload } from "../../faults/overload.ts";
import type { TopicLog } from "../../../runtime/log/log.ts";

/** The other lanes keep at least this share of their throughput. */
const THROUGHPUT_KEPT = 0.95;
const SECONDS = Number(Deno.env.get("FRAMELANE_TEST_SECONDS") ?? "600");

/** A slow sink, viewers that never read and a fast camera, after a tenth of that time in calm; reports. */
export async function longOverload(name: string, url: string, log: TopicLog): Promise<void> {
  const report = await overload({
    ...{ log, url, topic: "VideoStreaming" },
    ...{ calmMs: SECONDS * 100, overloadMs: SECONDS * 1000, viewers: 20 },
  });
  assertKept(report);
  assert.ok(report.hot > 8 && report.throughput >= THROUGHPUT_KEPT, JSON.stringify(report));
  reportOverload(report, `${name}, ${SECONDS} s`);
}
