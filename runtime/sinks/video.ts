// The `video:DIR` sink: a playable file for each partition.
import { checkOptions } from "../base/fields.ts";
import { ABOVE_ZERO, FOLDER, oneOf } from "../base/options.ts";
import { checkOutput } from "../definition/result.ts";
import type { Sink } from "../definition/sink.ts";
import { H264_ROWS, type H264Options } from "../video/h264_options.ts";
import { openFolder } from "./files/failure.ts";

/** Options of `video`. */
export interface VideoOptions extends H264Options {
  /** The folder, created if necessary; `{query}` stands for the query's name. Default `video`. */
  readonly directory?: string;
  /** `mp4` (H.264, default) or `avi` (Motion JPEG: JPEGs are not re-encoded). */
  readonly format?: "mp4" | "avi";
  /** Starts a new file after this many milliseconds of capture time. Default: one file. */
  readonly rollMs?: number;
  /** Starts a new file after this many bytes. Default: one file. */
  readonly rollBytes?: number;
  /** Longest time between seek points, which is also repeated after a crash. Default 2 000. */
  readonly groupMs?: number;
}

/** Options of the encoder, which AVI has no use for. */
const MP4_ALONE = { accepted: "it with format mp4 alone", takes: () => false };
const NOT_ENCODED: typeof H264_ROWS = { preset: MP4_ALONE, crf: MP4_ALONE };

/**
 * Writes pictures to `DIR/CAMERA-n.mp4` (rolled files, and those after a change of size, are named
 * by their first offset: `CAMERA-1.000000000123.mp4`), exactly once, each at its capture time. A
 * file can be played at any time, even after a crash, up to at least the last commit. It gets a
 * regular index when the query stops, and is extended at the next start. If it is removed, moved
 * away or changed meanwhile, the query restarts and begins another one.
 *
 * After a crash the sink rereads the current group of pictures, so that the bytes are those of a
 * run without a crash. Pictures that cannot be decoded are skipped and reported. H.264 drops the
 * last column or row of an odd width or height. Each camera's files belong to one query.
 *
 * @example
 * ```ts
 * import { video } from "./video.ts";
 *
 * const sink = video({ directory: "recordings", rollMs: 600_000 });
 * sink.uri; // "video:recordings"
 * ```
 */
export function video(options: VideoOptions = {}): Sink {
  const {
    directory = "video",
    format = "mp4",
    rollMs = Infinity,
    rollBytes = Infinity,
    preset = "superfast",
    crf = 23,
    groupMs = 2000,
  } = options;
  checkOptions("write video", options, {
    directory: FOLDER,
    format: oneOf("mp4", "avi"),
    rollMs: ABOVE_ZERO,
    rollBytes: ABOVE_ZERO,
    groupMs: ABOVE_ZERO,
    ...format === "avi" ? NOT_ENCODED : H264_ROWS,
  });
  return {
    uri: `video:${directory}`,
    delivery: "exactly-once",
    opens: { writes: [directory] },
    check: checkOutput,
    open: (context) =>
      openFolder(directory, "video", context, async (root) => {
        const { openVideo } = await import("./files/video_task.ts");
        return openVideo(root, { format, rollMs, rollBytes, groupMs, preset, crf }, context);
      }),
  };
}
