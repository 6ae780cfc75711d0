// Windows: ordered lists of frames of one partition, by count or by capture time, resampled if a
// model needs another frame rate.
//
// Windows depend on the frames and the options alone, not on batches, restarts or executors: a
// restart goes back to `restartPoint()`, whose small state describes the grid just before that
// frame.
import { checkWindowOptions, type WindowOptions } from "./window_options.ts";
import { cutOf } from "./base.ts";
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
  // Its ticks and its grid would be others.
  if (state?.cut !== undefined && state.cut !== cutOf(checked)) state = undefined;
  return checked.frames !== undefined
    ? new CountWindower(checked, state)
    : new TimeWindower(checked, state);
}
