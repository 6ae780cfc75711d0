// What a viewer can see: one lane for each streaming query, its newest picture and its state.
// The driver provides it for the queries that it runs; `deno task viewer` provides it from a log.
import { cameraOf, cameraOfPartition, type Headers } from "./definition/frame.ts";
import type { Findings, Places } from "./definition/places.ts";
import type { StreamingQueryProgress } from "./definition/progress.ts";

/** A picture of a lane. */
export interface LanePicture {
  /** `Lane.id`. */
  readonly lane: string;
  readonly offset: number;
  /** Capture time, epoch milliseconds. */
  readonly timestamp: number;
  /** The encoded image: JPEG, PNG or WebP, on its own buffer; shared by all viewers: never write to it. */
  readonly bytes: Uint8Array;
  readonly headers: Headers;
  readonly result?: Findings;
  /** The camera's own picture, of a query that has kept none. */
  readonly source?: true;
  /** It is the picture of an access unit that the lane shows as it came: the log holds the unit. */
  readonly video?: "h264" | "h265";
}

/** What viewers want of a lane: pictures, or findings alone, for pages that decode access units themselves. */
export type Demand = "pictures" | "results";

/** How a lane is. */
export type LaneState = "starting" | "running" | "restarting" | "failed" | "stopped";

/** One lane: a streaming query on its partition, or a raw partition of a topic. */
export interface Lane {
  /** Unique on this page, URL-safe: `greyscale-0`; raw lanes are `raw-0`. */
  readonly id: string;
  /** Name of the query's definition; `raw` for a partition as it is. */
  readonly query: string;
  /** `QUERY-PARTITION-n`. */
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  /** The key of its frames, or else `CAMERA-n`. */
  readonly camera: string;
  /** What people call the camera, and where it is. */
  readonly cameraName?: string;
  readonly place?: string;
  /** No frame was ever published to the partition, and no camera is registered for it. */
  readonly unused?: true;
  /** The camera was taken from the registry and has sent nothing since. */
  readonly removed?: true;
  /** What keeps frames from coming, as text without secrets: the camera's own trouble, or the log's. */
  readonly trouble?: string;
  /** Since when, epoch milliseconds. */
  readonly troubleSince?: number;
  readonly state: LaneState;
  /** Error of the last failure, as text without secrets. */
  readonly exception?: string;
  /** Frames per second of the last seconds: read, and handed to the sinks. */
  readonly framesPerSecondIn: number;
  readonly framesPerSecondOut: number;
  /** Frames in the log that the query has not read yet; it grows while the query is down. */
  readonly lagFrames: number;
  /** Capture to sink, of the last seconds, milliseconds. Absent before the first frame. */
  readonly latencyP50Ms?: number;
  readonly latencyP99Ms?: number;
  readonly dropped: number;
  readonly deadLettered: number;
  readonly gaps: number;
  readonly restarts: number;
  /** Capture time of the newest frame, epoch milliseconds. */
  readonly lastFrameTimestamp?: number;
  /** When the newest frame arrived here, epoch milliseconds. */
  readonly lastFrameArrival?: number;
  /** When the last batch was committed, epoch milliseconds. */
  readonly lastCommit?: number;
  /** Zones and lines that the query watches. */
  readonly places?: Places;
}

/** `greyscale-0`: unique within a driver and safe in URLs. */
export function laneId(query: { query: string; partition: number }): string {
  return `${query.query}-${query.partition}`;
}

/** The numbers of a lane that has done nothing yet. */
export const NO_NUMBERS = {
  framesPerSecondIn: 0,
  framesPerSecondOut: 0,
  lagFrames: 0,
  dropped: 0,
  deadLettered: 0,
  gaps: 0,
  restarts: 0,
} as const;

/**
 * How people know the camera of a record. Lanes, tiles and lists take it from here, for records
 * of any producer.
 *
 * @example
 * ```ts
 * import { cameraIdentity } from "./lanes.ts";
 *
 * cameraIdentity({ key: null, partition: 6, headers: { "camera-name": "Loading dock" } });
 * // { camera: "CAMERA-7", cameraName: "Loading dock" }
 * ```
 */
export function cameraIdentity(
  record: { key: string | null; partition: number; headers: Headers },
): Pick<Lane, "camera" | "cameraName" | "place"> {
  const cameraName = nameOf(record.headers["camera-name"]);
  const place = nameOf(record.headers["camera-place"]);
  return {
    camera: nameOf(cameraOf(record)) || cameraOfPartition(record.partition),
    ...(cameraName === "" ? {} : { cameraName }),
    ...(place === "" ? {} : { place }),
  };
}

/** Most characters of a name. */
const LONGEST_NAME = 100;

/** A producer's text as a name on one line: anyone may write any text to a topic. */
function nameOf(text = ""): string {
  const start = [...text.slice(0, 2 * LONGEST_NAME)].slice(0, LONGEST_NAME).join("");
  return start.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, "");
}

/** Source of lanes for a viewer. */
export interface LaneFeed {
  /** All lanes, ordered by partition, then by query. */
  lanes(): readonly Lane[];
  /** Measures what `lanes` cannot know by itself, such as the lag of a query that is down. */
  measure?(): Promise<void>;
  /** Why the log cannot be read at the moment. */
  readonly problem?: string | undefined;
  /** The newest picture of a lane. */
  latest(lane: string): LanePicture | undefined;
  /**
   * Calls `listener` for each new picture of any lane. It must return at once.
   *
   * @returns a function that ends the subscription.
   */
  subscribe(listener: (picture: LanePicture) => void): () => void;
  /** Sets which lanes are watched, by `Lane.id`: other lanes may send pictures rarely, or never. */
  demand?(lanes: ReadonlyMap<string, Demand>): void;
  /** The newest picture of a lane, also of one that is not looked at. */
  refresh?(lane: string): Promise<LanePicture | undefined>;
  /** The newest progress of each streaming query, for `/api/queries`. */
  progress?(): readonly StreamingQueryProgress[];
  /** The last progress reports of one lane, oldest first, and the plan of its query. */
  history?(lane: string): { progress: readonly StreamingQueryProgress[]; plan: string };
}
