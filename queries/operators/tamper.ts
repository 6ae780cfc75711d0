// Tamper detection: a covered lens, a turned camera, a frozen or replaced feed.
import { checkOptions, type Frame, type Operator, range } from "../../runtime/mod.ts";
import { History } from "./history.ts";
import { type SmallLuma, smallLuma } from "./luma.ts";
import { withResult } from "./picture.ts";
import { rounded } from "./rounded.ts";

/** Options of `tamper`. */
export interface TamperOptions {
  /** Capture time between two checks, milliseconds; 500 by default. */
  readonly intervalMs?: number;
  /** How many checked pictures are averaged as the reference; 32 by default. */
  readonly referencePictures?: number;
  /**
   * A feed is certainly frozen after this long unchanged, milliseconds; 5,000 by default, or what the
   * reference pictures cover, if that is less.
   */
  readonly frozenMs?: number;
}

interface Tampering {
  readonly covered: number;
  readonly turned: number;
  readonly frozen: number;
}

/** About 80 by 60: averages out pixel noise, but keeps the layout of the scene. */
const SAMPLES = 4_800;
/** Luma difference to its neighbours below which a sample counts as flat. */
const FLAT = 6;
/** Shares of flat samples from which a lens is possibly and certainly covered. */
const FLAT_POSSIBLE = 0.93;
const FLAT_SURE = 0.995;
/** Correlations with the reference below which a camera was possibly and certainly turned. */
const CORRELATION_POSSIBLE = 0.75;
const CORRELATION_SURE = 0.25;
const MIN_REFERENCE = 4;
const NONE: Tampering = { covered: 0, turned: 0, frozen: 0 };

/**
 * Adds to each frame the scores `covered` (hardly any detail left), `turned` (the scene differs
 * from the last pictures: the camera was turned or its feed replaced) and `frozen` (pictures are
 * bit-identical, which no sensor delivers). `turned` falls again as the new scene becomes the
 * reference: an alert on it marks the moment.
 *
 * The state consists of the last checked pictures alone, so a restart, which rereads them,
 * continues with the same results. A pause of 10 s resets the reference. Frames between two checks
 * repeat the last scores.
 *
 * @throws {RangeError} naming every option that is out of range.
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
  } = options;
  const most = intervalMs * (referencePictures - 1);
  const { frozenMs = Math.min(5_000, most) } = options;
  checkOptions("use tamper options", options, {
    intervalMs: range({ min: 1, max: 60_000 }),
    referencePictures: range({ min: MIN_REFERENCE, max: 1000, whole: true }),
    frozenMs: range({ min: 1, max: most }),
  });
  return {
    name: `tamper(frozenMs=${frozenMs})`,
    kind: "window",
    open() {
      const history = new History({ pictures: referencePictures, intervalMs });
      let scores = NONE;
      return {
        async process(frame) {
          const luma = await smallLuma(frame, SAMPLES);
          if (history.isDue(frame, luma)) {
            scores = check(luma, frame.timestamp, history, frozenMs);
            history.add(frame, luma);
          }
          return [withResult(frame, { scores: { ...scores } })];
        },
        restartOffset: () => history.oldestOffset,
      };
    },
  };
}

function check(luma: SmallLuma, now: number, history: History, frozenMs: number): Tampering {
  const covered = ramp(flatness(luma), FLAT_POSSIBLE, FLAT_SURE);
  const { pictures, sums } = history;
  const turned = pictures.length < MIN_REFERENCE
    ? 0
    : (1 - covered) * ramp(correlation(luma.data, sums), CORRELATION_POSSIBLE, CORRELATION_SURE);
  let since = now;
  for (let i = pictures.length - 1; i >= 0; i--) {
    if (!sameSamples(pictures[i]!.luma.data, luma.data)) break;
    since = pictures[i]!.timestamp;
  }
  return {
    covered: rounded(covered),
    turned: rounded(turned),
    frozen: rounded(ramp(now - since, 0, frozenMs)),
  };
}

/** The share of samples that hardly differ from their right and lower neighbours. */
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

/** Correlation, −1 to 1, independent of brightness and contrast. 1 if one of the two is flat. */
function correlation(a: Uint8Array, b: Uint32Array): number {
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

/** 0 up to `begin`, 1 from `sure`, linear in between. */
function ramp(value: number, begin: number, sure: number): number {
  return Math.min(1, Math.max(0, (value - begin) / (sure - begin)));
}
