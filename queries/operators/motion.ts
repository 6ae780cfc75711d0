// Motion detection: how much of the picture moves, and where.
import {
  checkOptions,
  type DetectedObject,
  type Frame,
  type Operator,
  range,
} from "../../runtime/mod.ts";
import { History } from "./history.ts";
import { type SmallLuma, smallLuma } from "./luma.ts";
import { withResult } from "./picture.ts";
import { rounded } from "./rounded.ts";

/** Options of `motion`. */
export interface MotionOptions {
  /** Luma difference, of 255, from which a sample has changed; 20 by default. */
  readonly threshold?: number;
  /** Smallest region to report, as a share of the picture; 0.001 by default. */
  readonly minRegion?: number;
}

/** About 160 by 120: fine enough for a distant person, small enough to be cheap. */
export const MOTION_SAMPLES = 19_200;
/** Pictures in the background model, and the capture time between two of them, milliseconds. */
const BACKGROUND = { pictures: 15, intervalMs: 200 };
const THRESHOLD = 20;
/** Most regions to report, largest first. */
const MOST_REGIONS = 16;
/** Samples along the side of a block, the unit of regions. */
const BLOCK = 4;
/** Changed samples from which a block belongs to a region. */
const BLOCK_CHANGED = 4;

/**
 * Compares each frame with the last pictures: a sample has changed if it differs from most of them,
 * so that moving objects leave no trace. A pause of 10 s resets the background. The result contains the score `motion` (the changed share
 * of the picture, 0 to 1) and the moving regions as objects `motion`, whose score is the changed
 * share of their blocks' samples. Frames keep their bytes.
 *
 * The state consists of the last pictures alone, so a restart, which rereads them, continues with
 * the same results.
 *
 * @throws {RangeError} naming every option that is out of range.
 *
 * @example
 * ```ts
 * import { motion } from "./motion.ts";
 *
 * const sensitive = motion({ threshold: 10, minRegion: 0.0005 });
 * console.log(sensitive.name);
 * ```
 */
export function motion(options: MotionOptions = {}): Operator<Frame, Frame> {
  checkOptions("use motion options", options, MOTION_ROWS);
  return {
    name: `motion(threshold=${options.threshold ?? THRESHOLD})`,
    kind: "window",
    open() {
      const history = motionHistory();
      return {
        async process(frame) {
          const luma = await smallLuma(frame, MOTION_SAMPLES);
          const due = history.isDue(frame, luma);
          const { energy, objects } = motionOf(luma, history, options);
          if (due) history.add(frame, luma);
          const { offset, timestamp } = frame;
          return [withResult(frame, {
            scores: { motion: energy },
            frames: [{ offset, timestamp, objects }],
          })];
        },
        restartOffset: () => history.oldestOffset,
      };
    },
  };
}

/** What each option accepts. */
export const MOTION_ROWS = {
  threshold: range({ min: 1, max: 254 }),
  minRegion: range({ min: 0, max: 1 }),
};

/** The history that pictures are compared with. */
export function motionHistory(): History {
  return new History(BACKGROUND);
}

/** The motion in a picture. */
export interface Motion {
  readonly energy: number;
  readonly objects: readonly DetectedObject[];
}

/** Compares a picture with the earlier ones. */
export function motionOf(
  luma: SmallLuma,
  { pictures }: History,
  { threshold = THRESHOLD, minRegion = 0.001 }: MotionOptions,
): Motion {
  if (pictures.length === 0) return { energy: 0, objects: [] };
  const { data, width, height, factor, sourceWidth, sourceHeight } = luma;
  const differing = new Uint16Array(data.length);
  for (const { luma: { data: before } } of pictures) {
    for (let i = 0; i < data.length; i++) {
      if (Math.abs(data[i]! - before[i]!) > threshold) differing[i]!++;
    }
  }
  const columns = Math.ceil(width / BLOCK);
  const blocks = new Uint8Array(columns * Math.ceil(height / BLOCK));
  const most = pictures.length / 2;
  let changed = 0;
  for (let y = 0, at = 0; y < height; y++) {
    const row = (y / BLOCK | 0) * columns;
    for (let x = 0; x < width; x++, at++) {
      if (differing[at]! <= most) continue;
      changed++;
      blocks[row + (x / BLOCK | 0)]!++;
    }
  }
  for (let i = 0; i < blocks.length; i++) if (blocks[i]! < BLOCK_CHANGED) blocks[i] = 0;
  const side = BLOCK * factor;
  const objects = connectedRegions(blocks, columns)
    .filter(({ cells }) => cells * BLOCK * BLOCK >= minRegion * data.length)
    .slice(0, MOST_REGIONS)
    .map(({ left, top, right, bottom, cells, weight }): DetectedObject => ({
      label: "motion",
      score: rounded(weight / (cells * BLOCK * BLOCK)),
      box: [
        left * side,
        top * side,
        Math.min(right * side, sourceWidth),
        Math.min(bottom * side, sourceHeight),
      ],
    }));
  return { energy: rounded(changed / data.length), objects };
}

interface Region {
  /** In cells; right and bottom are the first that lie outside. */
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly cells: number;
  readonly weight: number;
}

/**
 * Finds the regions of cells that touch each other, also at their corners.
 *
 * @param weights one weight a cell, row by row; 0 belongs to no region
 * @param width cells in a row
 * @returns the regions, the one with the most cells first; of equal ones the upper left one.
 */
function connectedRegions(weights: ArrayLike<number>, width: number): Region[] {
  const height = Math.floor(weights.length / width);
  const seen = new Uint8Array(width * height);
  const stack: number[] = [];
  const regions: Region[] = [];
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] !== 0 || weights[start]! <= 0) continue;
    let left = width, top = height, right = 0, bottom = 0, cells = 0, weight = 0;
    seen[start] = 1;
    stack.push(start);
    while (stack.length > 0) {
      const cell = stack.pop()!;
      const x = cell % width, y = (cell - x) / width;
      cells++;
      weight += weights[cell]!;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const neighbour = ny * width + nx;
          if (seen[neighbour] !== 0 || weights[neighbour]! <= 0) continue;
          seen[neighbour] = 1;
          stack.push(neighbour);
        }
      }
    }
    regions.push({ left, top, right, bottom, cells, weight });
  }
  return regions.sort((a, b) => b.cells - a.cells || a.top - b.top || a.left - b.left);
}
