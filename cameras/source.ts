// Sources of images.
import type { Clock } from "../runtime/base/clock.ts";
import type { CaptureTimes } from "./capture_times.ts";
import type { Headers } from "../runtime/definition/frame.ts";

/** One encoded image as a source gives it. */
export interface SourceImage {
  /** The encoded image, or one access unit in Annex B form, on memory of its own: the source never writes to it again. */
  readonly value: Uint8Array;
  /** `image/jpeg`, `image/png`, `image/webp`, `video/h264` or `video/h265`. */
  readonly contentType: string;
  /**
   * When it was captured, milliseconds: since the epoch from a `live` source, since the start of the
   * recording from a `recorded` one. A `collection` has no times: 0.
   */
  readonly timestamp: number;
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
  /** `label` and other annotations. */
  readonly headers?: Headers;
  /** Called with the offset in the log. */
  readonly delivered?: (offset: number) => void | Promise<void>;
}

/**
 * - `live`: images appear when they do; who is late loses some;
 * - `recorded`: images have times of their own and wait for the reader;
 * - `collection`: images without times, which wait.
 */
export type SourceKind = "live" | "recorded" | "collection";

/** Where a source runs. */
export interface SourceContext {
  /** `CAMERA-n`. */
  readonly camera: string;
  readonly clock: Clock;
  /** Capture times on that clock, and counts of corrections. */
  readonly times: CaptureTimes;
  /** Aborts when the source must end: its images then end without an error. */
  readonly signal: AbortSignal;
  /** A line for people. */
  readonly report: (message: string) => void;
  /** Called when bytes arrived: the source is not silent. */
  readonly onActivity?: () => void;
  /** Called for each packet of a video stream. */
  readonly onPacket?: (packet: VideoPacket) => void;
  /** The camera's partition, for sources that record what they published. */
  readonly target?: PublishTarget | undefined;
}

export interface VideoPacket {
  /** FFmpeg's name: `h264`, `hevc`, `mjpeg`. */
  readonly codec: string;
  readonly keyframe: boolean;
  readonly bytes: number;
  /** Its time in the stream, milliseconds, if it has one. */
  readonly streamMs?: number;
}

/** The partition of a camera, for sources that publish each image once. */
export interface PublishTarget {
  /** Names the place durably: log, topic and partition, without secrets. */
  readonly id: string;
  /** Holds the durable record of what was published; open for as long as anything is under way. */
  readonly kv: Deno.Kv;
  /** One past the last record; waits for a log that is away. */
  latest(): Promise<number>;
  /** The records from `offset` on, up to the last that is there now. */
  since(offset: number): AsyncIterable<PublishedRecord>;
}

export interface PublishedRecord {
  readonly offset: number;
  readonly headers: Headers;
}

/** A source of images. A description: nothing is opened before `open`. */
export interface CameraSource {
  /** As given, without secrets. */
  readonly description: string;
  readonly kind: SourceKind;
  /**
   * Opens the source again and gives its images in order. Ends when a recording ends or the signal
   * aborts. Everything is closed again when the iteration ends, however it ends.
   *
   * @throws {SourceError} when the source cannot be opened or fails on the way.
   */
  open(context: SourceContext): AsyncIterable<SourceImage>;
  /** How many images there will be, where that is known; for progress bars. */
  expectedImages?(): number | undefined;
}

/** What images should be like. */
export interface ImageSettings {
  /** Scaled to this size, whatever shape it had. Absent: as they are. */
  readonly size?: Size;
  /** JPEG quality, 1 to 100. Absent: encoded images pass as they are, others get 80. */
  readonly quality?: number;
  /** What becomes of H.264 and H.265; JPEG unless given. */
  readonly codec?: CodecChoice;
}

/**
 * - `copy`: access units as they came, or an error with the reason;
 * - `jpeg`: JPEG of every frame;
 * - `auto`: as they came from a stream of a network camera, where that can be; else JPEG.
 */
export type CodecChoice = "auto" | "copy" | "jpeg";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Quality of the JPEGs that a camera encodes itself. */
export const DEFAULT_QUALITY = 80;

/** What went wrong with a source, for programs. */
export type SourceErrorCode =
  | "INVALID"
  | "MISSING"
  | "UNREADABLE"
  | "UNSUPPORTED"
  | "CORRUPT"
  | "UNREACHABLE"
  | "UNAUTHORIZED"
  | "ENDED";

/** An error of a source. Its message holds no secrets. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly code: SourceErrorCode;
  /** Opening it again later may succeed. */
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
