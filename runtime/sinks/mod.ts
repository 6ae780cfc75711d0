/**
 * The sinks, and the types needed to write one.
 *
 * @module
 */
export type { BatchRange, OutputRecord } from "../log/log.ts";
export type { Delivery, Sink, SinkContext, SinkTask } from "../definition/sink.ts";
export { type ConsoleOptions, consoleSink } from "./console.ts";
export { display } from "./display.ts";
export { events, type EventsOptions } from "./events.ts";
export { foreach, foreachBatch } from "./foreach.ts";
export { images, type ImagesOptions } from "./images.ts";
export type { AccessWord, UriAccess } from "../base/access.ts";
export {
  type AnySinkType,
  type SinkOption,
  type SinkType,
  sinkType,
  type SinkValues,
} from "../definition/sink_type.ts";
export { openSink } from "./open.ts";
export { topic, type TopicOptions } from "./topic.ts";
export type { H264Options, H264Preset } from "../video/h264_options.ts";
export { video, type VideoOptions } from "./video.ts";
export { webhook, type WebhookOptions } from "./webhook.ts";
