/**
 * Everything needed to write a custom source; see `sourceType`.
 *
 * @module
 */
export { type SourceType, sourceType } from "./source_kind.ts";
export {
  type CameraSource,
  type CodecChoice,
  type ImageSettings,
  type PublishedRecord,
  type PublishTarget,
  type Size,
  type SourceContext,
  SourceError,
  type SourceErrorCode,
  type SourceImage,
  type SourceKind,
  type VideoPacket,
} from "./source.ts";
export type { CameraSettings } from "./settings.ts";
export { CaptureTimes, type TimeFaults } from "./capture_times.ts";
export { parseFps, parseSize, type Readers, readOptions } from "./options.ts";
export { ticks } from "./ticker.ts";
export { makeSource } from "./open.ts";
export type { Clock } from "../runtime/base/clock.ts";
