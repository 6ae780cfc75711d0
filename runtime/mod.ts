/**
 * Framelane's runtime: what the author of a query imports.
 *
 * @module
 */
export type { Place } from "./base/errors.ts";
export * from "./definition/frame.ts";
export * from "./image/mod.ts";
export type { Clock } from "./base/clock.ts";
export type {
  LeftOut,
  NativeLibrary,
  Observed,
  Operator,
  OperatorContext,
  OperatorTask,
} from "./definition/operator.ts";
export type { Observation, Observations } from "./operators/observe.ts";
export type { StateProcessor, TimeMode, Timers } from "./operators/state.ts";
export {
  FrameStream,
  query,
  QueryBuilder,
  QueryDefinition,
  type StepOptions,
  Stream,
} from "./definition/query.ts";
export type { QueryPlan } from "./definition/plan.ts";
export type {
  GivenOptions,
  ParameterKind,
  ParameterKinds,
  ParameterValue,
  ParameterValues,
  QueryOptions,
} from "./definition/query_options.ts";
export type * from "./definition/progress.ts";
export type { LaneState } from "./lanes.ts";
export type { QueryErrorEvent } from "./driver/query_error.ts";
export type { ReadStreamOptions, StartingOffsets } from "./definition/source_options.ts";
export {
  type FailedInput,
  OperatorError,
  type OperatorErrorOption,
  type OperatorErrorPolicy,
  type OperatorPlace,
} from "./definition/operator_error.ts";
export type { OverloadPolicy } from "./definition/overload.ts";
export { LogError } from "./log/log.ts";
export type * from "./log/log.ts";
export { openLog, type OpenLogOptions } from "./log/open.ts";
export { start, type StartOptions } from "./driver/start.ts";
export type { QueryStartOptions } from "./driver/query_spec.ts";
export type { StreamingQueryListener, StreamingQueryManager } from "./driver/manager.ts";
export type { StreamingQuery, StreamingQueryException } from "./driver/streaming_query.ts";
export type { Trigger, TriggerSpec } from "./definition/trigger.ts";
export {
  createWindower,
  type RestartPoint,
  type Windower,
  type WindowerState,
} from "./windows/window.ts";
export {
  checkWindowOptions,
  type GapPolicy,
  type WindowOptions,
} from "./windows/window_options.ts";
export { type SessionOptions, sessionWindow } from "./windows/session.ts";
export * from "./sinks/mod.ts";
export type { H264Options, H264Preset } from "./video/h264_options.ts";
