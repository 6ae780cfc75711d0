// Lanes whose executors do nothing by themselves.
import { given } from "../../../runtime/base/options.ts";
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
import type { PooledLane } from "../../../runtime/driver/executor_link.ts";
import { Lane, type LaneParts } from "../../../runtime/driver/lane.ts";
import { QueryMetrics } from "../../../runtime/driver/metrics.ts";
import {
  addTotals,
  type LoadedQuery,
  type PlainError,
  type QuerySpec,
  type ToExecutor,
} from "../../../runtime/executor/protocol.ts";
import type { Membership } from "../../../runtime/log/log.ts";
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

/** A driver of lanes that run when the test says so. */
export function fakeLanes(
  { deaf = false, report = () => {}, onOperatorError = "dead-letter" }: {
    deaf?: boolean;
    report?: (line: string) => void;
    onOperatorError?: OperatorErrorOption;
  } = {},
) {
  const query: LoadedQuery = {
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
  const begun: PooledLane[] = [];
  /** Runs in executors. */
  const seated = new Set<number>();
  const parts: LaneParts = {
    pool: {
      newRun: () => running.length + 1,
      start(lane, message) {
        begun.push(lane);
        seated.add(message.lane);
        running.push(message.lane);
        counting.push(addTotals(message.cells));
        deadInputs = message.deadInputs;
      },
      post: (message: ToExecutor) => {
        if (message.type === "stop" && !deaf) stopped();
      },
      ended: (run) => void seated.delete(run),
      responsive: () => true,
    },
    log: new MemoryLog(),
    streams,
    metrics,
    clock,
    signal: stopping.signal,
    report,
    lingering: new Map(),
  };
  const begin = (membership?: Membership) => {
    const lane = new Lane(
      { spec: SPEC, query, partition: 3, membership, foundLater: false },
      parts,
    );
    lane.begin();
    return lane;
  };
  /** The run that began last. */
  const run = () => running.at(-1)!;
  const started = () => begun.at(-1)!.onMessage({ type: "started", lane: run(), id: "id" });
  const progressed = (cameraName?: string) => {
    counting.at(-1)!(TOTALS);
    begun.at(-1)!.onMessage({
      type: "progress",
      lane: run(),
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
    begun.at(-1)!.onMessage({ type: "stopped", lane: run(), ...given({ error }) });
  return {
    clock,
    streams,
    metrics,
    begin,
    running,
    seated,
    counting,
    started,
    progressed,
    stopped,
    deadInputs: () => deadInputs,
  };
}
