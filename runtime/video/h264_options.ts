// Options of the H.264 encoder.
import { oneOf, range } from "../base/options.ts";

/** x264's presets that are fast enough for live video, fastest first. */
export type H264Preset = "ultrafast" | "superfast" | "veryfast" | "faster" | "fast" | "medium";

/** How to encode H.264. */
export interface H264Options {
  /** Default `superfast`. */
  readonly preset?: H264Preset;
  /** Constant rate factor: 0 (no loss) to 51 (bad). Default 23. */
  readonly crf?: number;
}

/** What each option accepts. */
export const H264_ROWS = {
  preset: oneOf("ultrafast", "superfast", "veryfast", "faster", "fast", "medium"),
  crf: range({ min: 0, max: 51 }),
};
