// What the viewer's server and its page say to each other over `/ws`. Both import this module, so
// neither can drift from the other. Pictures travel as binary messages, everything else as JSON.
import type { Findings } from "../runtime/definition/places.ts";
import type { Lane } from "../runtime/lanes.ts";

/** Raised when a page of an older version could not work with the server any more. */
export const PROTOCOL_VERSION = 2;

/** Most tiles that one page may watch. */
export const MAX_TILES = 512;

/** Most tiles of a page that get access units: each has a reader of the log. */
export const MAX_VIDEO_TILES = 4;

/** Longest text message that the server accepts, in characters. */
export const MAX_PAGE_MESSAGE = 128 * 1024;

/** Most frames that one step may go. */
export const MAX_STEP = 250;

/** A lane as the page sees it. */
export interface LaneView extends Lane {
  /** Arrival of the last frame, epoch milliseconds, when frames ceased to come. */
  readonly stalledSince?: number;
}

/**
 * What people call a camera, and its number where that is something else: `Loading dock`, `CAMERA-7`.
 */
export function cameraTitle(
  { camera, cameraName, partition }: Pick<Lane, "camera" | "cameraName" | "partition">,
): { readonly title: string; readonly number: string } {
  const title = cameraName ?? camera;
  const number = `CAMERA-${partition + 1}`;
  return { title, number: title === number ? "" : number };
}

/** Both in one line: `Loading dock (CAMERA-7)`. */
export function cameraText(lane: Parameters<typeof cameraTitle>[0]): string {
  const { title, number } = cameraTitle(lane);
  return number === "" ? title : `${title} (${number})`;
}

/** An alert's episode: all transitions of one id in one. */
export interface AlertView {
  readonly id: string;
  /** `Lane.id`. */
  readonly lane: string;
  readonly camera: string;
  readonly cameraName?: string;
  readonly place?: string;
  readonly partition: number;
  readonly label: string;
  /** 0 to 1. */
  readonly peak: number;
  readonly active: boolean;
  /** Offset of the first frame of the episode. */
  readonly fromOffset: number;
  /** Offset of the last frame heard of so far. */
  readonly toOffset: number;
  /** Capture times, epoch milliseconds. */
  readonly fromTime: number;
  readonly toTime: number;
}

/** What the log holds of a lane. */
export interface RangeView {
  /** First offset that is still there, and one past the last. */
  readonly earliest: number;
  readonly latest: number;
  /** Capture times of the first and last frame, epoch milliseconds; absent when there is none. */
  readonly earliestTime?: number;
  readonly latestTime?: number;
  /** Stretches without frames, from capture time to capture time, in the part that was asked for. */
  readonly gaps?: readonly (readonly [from: number, to: number])[];
}

/** What a server can do beyond live pictures. */
export interface Features {
  /** Pause, step, scrub: there is a log to read from. */
  readonly time: boolean;
  /** Clips can be downloaded as MP4. */
  readonly clips: boolean;
}

/** Where a page's playback stands. */
export interface TimeView {
  readonly mode: "live" | "paused" | "playing";
  /** The command that led here; pictures of another generation are stale. */
  readonly generation: number;
  readonly speed: number;
  /** Capture time, epoch milliseconds: shown when paused, begun from when playing. */
  readonly position?: number;
  /** The frame that the command landed on, of the lane that leads. */
  readonly lead?: string;
  readonly offset?: number;
  /** Why the command could not be carried out. */
  readonly problem?: string;
}

/** Server to page, as JSON. */
export type ServerMessage =
  | {
    readonly type: "hello";
    readonly version: number;
    /** The server's clock, epoch milliseconds. */
    readonly now: number;
    readonly features: Features;
  }
  | {
    readonly type: "lanes";
    readonly now: number;
    readonly lanes: readonly LaneView[];
    /** Why the log cannot be read at the moment. */
    readonly problem?: string;
  }
  /** What was found in a frame that goes to the page as an access unit. */
  | {
    readonly type: "result";
    readonly slot: number;
    readonly offset: number;
    readonly result: Findings;
  }
  | { readonly type: "alerts"; readonly alerts: readonly AlertView[] }
  | { readonly type: "time"; readonly time: TimeView };

/** A tile that the page shows. */
export interface TileRequest {
  /** The page's number for the tile; comes back with each picture. 0 to 65535. */
  readonly slot: number;
  /** `Lane.id`. */
  readonly lane: string;
  /** Width that it shows, in device pixels; 0 for pictures as they are. */
  readonly width: number;
  /** The page decodes access units by itself, where the lane has them. */
  readonly video?: boolean;
}

/**
 * What the page wants of time. `lead` is the lane whose offset is meant; all other lanes show what
 * they showed at the lead's capture time.
 */
export type TimeCommand =
  | { readonly action: "live" }
  /** Everything stays as the page shows it. */
  | { readonly action: "pause"; readonly time: number }
  /** The lead's frame at that offset, or the first one after it. */
  | { readonly action: "seek"; readonly lead: string; readonly offset: number }
  /** Frames forward from that offset, or back. */
  | { readonly action: "step"; readonly lead: string; readonly offset: number; readonly by: number }
  /** What was to be seen at that capture time. */
  | { readonly action: "jump"; readonly lead: string; readonly time: number }
  /** On from where the page stands; from that capture time when it is live. */
  | { readonly action: "play"; readonly speed: number; readonly time: number };

/** Slowest and fastest that a page can play. */
export const SPEEDS = [0.5, 1, 2, 4, 8] as const;

/** Page to server, as JSON. */
export type PageMessage =
  /** Replaces all tiles of this page. */
  | { readonly type: "watch"; readonly tiles: readonly TileRequest[] }
  /** Pictures that were drawn, or overtaken: `[slot, sequence]`, all up to that sequence. */
  | { readonly type: "drawn"; readonly tiles: readonly (readonly [number, number])[] }
  | {
    readonly type: "time";
    /** Grows with each command of this page. */
    readonly generation: number;
    readonly command: TimeCommand;
  };

/** Types of pictures, in the order of their numbers on the wire. */
export const CONTENT_TYPES = [
  "image/jpeg",
  "image/png",
  "image/webp",
  "video/h264",
  "video/h265",
] as const;

/** How to decode an access unit. */
export interface UnitInfo {
  /** As in RFC 6381, on keyframes alone: a decoder can begin with it. */
  readonly codec?: string;
  /** It is not to be shown, only decoded: the one to be shown depends on it. */
  readonly hidden: boolean;
}

/** A picture on its way to a tile. */
export interface PictureMessage {
  readonly slot: number;
  /** Counts the pictures sent to one page. */
  readonly sequence: number;
  /** `TimeView.generation` that it belongs to; 0 when live. */
  readonly generation: number;
  readonly contentType: string;
  readonly offset: number;
  /** Capture time, epoch milliseconds. */
  readonly timestamp: number;
  /** Size of the source picture; boxes of the result are in its pixels. 0 when unknown. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  readonly result?: Findings;
  /** The camera's own picture, of a query that has kept none; `grey` where the query's are grey. */
  readonly source?: { readonly grey: boolean };
  /** Of an access unit; the units of a tile come in decoding order. */
  readonly unit?: UnitInfo;
  readonly image: Uint8Array;
}

/** Bytes before the result and the image. */
export const PICTURE_HEADER_BYTES = 40;

const PICTURE = 1;

/**
 * A picture as one binary message, little-endian:
 *
 * | byte | what |
 * | --- | --- |
 * | 0 | 1: a picture |
 * | 1 | index in `CONTENT_TYPES` |
 * | 2 | slot, u16 |
 * | 4 | sequence, u32 |
 * | 8 | generation, u32 |
 * | 12 | source width, u16; source height, u16 |
 * | 16 | length of the JSON of result and unit, u32 |
 * | 20 | reserved |
 * | 24 | offset, f64; capture time, f64 |
 * | 40 | JSON, then the image or access unit |
 */
export function encodePicture(picture: PictureMessage): Uint8Array<ArrayBuffer> {
  const { result, unit, source } = picture;
  const json = result === undefined && unit === undefined && source === undefined
    ? undefined
    : new TextEncoder().encode(JSON.stringify({ result, unit, source }));
  const resultBytes = json?.length ?? 0;
  const message = new Uint8Array(PICTURE_HEADER_BYTES + resultBytes + picture.image.length);
  const view = new DataView(message.buffer);
  view.setUint8(0, PICTURE);
  view.setUint8(1, Math.max(0, (CONTENT_TYPES as readonly string[]).indexOf(picture.contentType)));
  view.setUint16(2, picture.slot, true);
  view.setUint32(4, picture.sequence, true);
  view.setUint32(8, picture.generation, true);
  view.setUint16(12, Math.min(picture.sourceWidth, 0xffff), true);
  view.setUint16(14, Math.min(picture.sourceHeight, 0xffff), true);
  view.setUint32(16, resultBytes, true);
  view.setFloat64(24, picture.offset, true);
  view.setFloat64(32, picture.timestamp, true);
  if (json !== undefined) message.set(json, PICTURE_HEADER_BYTES);
  message.set(picture.image, PICTURE_HEADER_BYTES + resultBytes);
  return message;
}

/**
 * Reads what `encodePicture` wrote. The image is a view on `message`.
 *
 * @throws {RangeError} when the message is not a picture or is cut short.
 */
export function decodePicture(message: ArrayBuffer): PictureMessage {
  const view = new DataView(message);
  if (view.byteLength < PICTURE_HEADER_BYTES || view.getUint8(0) !== PICTURE) {
    throw new RangeError(`Cannot read picture: ${view.byteLength} bytes are not a picture message`);
  }
  const resultBytes = view.getUint32(16, true);
  if (PICTURE_HEADER_BYTES + resultBytes > view.byteLength) {
    throw new RangeError(`Cannot read picture: a result of ${resultBytes} bytes was cut short`);
  }
  const extra: Pick<PictureMessage, "result" | "unit" | "source"> = resultBytes === 0
    ? {}
    : JSON.parse(
      new TextDecoder().decode(new Uint8Array(message, PICTURE_HEADER_BYTES, resultBytes)),
    );
  return {
    slot: view.getUint16(2, true),
    sequence: view.getUint32(4, true),
    generation: view.getUint32(8, true),
    contentType: CONTENT_TYPES[view.getUint8(1)] ?? CONTENT_TYPES[0],
    offset: view.getFloat64(24, true),
    timestamp: view.getFloat64(32, true),
    sourceWidth: view.getUint16(12, true),
    sourceHeight: view.getUint16(14, true),
    ...extra,
    image: new Uint8Array(message, PICTURE_HEADER_BYTES + resultBytes),
  };
}
