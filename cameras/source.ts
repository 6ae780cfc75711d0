// The interface between a camera and its source of images.
import type { Clock } from "../runtime/base/clock.ts";
import type { CaptureTimes } from "./capture_times.ts";
import type { Headers } from "../runtime/definition/frame.ts";

/** One encoded image from a source. */
export interface SourceImage {
  /** The encoded image, or one access unit in Annex B form, in memory that is not reused. */
  readonly value: Uint8Array;
  /** `image/jpeg`, `image/png`, `image/webp`, `video/h264` or `video/h265`. */
  readonly contentType: string;
  /** Milliseconds since the epoch (`live`) or the start (`recorded`); 0 for a `collection`. */
  readonly timestamp: number;
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
  /** `label` and other annotations. */
  readonly headers?: Headers;
  /** Called with the image's offset once the log has stored it. */
  readonly delivered?: (offset: number) => void | Promise<void>;
}

/**
 * - `live`: images arrive in real time; a slow reader misses some;
 * - `recorded`: images have their own times and wait for the reader;
 * - `collection`: images without times, which wait for the reader.
 */
export type SourceKind = "live" | "recorded" | "collection";

/** The environment of a source. */
export interface SourceContext {
  /** `CAMERA-n`. */
  readonly camera: string;
  readonly clock: Clock;
  /** Capture times on that clock, and the counts of corrections. */
  readonly times: CaptureTimes;
  /** Stops the source: its iteration then ends without an error. */
  readonly signal: AbortSignal;
  /** Prints a message for the user. */
  readonly report: (message: string) => void;
  /** Called by a source that limits its opening itself: silence counts from the next activity on. */
  readonly onOpening?: () => void;
  /** Called when any data arrives, even part of an image. */
  readonly onActivity?: () => void;
  /** Called with the logins that a network camera offers: `Digest (MD5), Basic`. */
  readonly onLogin?: (offered: string) => void;
  /** Called for each packet of a video stream. */
  readonly onPacket?: (packet: VideoPacket) => void;
  /** The camera's partition, for sources that remember what they published. */
  readonly target?: PublishTarget | undefined;
}

/** A packet of a video stream, as it arrives. */
export interface VideoPacket {
  /** FFmpeg's name: `h264`, `hevc`, `mjpeg`. */
  readonly codec: string;
  readonly keyframe: boolean;
  readonly bytes: number;
  /** Timestamp in the stream, milliseconds; absent if it has none. */
  readonly streamMs?: number;
}

/** A camera's partition in the log, for sources that publish each image once. */
export interface PublishTarget {
  /** Identifies the log, topic and partition permanently, without secrets. */
  readonly id: string;
  /** Stores which files were published; stays open while frames are being published. */
  readonly kv: Deno.Kv;
  /** The offset after the last record; waits for an unavailable log. */
  latest(): Promise<number>;
  /** The records from `offset` up to the current end. */
  since(offset: number): AsyncIterable<PublishedRecord>;
}

/** A record in the log. */
export interface PublishedRecord {
  readonly offset: number;
  readonly headers: Headers;
}

/** A source of images. Nothing is opened before `open`. */
export interface CameraSource {
  /** The source as written, without secrets. */
  readonly description: string;
  readonly kind: SourceKind;
  /**
   * Opens the source and yields its images in order. Ends when a recording ends or the signal
   * aborts, and then closes everything. May be called again.
   *
   * @throws {SourceError} if the source cannot be opened or fails later.
   */
  open(context: SourceContext): AsyncIterable<SourceImage>;
  /** The expected number of images, if known; for progress bars. */
  expectedImages?(): number | undefined;
}

/** The requested form of images. */
export interface ImageSettings {
  /** Scales images to this size, ignoring their aspect ratio. Absent: unchanged. */
  readonly size?: Size;
  /** JPEG quality, 1 to 100. Absent: encoded images pass unchanged, others use 80. */
  readonly quality?: number;
  /** How H.264 and H.265 are published; `jpeg` by default. */
  readonly codec?: CodecChoice;
}

/**
 * - `copy`: publishes access units unchanged, or fails with the reason;
 * - `jpeg`: converts every frame to JPEG;
 * - `auto`: copies streams of network cameras if possible, otherwise converts to JPEG.
 */
export type CodecChoice = "auto" | "copy" | "jpeg";

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Quality of the JPEGs that a camera encodes. */
export const DEFAULT_QUALITY = 80;

/** The kernel lets a run read what was there at its start, whatever else takes its name. */
export const NOT_PERMITTED =
  "reading it is not permitted; if it was replaced, restart the camera, with --allow-read for the folder around it to continue next time";

/** The kind of a source's failure, for programs. */
export type SourceErrorCode =
  | "INVALID"
  | "MISSING"
  | "UNREADABLE"
  | "UNSUPPORTED"
  | "CORRUPT"
  | "UNREACHABLE"
  | "UNAUTHORIZED"
  | "ENDED";

/** An error of a source. Its message contains no secrets. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly code: SourceErrorCode;
  /** True if opening the source again later may succeed. */
  readonly retryable: boolean;

  constructor(
    code: SourceErrorCode,
    message: string,
    options: { readonly retryable?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? (code === "UNREACHABLE" || code === "ENDED");
  }
}
