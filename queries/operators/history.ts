// The last pictures of a camera: the only state of the operators that compare frames with what was
// before.
import type { Frame } from "../../runtime/mod.ts";
import { sameShape, type SmallLuma } from "./luma.ts";

/** A remembered picture. */
export interface Remembered {
  readonly offset: number;
  readonly timestamp: number;
  readonly luma: SmallLuma;
}

/** What a history remembers. */
export interface HistoryOptions {
  /** Most pictures. */
  readonly pictures: number;
  /** Least capture time between two of them, milliseconds. */
  readonly intervalMs: number;
  /** A longer pause between two frames, or a step back in time, empties it. */
  readonly maxGapMs: number;
}

/**
 * Remembers a bounded number of pictures, chosen by capture time. What it holds after a frame
 * depends on nothing older than the oldest picture that it holds: another history that is shown the
 * frames from there on holds the same. That makes a restart exact.
 */
export class History {
  readonly #options: HistoryOptions;
  #pictures: Remembered[] = [];
  #sums = new Uint32Array();
  #previous: { readonly timestamp: number; readonly session: string | undefined } | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** Oldest first. */
  get pictures(): readonly Remembered[] {
    return this.#pictures;
  }

  /** Sample by sample the sum over all pictures, exact. */
  get sums(): Uint32Array {
    return this.#sums;
  }

  /** The oldest source offset that this history came from. */
  get oldestOffset(): number | undefined {
    return this.#pictures[0]?.offset;
  }

  /**
   * Takes notice of the next frame. Forgets everything where it does not continue from the one before.
   *
   * @returns true when enough time has passed since the last picture to `add` this one; room has been
   * made for it then, so that what it is compared with lasts as long as it does.
   */
  isDue(frame: Frame, luma: SmallLuma): boolean {
    const { timestamp, headers: { session } } = frame;
    const { pictures, intervalMs, maxGapMs } = this.#options;
    const previous = this.#previous;
    this.#previous = { timestamp, session };
    const last = this.#pictures.at(-1);
    if (last === undefined || previous === undefined) return true;
    const pause = Math.abs(timestamp - previous.timestamp) > maxGapMs;
    if (pause || previous.session !== session || !sameShape(luma, last.luma)) {
      this.#pictures = [];
      return true;
    }
    if (timestamp - last.timestamp < intervalMs) return false;
    if (this.#pictures.length === pictures) {
      const old = this.#pictures.shift()!.luma.data;
      for (let i = 0; i < old.length; i++) this.#sums[i]! -= old[i]!;
    }
    return true;
  }

  /** Remembers a frame that is due. */
  add(frame: Frame, luma: SmallLuma): void {
    const { data } = luma;
    if (this.#pictures.length === 0) this.#sums = new Uint32Array(data.length);
    for (let i = 0; i < data.length; i++) this.#sums[i]! += data[i]!;
    this.#pictures.push({ offset: frame.offset, timestamp: frame.timestamp, luma });
  }
}
