/** What becomes of lanes, with executors that do nothing by themselves. */
import assert from "node:assert/strict";
import { LaneSupervisor } from "../../../runtime/driver/lane_supervisor.ts";
import {
  type StreamingQueryListener,
  StreamingQueryManager,
} from "../../../runtime/driver/manager.ts";
import { QueryMetrics } from "../../../runtime/driver/metrics.ts";
import type { PlainError, QuerySpec, ToExecutor } from "../../../runtime/executor/protocol.ts";
import type { StreamingQueryProgress } from "../../../runtime/definition/progress.ts";
import { FakeClock, MemoryLog } from "../../../runtime/testing.ts";

const SPEC: QuerySpec = { name: "q", module: "", group: "g", sinks: [] };
const MEMBERSHIP = { memberId: "m", generation: 1 };
const TOTALS = {
  frames: 7,
  outputs: 7,
  dropped: 0,
  deadLettered: 0,
  gaps: 0,
  duplicates: 0,
  orderViolations: 0,
};

/** A supervisor whose lanes run when the test says so. */
function supervised() {
  const clock = new FakeClock();
  const streams = new StreamingQueryManager(() => {});
  const metrics = new QueryMetrics();
  const running: number[] = [];
  const stopping = new AbortController();
  const lanes: LaneSupervisor = new LaneSupervisor({
    pool: {
      start: ({ lane }) => void running.push(lane),
      post: (message: ToExecutor) => {
        if (message.type === "stop") stopped();
      },
      ended: () => {},
      responsive: () => true,
    },
    log: new MemoryLog(),
    topic: "VideoStreaming",
    streams,
    feed: { show: () => {} },
    metrics,
    clock,
    signal: stopping.signal,
    finite: () => false,
    explain: () => "",
    report: () => {},
  });
  /** The lane that was started last. */
  const lane = () => running.at(-1)!;
  const started = () => lanes.onMessage({ type: "started", lane: lane(), id: "id" });
  const progressed = () =>
    lanes.onMessage({
      type: "progress",
      lane: lane(),
      progress: {
        id: "id",
        numInputRows: 7,
        eventTime: { max: "2026-01-01T00:00:00.000Z" },
        sources: [{
          endOffset: { VideoStreaming: { "3": 7 } },
          latestOffset: { VideoStreaming: { "3": 9 } },
        }],
        totals: TOTALS,
      } as unknown as StreamingQueryProgress,
      measurements: { endToEnd: [], processing: [], sinkWrites: {}, dropped: {} },
    });
  const stopped = (error?: PlainError) =>
    lanes.onMessage({
      type: "stopped",
      lane: lane(),
      totals: TOTALS,
      ...(error === undefined ? {} : { error }),
    });
  return { clock, streams, metrics, lanes, running, started, progressed, stopped };
}

Deno.test("a query that failed once and recovered ends without an exception", async () => {
  const { clock, streams, lanes, running, started, stopped } = supervised();
  const ends: Parameters<NonNullable<StreamingQueryListener["onQueryTerminated"]>>[0][] = [];
  streams.addListener({ onQueryTerminated: (event) => void ends.push(event) });
  lanes.begin(SPEC, 3, undefined);
  started();
  stopped({ name: "Error", message: "away", retryable: true });
  const [handle] = streams.all;
  assert.equal(handle!.state, "restarting");
  await clock.advance(5_000);
  assert.equal(running.length, 2);
  started();
  await lanes.end(SPEC, 3, "drain");
  assert.equal(handle!.state, "stopped");
  assert.match(handle!.exception!.message, /away/);
  assert.deepEqual(ends.map(({ exception }) => exception), [undefined]);
});

Deno.test("a partition that moved away leaves no gauge behind, but its counts", async () => {
  const { streams, metrics, lanes, started, progressed } = supervised();
  lanes.begin(SPEC, 3, MEMBERSHIP);
  started();
  progressed();
  const gauge = /framelane_(source_lag_frames|checkpoint_age_seconds|camera_last_frame\w+)\{/g;
  assert.equal((await metrics.text(0)).match(gauge)?.length, 3);
  await lanes.end(SPEC, 3, "move");
  assert.equal(streams.all[0]!.moved, true);
  assert.equal((await metrics.text(0)).match(gauge), null);
  assert.match(await metrics.text(0), /framelane_frames_consumed_total\{[^}]*\} 7/);
  lanes.begin(SPEC, 3, MEMBERSHIP);
  started();
  progressed();
  assert.equal(streams.all[0]!.moved, false);
  assert.equal((await metrics.text(0)).match(gauge)?.length, 3);
  assert.match(await metrics.text(0), /framelane_frames_consumed_total\{[^}]*\} 14/);
});

Deno.test("everybody who waits for the end of all lanes hears of it", async () => {
  const { lanes, started, stopped } = supervised();
  assert.equal(await lanes.allEnded(), false);
  lanes.begin(SPEC, 3, undefined);
  started();
  const waiting = [lanes.allEnded(), lanes.allEnded()];
  stopped();
  assert.deepEqual(await Promise.all(waiting), [true, true]);
});
