/**
 * Framelane for the author of a query and of a program that runs one. More is in `./image`, `./operators`,
 * `./sinks` and `./testing`.
 *
 * @module
 */
export { query } from "./definition/query.ts";
export type {
  FrameStream,
  QueryBuilder,
  QueryDefinition,
  StepOptions,
  Stream,
} from "./definition/query.ts";
export type { Alignment, AlignOptions, OtherPartition, Pair } from "./definition/align.ts";
export type { QueryPlan } from "./definition/plan.ts";
export type {
  GivenOptions,
  ParameterKind,
  ParameterKinds,
  ParameterValue,
  ParameterValues,
} from "./definition/query_options.ts";
export type { ReadStreamOptions, StartingOffsets } from "./definition/source_options.ts";
export type { OverloadPolicy } from "./definition/overload.ts";
export type { Trigger, TriggerSpec } from "./definition/trigger.ts";

export { start, type StartOptions } from "./driver/start.ts";
export type { QueryStartOptions } from "./driver/query_spec.ts";
export type {
  QueryErrorEvent,
  StreamingQueryListener,
  StreamingQueryManager,
} from "./driver/manager.ts";
export type { StreamingQuery } from "./driver/streaming_query.ts";
export type { StreamingQueryException } from "./driver/query_exception.ts";
export type { LaneState } from "./lanes.ts";
export type {
  DurationMs,
  LatencyPercentiles,
  OffsetJson,
  QueryTotals,
  SinkProgress,
  SourceProgress,
  StateOperatorProgress,
  StreamingQueryProgress,
  StreamingQueryStatus,
} from "./definition/progress.ts";
export { LogError, type LogErrorCode, type LogRecord, type TopicLog } from "./log/log.ts";
export { openLog, type OpenLogOptions } from "./log/open.ts";

export {
  BadFrameError,
  firstOffsetOf,
  isFinding,
  lastOffsetOf,
  numberSuffix,
} from "./definition/frame.ts";
export type {
  Alert,
  DetectedObject,
  Finding,
  Frame,
  FrameResult,
  Headers,
  Json,
  LineCount,
  Output,
  Result,
  ResultData,
  Window,
} from "./definition/frame.ts";
export type { Line, Places, Point, Zone } from "./definition/places.ts";
export type {
  NativeLibrary,
  Observed,
  Operator,
  OperatorContext,
  OperatorTask,
  SkippedFrames,
} from "./definition/operator.ts";
export {
  type FailedInput,
  OperatorError,
  type OperatorErrorOption,
  type OperatorErrorPolicy,
  type OperatorPlace,
} from "./definition/operator_error.ts";
export type { Place } from "./base/errors.ts";
export { checkFile } from "./base/given_file.ts";
export { FaultsError, readJson } from "./base/json_file.ts";
export { checkOptions, type Fault, faultText, Fields } from "./base/fields.ts";
export {
  FLAG,
  type NumberRange,
  oneOf,
  type OptionRow,
  type OptionRows,
  range,
} from "./base/options.ts";
export type { Observation, Observations } from "./operators/observe.ts";
export type { StateProcessor, TimeMode, Timers } from "./operators/state.ts";
export { createWindower } from "./windows/window.ts";
export type { RestartPoint, Windower, WindowerState } from "./windows/window.ts";
export { checkWindowOptions } from "./windows/window_options.ts";
export type { GapPolicy, WindowOptions } from "./windows/window_options.ts";
export { type SessionOptions, sessionWindow } from "./windows/session.ts";

export {
  decodeImage,
  decodeReduced,
  encodeJpeg,
  inspectImage,
  type Picture,
  pictureOf,
  type RawImage,
  Tensorizer,
} from "./image/mod.ts";
export {
  consoleSink,
  display,
  events,
  foreach,
  foreachBatch,
  images,
  type Sink,
  topic,
  video,
  webhook,
} from "./sinks/mod.ts";
