/**
 * Framelane's runtime: what the author of a query imports.
 *
 * @module
 */
export type { AccessWord, UriAccess } from "./base/access.ts";
export type { Place } from "./base/errors.ts";
export * from "./definition/frame.ts";
export * from "./image/mod.ts";
export type { Clock } from "./base/clock.ts";
export type { LeftOut, Operator, OperatorContext, OperatorTask } from "./definition/operator.ts";
export type { StateProcessor, Timers } from "./operators/state.ts";
export {
  FrameStream,
  query,
  QueryBuilder,
  QueryDefinition,
  type QueryPlan,
  type StepOptions,
  Stream,
} from "./definition/query.ts";
export type { QueryOptions } from "./definition/query_options.ts";
export type { OffsetJson } from "./definition/progress.ts";
export type { ReadStreamOptions, StartingOffsets } from "./definition/source_options.ts";
export {
  type FailedInput,
  OperatorError,
  type OperatorErrorOption,
  type OperatorErrorPolicy,
  type OperatorPlace,
} from "./definition/operator_error.ts";
export type { OverloadPolicy } from "./definition/overload.ts";
export type { LogRecord } from "./log/log.ts";
export type { Trigger } from "./definition/trigger.ts";
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
export type { Delivery, Sink, SinkContext, SinkTask } from "./definition/sink.ts";
export type { BatchRange, OutputRecord } from "./log/log.ts";
export { foreach, foreachBatch } from "./sinks/foreach.ts";
export { console, type ConsoleOptions } from "./sinks/console.ts";
export { display } from "./sinks/display.ts";
export { events, type EventsOptions } from "./sinks/events.ts";
export { images, type ImagesOptions } from "./sinks/images.ts";
export {
  type AnySinkType,
  type SinkOption,
  type SinkType,
  sinkType,
  type SinkValues,
} from "./definition/sink_type.ts";
export { openSink } from "./sinks/open.ts";
export { topic, type TopicOptions } from "./sinks/topic.ts";
export type { H264Options, H264Preset } from "./video/h264_options.ts";
export { video, type VideoOptions } from "./sinks/video.ts";
export { webhook, type WebhookOptions } from "./sinks/webhook.ts";
