// The messages between server and page over `/ws`. Both import this module, so that they agree. Pictures are
// binary messages, everything else is JSON.
import type { Findings } from "../runtime/definition/places.ts";
import type { Lane } from "../runtime/lanes.ts";

/** Increased when older pages become incompatible with the server. */
export const PROTOCOL_VERSION = 5;

/** Maximum number of tiles per page. */
export const MAX_TILES = 1_024;

/** Maximum number of tiles per page with access units, each of which needs a log reader. */
export const MAX_VIDEO_TILES = 4;

/** Maximum size of a text message to the server, in characters. */
export const MAX_PAGE_MESSAGE = 256 * 1024;

/** Maximum number of frames per step. */
export const MAX_STEP = 250;

/** A lane, with additions for the page. */
export interface LaneView extends Lane {
  /** Arrival of the last frame, epoch milliseconds, if the lane is stalled. */
  readonly stalledSince?: number;
}

/** A camera's display name, and its number if different: `Loading dock`, `CAMERA-7`. */
export function cameraTitle(
  { camera, cameraName, partition }: Pick<Lane, "camera" | "cameraName" | "partition">,
): { readonly title: string; readonly number: string } {
  const title = cameraName ?? camera;
  const number = `CAMERA-${partition + 1}`;
  return { title, number: title === number ? "" : number };
}

/** Name and number in one line: `Loading dock (CAMERA-7)`. */
export function cameraText(lane: Parameters<typeof cameraTitle>[0]): string {
  const { title, number } = cameraTitle(lane);
  return number === "" ? title : `${title} (${number})`;
}

/** An alert's episode: all transitions with the same id. */
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
  /** Offset of the last known frame. */
  readonly toOffset: number;
  /** Capture times, epoch milliseconds. */
  readonly fromTime: number;
  readonly toTime: number;
}

export interface RangeView {
  /** First existing offset, and one past the last. */
  readonly earliest: number;
  readonly latest: number;
  /** Capture times of the first and last frame, epoch milliseconds; absent if there are none. */
  readonly earliestTime?: number;
  readonly latestTime?: number;
  /** Ranges of capture times without frames, within the requested part. */
  readonly gaps?: readonly (readonly [from: number, to: number])[];
}

/** The state of a page's playback. */
export interface TimeView {
  readonly mode: "live" | "paused" | "playing";
  /** The command that led here; pictures of another generation are stale. */
  readonly generation: number;
  readonly speed: number;
  /** Capture time, epoch milliseconds: displayed if paused, start time if playing. */
  readonly position?: number;
  /** The frame that the command landed on, and its (leading) lane. */
  readonly lead?: string;
  readonly offset?: number;
  /** Why the command failed. */
  readonly problem?: string;
}

/** Server to page, as JSON. */
export type ServerMessage =
  | {
    readonly type: "hello";
    readonly version: number;
    /** The server's clock, epoch milliseconds. */
    readonly now: number;
    /** Whether there is a log to look back into: for pause, step, scrub, clips. */
    readonly hasPast: boolean;
  }
  | {
    readonly type: "lanes";
    readonly now: number;
    readonly lanes: readonly LaneView[];
    /** Why the log cannot be read. */
    readonly problem?: string;
  }
  /** The results of a frame that is sent as an access unit. */
  | {
    readonly type: "result";
    readonly lane: string;
    readonly offset: number;
    readonly result: Findings;
  }
  | { readonly type: "alerts"; readonly alerts: readonly AlertView[] }
  | { readonly type: "time"; readonly time: TimeView };

export interface TileRequest {
  /** `Lane.id`: a page has one tile of a lane. */
  readonly lane: string;
  /** Displayed width in device pixels; 0 for the original size. */
  readonly width: number;
  /** Whether the page decodes access units itself. */
  readonly video?: boolean;
}

/**
 * A page's playback command. `lead` is the lane that the offset refers to; the other lanes show their
 * pictures at the lead's capture time.
 */
export type TimeCommand =
  | { readonly action: "live" }
  /** Keeps what the page shows; at `time` if live. */
  | { readonly action: "pause"; readonly time: number }
  /** The lead's frame at that offset, or the first one after it. */
  | { readonly action: "seek"; readonly lead: string; readonly offset: number }
  /** Steps forward or back from that offset. */
  | { readonly action: "step"; readonly lead: string; readonly offset: number; readonly by: number }
  /** The pictures at that capture time. */
  | { readonly action: "jump"; readonly lead: string; readonly time: number }
  /** Plays from the current position, or from `time` if live. */
  | { readonly action: "play"; readonly speed: number; readonly time: number };

/** A command that leads to one frame of its lead. */
export type TimeMove = Extract<TimeCommand, { action: "seek" | "step" | "jump" }>;

export const SPEEDS = [0.5, 1, 2, 4, 8] as const;

/** Page to server, as JSON. */
export type PageMessage =
  /** Replaces all tiles of this page. */
  | { readonly type: "watch"; readonly tiles: readonly TileRequest[] }
  /** Pictures that were drawn or skipped: `[lane, sequence]`, all up to that sequence. */
  | { readonly type: "drawn"; readonly tiles: readonly (readonly [string, number])[] }
  | {
    readonly type: "time";
    /** Increases with each command of this page. */
    readonly generation: number;
    readonly command: TimeCommand;
  };

/** How to decode an access unit. */
export interface UnitInfo {
  /** Codec as in RFC 6381, only on keyframes: a decoder can start here. */
  readonly codec?: string;
  /** Decode only, not shown: a reference for the unit that is shown. */
  readonly hidden: boolean;
}

export interface PictureMessage {
  /** `Lane.id`. */
  readonly lane: string;
  /** Counts the pictures sent to one page. */
  readonly sequence: number;
  /** Its `TimeView.generation`; 0 if live. */
  readonly generation: number;
  readonly contentType: string;
  readonly offset: number;
  /** Capture time, epoch milliseconds. */
  readonly timestamp: number;
  /** Size of the source picture, whose pixels are the unit of result boxes. 0 if unknown. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
  readonly result?: Findings;
  /** The camera's picture, shown for a query that stored none; `grey` if the query's pictures are grey. */
  readonly source?: { readonly grey: boolean };
  /** For an access unit; the units of a tile arrive in decoding order. */
  readonly unit?: UnitInfo;
  readonly image: Uint8Array;
}

/** A picture as one binary message: the length of its JSON (u32, little-endian), the JSON, the image. */
export function encodePicture({ image, ...rest }: PictureMessage): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(rest));
  const message = new Uint8Array(4 + json.length + image.length);
  new DataView(message.buffer).setUint32(0, json.length, true);
  message.set(json, 4);
  message.set(image, 4 + json.length);
  return message;
}

/** Decodes a picture message. The image is a view of `message`. */
export function decodePicture(message: ArrayBuffer): PictureMessage {
  const length = new DataView(message).getUint32(0, true);
  const json = new TextDecoder().decode(new Uint8Array(message, 4, length));
  return { ...JSON.parse(json), image: new Uint8Array(message, 4 + length) };
}
