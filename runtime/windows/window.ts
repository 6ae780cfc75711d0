// Windows: ordered lists of frames of one partition, cut from the stream by count or by capture
// time, resampled if a model wants another frame rate.
//
// The windows are a function of the frames and the options alone. How the frames came in batches,
// where the process restarted and which executor ran it changes nothing: a restart goes back to
// `restartPoint()`, whose small state says how the grid lay just before that frame.
import { checkWindowOptions, type WindowOptions } from "./window_options.ts";
import { CountWindower } from "./count.ts";
import { TimeWindower } from "./time.ts";
import type { Windower, WindowerState } from "./windower.ts";

export type { RestartPoint, Windower, WindowerState } from "./windower.ts";

/**
 * Makes a windower for one partition.
 *
 * @example
 * ```ts
 * import { createWindower } from "./window.ts";
 * const windower = createWindower({ frames: 16, hop: 8, fps: 8 });
 * console.assert(windower.restartPoint() === undefined);
 * ```
 */
export function createWindower(options: WindowOptions, state?: WindowerState): Windower {
  const checked = checkWindowOptions(options);
  return checked.frames !== undefined
    ? new CountWindower(checked, state)
    : new TimeWindower(checked, state);
}
