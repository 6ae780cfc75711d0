// Options of the H.264 encoder.
import { shown } from "../base/options.ts";

/** x264's presets that are fast enough for live video, fastest first. */
export type H264Preset = "ultrafast" | "superfast" | "veryfast" | "faster" | "fast" | "medium";

const PRESETS = ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"];

/** How to encode H.264. */
export interface H264Options {
  /** Default `superfast`. */
  readonly preset?: H264Preset;
  /** Constant rate factor: 0 (no loss) to 51 (bad). Default 23. */
  readonly crf?: number;
}

/** @throws {RangeError} saying which option was given and what is accepted. */
export function checkH264Options({ preset, crf }: H264Options): void {
  if (preset !== undefined && !PRESETS.includes(preset)) {
    throw new RangeError(
      `Cannot use preset ${shown(preset)}: expected ${PRESETS.join(", ")}`,
    );
  }
  if (crf !== undefined && !(crf >= 0 && crf <= 51)) {
    throw new RangeError(`Cannot use crf ${crf}: expected a number from 0 to 51`);
  }
}
