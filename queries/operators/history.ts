// The last pictures of a camera: the state of operators that compare frames with earlier ones.
import type { Frame } from "../../runtime/mod.ts";
import type { SmallLuma } from "./luma.ts";

export interface Remembered {
  readonly offset: number;
  readonly timestamp: number;
  readonly luma: SmallLuma;
}

/** A longer pause between two frames, or step back in time, clears a history. */
const MAX_GAP_MS = 10_000;

export interface HistoryOptions {
  /** The most pictures to keep. */
  readonly pictures: number;
  /** Shortest capture time between two pictures, milliseconds. */
  readonly intervalMs: number;
}

/** Keeps the last pictures by capture time. A restart from the oldest one is exact. */
export class History {
  readonly #options: HistoryOptions;
  #pictures: Remembered[] = [];
  #sums = new Uint32Array();
  #previous: { readonly timestamp: number; readonly session: string | undefined } | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  get pictures(): readonly Remembered[] {
    return this.#pictures;
  }

  /** The exact sums of all pictures, sample by sample. */
  get sums(): Uint32Array {
    return this.#sums;
  }

  get oldestOffset(): number | undefined {
    return this.#pictures[0]?.offset;
  }

  /**
   * Checks the next frame, and clears the history if the frame does not continue it.
   *
   * @returns true if enough time has passed since the last picture to `add` this one; the oldest
   * one is then already removed, so that comparisons use the pictures that stay.
   */
  isDue(frame: Frame, luma: SmallLuma): boolean {
    const { timestamp, headers: { session } } = frame;
    const { pictures, intervalMs } = this.#options;
    const previous = this.#previous;
    this.#previous = { timestamp, session };
    const last = this.#pictures.at(-1);
    if (last === undefined || previous === undefined) return true;
    const pause = Math.abs(timestamp - previous.timestamp) > MAX_GAP_MS;
    const { sourceWidth, sourceHeight } = last.luma;
    const sameSize = luma.sourceWidth === sourceWidth && luma.sourceHeight === sourceHeight;
    if (pause || previous.session !== session || !sameSize) {
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

  add(frame: Frame, luma: SmallLuma): void {
    const { data } = luma;
    if (this.#pictures.length === 0) this.#sums = new Uint32Array(data.length);
    for (let i = 0; i < data.length; i++) this.#sums[i]! += data[i]!;
    this.#pictures.push({ offset: frame.offset, timestamp: frame.timestamp, luma });
  }
}
