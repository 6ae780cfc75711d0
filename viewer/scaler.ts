/**
 * Small pictures for small tiles: each is made once, for all who want it.
 *
 * @module
 */
import type { LanePicture } from "../runtime/lanes.ts";
import { DEFAULT_MAX_PIXELS } from "../runtime/image/inspect.ts";
import { pictureInfo } from "./picture.ts";

/** A picture in the size that it is sent in. */
export interface ScaledPicture {
  readonly picture: LanePicture;
  readonly contentType: string;
  readonly bytes: Uint8Array;
  /** Of the picture before scaling; 0 when its header cannot be read. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
}

/** How the scaler works. */
export interface ScalerOptions {
  /** Cores that live pictures may take all together. Default a fifth of the machine's. */
  readonly cores?: number;
  /** Quality of the small JPEGs, 1 to 100. Default 72. */
  readonly quality?: number;
  /** Pictures with more pixels are never decoded here. Default 64 million. */
  readonly maxPixels?: number;
}

/** JPEG decoders halve, quarter and eighth for next to nothing: those are the sizes there are. */
const MOST_HALVINGS = 3;
/** A picture may be this much narrower than its tile. */
const ENOUGH = 0.9;
/** Work that may be done ahead of the budget, milliseconds. */
const BURST_MS = 250;
/** Live pictures that may wait for their turn; what would wait longer is sent as it is. */
const MOST_WAITING = 6;

/** A picture in all sizes that it was wanted in. */
interface Sizes {
  readonly whole: ScaledPicture;
  readonly small: Map<number, Promise<ScaledPicture>>;
}

/**
 * Scales pictures down to a few sizes, within a budget of processor time: what queries need comes
 * first.
 */
export class Scaler {
  readonly #cores: number;
  readonly #concurrency: number;
  readonly #quality: number;
  readonly #maxPixels: number;
  /** Gone when the picture is. */
  readonly #sizes = new WeakMap<LanePicture, Sizes>();
  /** What is being made of live lanes, by width and lane. */
  readonly #busy = new Map<string, Promise<ScaledPicture>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** Milliseconds of work that may be done now, as of `#since`. */
  #budget = BURST_MS;
  #since = performance.now();

  constructor(
    {
      cores = navigator.hardwareConcurrency / 5,
      quality = 72,
      maxPixels = DEFAULT_MAX_PIXELS,
    }: ScalerOptions = {},
  ) {
    if (!(cores > 0)) {
      throw new RangeError(`Cannot scale with ${cores} cores: expected a number above 0`);
    }
    this.#cores = cores;
    this.#concurrency = Math.ceil(cores);
    this.#quality = quality;
    this.#maxPixels = maxPixels;
  }

  /** The picture, no wider than needed for a tile of `width` device pixels (0: as it is). */
  scaled(picture: LanePicture, width: number): ScaledPicture | Promise<ScaledPicture> {
    const { whole, small } = this.#sizesOf(picture);
    const target = targetWidth(whole.sourceWidth, width);
    if (target === undefined) return whole;
    let made = small.get(target);
    if (made === undefined) small.set(target, made = this.#make(whole, target));
    return made;
  }

  /**
   * The same for a lane's newest picture: while an older one of the lane is being made in this size,
   * that one is given, so that a lane never has more than one in work.
   *
   * @returns undefined when there is no time to make it now.
   */
  live(picture: LanePicture, width: number): ScaledPicture | Promise<ScaledPicture> | undefined {
    const { whole, small } = this.#sizesOf(picture);
    const target = targetWidth(whole.sourceWidth, width);
    if (target === undefined) return whole;
    const key = `${target} ${picture.lane}`;
    const known = small.get(target) ?? this.#busy.get(key);
    if (known !== undefined) return known;
    if (!this.#hasTime()) return undefined;
    const made = this.#make(whole, target);
    small.set(target, made);
    this.#busy.set(key, made);
    void made.finally(() => this.#busy.delete(key));
    return made;
  }

  /** The picture as it is. */
  whole(picture: LanePicture): ScaledPicture {
    return this.#sizesOf(picture).whole;
  }

  #hasTime(): boolean {
    const now = performance.now();
    this.#budget = Math.min(BURST_MS, this.#budget + (now - this.#since) * this.#cores);
    this.#since = now;
    return this.#budget > 0 && this.#waiting.length < MOST_WAITING;
  }

  #sizesOf(picture: LanePicture): Sizes {
    let sizes = this.#sizes.get(picture);
    if (sizes === undefined) {
      const { contentType, width, height } = pictureInfo(picture.bytes);
      const whole: ScaledPicture = {
        picture,
        contentType,
        bytes: picture.bytes,
        sourceWidth: width,
        sourceHeight: height,
      };
      this.#sizes.set(picture, sizes = { whole, small: new Map() });
    }
    return sizes;
  }

  async #make(whole: ScaledPicture, width: number): Promise<ScaledPicture> {
    await this.#enter();
    const begun = performance.now();
    try {
      // Loaded when the first small picture is wanted: libvips takes its time and memory.
      const { default: sharp } = await import("sharp");
      const bytes = await sharp(whole.bytes, { failOn: "none", limitInputPixels: this.#maxPixels })
        .autoOrient()
        .resize({ width, kernel: "linear", fastShrinkOnLoad: true })
        .jpeg({ quality: this.#quality })
        .toBuffer();
      return { ...whole, bytes, contentType: "image/jpeg" };
    } catch {
      return whole; // a picture that cannot be scaled is still the lane's picture: the page decides
    } finally {
      // As long as it took: on a busy machine there is less to spare.
      this.#budget -= performance.now() - begun;
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #enter(): Promise<void> {
    while (this.#running >= this.#concurrency) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
  }
}

/** The width to scale to, or undefined when the picture should stay as it is. */
export function targetWidth(sourceWidth: number, tileWidth: number): number | undefined {
  if (tileWidth <= 0 || sourceWidth === 0) return undefined;
  for (let halvings = MOST_HALVINGS; halvings > 0; halvings--) {
    const width = Math.round(sourceWidth / 2 ** halvings);
    if (width >= tileWidth * ENOUGH) return width;
  }
  return undefined;
}
