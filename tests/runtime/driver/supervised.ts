// A supervisor of lanes whose executors do nothing by themselves.
import {
  checkOperatorErrors,
  type OperatorErrorOption,
} from "../../../runtime/definition/operator_error.ts";
import {
  NO_TOTALS,
  type QueryTotals,
  type StreamingQueryProgress,
} from "../../../runtime/definition/progress.ts";
import { LagMeter } from "../../../runtime/driver/lag.ts";
import { LaneSupervisor } from "../../../runtime/driver/lane_supervisor.ts";
import { QueryMetrics } from "../../../runtime/driver/metrics.ts";
import {
  addTotals,
  type LoadedQuery,
  type PlainError,
  type QuerySpec,
  type ToExecutor,
} from "../../../runtime/executor/protocol.ts";
import { FakeClock, MemoryLog } from "../../../runtime/testing.ts";
import { managerOf } from "../../support/manager.ts";

export const SPEC: QuerySpec = {
  name: "q",
  topic: "VideoStreaming",
  module: "",
  group: "g",
  sinks: [],
};
export const MEMBERSHIP = { memberId: "m", generation: 1 };
export const TOTALS = { ...NO_TOTALS, frames: 7, outputs: 7, dropped: 6, lost: 3, noKeyframe: 2 };

/** A supervisor whose lanes run when the test says so. */
export function supervised(
  { deaf = false, report = () => {}, onOperatorError = "dead-letter" }: {
    deaf?: boolean;
    report?: (line: string) => void;
    onOperatorError?: OperatorErrorOption;
  } = {},
) {
  const loaded: LoadedQuery = {
    plan: "",
    finite: false,
    steps: ["first", "second"],
    onOperatorError: checkOperatorErrors(onOperatorError),
    access: { read: [], write: [], net: [], libraries: [], open: false },
    remarks: [],
    topics: [],
  };
  const clock = new FakeClock();
  const streams = managerOf();
  const offsets = () => Promise.resolve({ earliest: 0, latest: 0 });
  const reader = () => Promise.reject(new Error("There is nothing to read"));
  const metrics = new QueryMetrics(streams, new LagMeter({ offsets, reader }, clock));
  const running: number[] = [];
  /** How each run counts. */
  const counting: ((totals: QueryTotals) => void)[] = [];
  let deadInputs: unknown;
  const stopping = new AbortController();
  const lanes: LaneSupervisor = new LaneSupervisor({
    pool: {
      start(_spec, message) {
        running.push(message.lane);
        counting.push(addTotals(message.cells));
        deadInputs = message.deadInputs;
      },
      post: (message: ToExecutor) => {
        if (message.type === "stop" && !deaf) stopped();
      },
      ended: () => {},
      responsive: () => true,
    },
    log: new MemoryLog(),
    streams,
    metrics,
    clock,
    signal: stopping.signal,
    loaded: () => loaded,
    report,
  });
  /** The lane that was started last. */
  const lane = () => running.at(-1)!;
  const started = () => lanes.onMessage({ type: "started", lane: lane(), id: "id" });
  const progressed = (cameraName?: string) => {
    counting.at(-1)!(TOTALS);
    lanes.onMessage({
      type: "progress",
      lane: lane(),
      progress: {
        id: "id",
        ...(cameraName === undefined ? {} : { cameraName }),
        numInputRows: 7,
        eventTime: { max: "2026-01-01T00:00:00.000Z" },
        sources: [{
          endOffset: { VideoStreaming: { "3": 7 } },
          latestOffset: { VideoStreaming: { "3": 9 } },
        }],
        totals: TOTALS,
      } as unknown as StreamingQueryProgress,
      measurements: { endToEnd: [], processing: [], sinkWrites: {} },
    });
  };
  const stopped = (error?: PlainError) =>
    lanes.onMessage({
      type: "stopped",
      lane: lane(),
      ...(error === undefined ? {} : { error }),
    });
  return {
    clock,
    streams,
    metrics,
    lanes,
    running,
    counting,
    started,
    progressed,
    stopped,
    deadInputs: () => deadInputs,
  };
}
