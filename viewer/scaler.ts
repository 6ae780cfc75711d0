/**
 * Small pictures for small tiles: each is made once, for all who want it.
 *
 * @module
 */
import type { LanePicture } from "../runtime/lanes.ts";
import { pictureInfo } from "./picture.ts";
import { DEFAULT_MAX_PIXELS } from "../runtime/image/inspect.ts";
import { SCALED_WIDTHS } from "./protocol.ts";

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
  /** Pictures that are scaled at the same time. Default 2. */
  readonly concurrency?: number;
  /** Quality of the small JPEGs, 1 to 100. Default 72. */
  readonly quality?: number;
  /** Pictures with more pixels are never decoded here. Default 64 million. */
  readonly maxPixels?: number;
}

/** Sources less than this much wider than a tile are sent as they are. */
const WORTH_SCALING = 1.5;

/** A picture in all sizes that it was wanted in. */
interface Sizes {
  readonly whole: ScaledPicture;
  readonly small: Map<number, Promise<ScaledPicture>>;
}

/** Scales pictures down to a few widths, a few at a time. */
export class Scaler {
  readonly #concurrency: number;
  readonly #quality: number;
  readonly #maxPixels: number;
  /** Gone when the picture is. */
  readonly #sizes = new WeakMap<LanePicture, Sizes>();
  /** What is being made of live lanes, by width and lane. */
  readonly #busy = new Map<string, Promise<ScaledPicture>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(
    { concurrency = 2, quality = 72, maxPixels = DEFAULT_MAX_PIXELS }: ScalerOptions = {},
  ) {
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new RangeError(`Cannot scale ${concurrency} pictures at a time: expected 1 or more`);
    }
    this.#concurrency = concurrency;
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
   * The same for a lane's newest picture: while an older one of the lane is being made in this
   * width, that one is given, so that a lane never has more than one in work.
   */
  live(picture: LanePicture, width: number): ScaledPicture | Promise<ScaledPicture> {
    const target = targetWidth(this.#sizesOf(picture).whole.sourceWidth, width);
    const key = `${target} ${picture.lane}`;
    const busy = this.#busy.get(key);
    if (target !== undefined && busy !== undefined) return busy;
    const scaled = this.scaled(picture, width);
    if (scaled instanceof Promise) {
      this.#busy.set(key, scaled);
      void scaled.finally(() => this.#busy.delete(key));
    }
    return scaled;
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
    try {
      // Loaded when the first small picture is wanted: libvips takes its time and memory.
      const { default: sharp } = await import("sharp");
      const bytes = await sharp(whole.bytes, { failOn: "none", limitInputPixels: this.#maxPixels })
        .autoOrient()
        .resize({ width, kernel: "mitchell", fastShrinkOnLoad: true })
        .jpeg({ quality: this.#quality })
        .toBuffer();
      return { ...whole, bytes, contentType: "image/jpeg" };
    } catch {
      return whole; // a picture that cannot be scaled is still the lane's picture: the page decides
    } finally {
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
  const width = SCALED_WIDTHS.find((candidate) => candidate >= tileWidth);
  return width !== undefined && sourceWidth >= width * WORTH_SCALING ? width : undefined;
}
