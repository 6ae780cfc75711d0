// Tampering: a covered lens, a turned camera, a frozen or replaced feed.
import type { Frame, Operator } from "../../runtime/mod.ts";
import { History } from "./history.ts";
import { type SmallLuma, smallLuma } from "./luma.ts";
import { checkNumbers } from "./options.ts";
import { withResult } from "./picture.ts";
import { rounded } from "./rounded.ts";

/** How to look for tampering. */
export interface TamperOptions {
  /** Capture time between two looks, milliseconds; 500 unless given. */
  readonly intervalMs?: number;
  /** Looks that make the reference, their mean; 32 unless given. */
  readonly referencePictures?: number;
  /** Identical pictures for this long are a frozen feed for sure, milliseconds; 5,000 unless given. */
  readonly frozenMs?: number;
  /** A longer pause begins a new reference, milliseconds; 10,000 unless given. */
  readonly maxGapMs?: number;
}

/** Scores from 0 to 1. */
interface Tampering {
  readonly covered: number;
  readonly turned: number;
  readonly frozen: number;
}

/** About 80 by 60: the noise of single pixels is gone, the layout of the scene is not. */
const SAMPLES = 4_800;
/** Luma steps between neighbours below which a spot counts as flat. */
const FLAT = 6;
/** Shares of flat spots from which a lens begins to look covered, and where it certainly is. */
const FLAT_BEGIN = 0.93;
const FLAT_SURE = 0.995;
/** Likenesses to the reference below which a camera begins to look turned, and certainly is. */
const LIKE_BEGIN = 0.75;
const LIKE_SURE = 0.25;
/** Looks before there is a reference to compare with. */
const MIN_REFERENCE = 4;
const NONE: Tampering = { covered: 0, turned: 0, frozen: 0 };

/**
 * Gives each frame the scores `covered` (hardly any detail left), `turned` (the scene is not the one
 * of the last pictures: the camera was turned or its feed replaced) and `frozen` (pictures are
 * identical to the last bit, which no sensor delivers). `turned` falls again as the new scene
 * becomes the reference: an alert on it marks the moment.
 *
 * The state is the last looks and nothing else, so a restart, which reads their frames again, continues
 * with the same results. Frames between two looks carry the scores of the last.
 *
 * @throws {RangeError} naming every option that is out of its bounds.
 *
 * @example
 * ```ts
 * import { tamper } from "./tamper.ts";
 *
 * const patient = tamper({ frozenMs: 20_000, referencePictures: 60 });
 * console.log(patient.name);
 * ```
 */
export function tamper(options: TamperOptions = {}): Operator<Frame, Frame> {
  const {
    intervalMs = 500,
    referencePictures = 32,
    frozenMs = 5_000,
    maxGapMs = 10_000,
  } = options;
  checkNumbers("tamper", { intervalMs, referencePictures, frozenMs, maxGapMs }, {
    intervalMs: { min: 1, max: 60_000 },
    referencePictures: { min: MIN_REFERENCE, max: 1000, whole: true },
    frozenMs: { min: 1, max: intervalMs * (referencePictures - 1) },
    maxGapMs: { min: 1, max: 86_400_000 },
  });
  return {
    name: `tamper(frozenMs=${frozenMs})`,
    kind: "window",
    open() {
      const history = new History({ pictures: referencePictures, intervalMs, maxGapMs });
      let scores = NONE;
      return {
        async process(frame) {
          const luma = await smallLuma(frame, SAMPLES);
          if (history.isDue(frame, luma)) {
            scores = look(luma, frame.timestamp, history, frozenMs);
            history.add(frame, luma);
          }
          return [withResult(frame, { scores: { ...scores } })];
        },
        restartOffset: () => history.oldestOffset,
      };
    },
  };
}

function look(luma: SmallLuma, now: number, history: History, frozenMs: number): Tampering {
  const covered = ramp(flatness(luma), FLAT_BEGIN, FLAT_SURE);
  const { pictures, sums } = history;
  const turned = pictures.length < MIN_REFERENCE
    ? 0
    : (1 - covered) * ramp(likeness(luma.data, sums), LIKE_BEGIN, LIKE_SURE);
  let since = now;
  for (let i = pictures.length - 1; i >= 0; i--) {
    if (!sameSamples(pictures[i]!.luma.data, luma.data)) break;
    since = pictures[i]!.timestamp;
  }
  return {
    covered: rounded(covered),
    turned: rounded(turned),
    frozen: rounded(Math.min(1, (now - since) / frozenMs)),
  };
}

/** Share of spots that hardly differ from their right and lower neighbours. */
function flatness({ data, width, height }: SmallLuma): number {
  let flat = 0, spots = 0;
  for (let y = 0; y + 1 < height; y++) {
    for (let x = 0; x + 1 < width; x++) {
      const at = y * width + x;
      const value = data[at]!;
      const step = Math.abs(data[at + 1]! - value) + Math.abs(data[at + width]! - value);
      if (step < FLAT) flat++;
      spots++;
    }
  }
  return spots === 0 ? 0 : flat / spots;
}

/** Correlation, −1 to 1: blind to brightness and contrast. 1 where one of the two is flat. */
function likeness(a: Uint8Array, b: Uint32Array): number {
  let sumA = 0, sumB = 0;
  for (let i = 0; i < a.length; i++) {
    sumA += a[i]!;
    sumB += b[i]!;
  }
  const meanA = sumA / a.length, meanB = sumB / a.length;
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) {
    const da = a[i]! - meanA, db = b[i]! - meanB;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return aa === 0 || bb === 0 ? 1 : ab / Math.sqrt(aa * bb);
}

function sameSamples(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** 0 up to `begin`, 1 from `sure` on, a straight line between them. */
function ramp(value: number, begin: number, sure: number): number {
  return Math.min(1, Math.max(0, (value - begin) / (sure - begin)));
}
