/**
 * Small pictures for small tiles: each is made once, for all who want it.
 *
 * @module
 */
import sharp from "sharp";
import type { LanePicture } from "../runtime/lanes.ts";
import { imageSize, imageType } from "./image.ts";
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
  /** Pictures with more pixels are never decoded here. Default 50 million. */
  readonly maxPixels?: number;
}

/** Sources less than this much wider than a tile are sent as they are. */
const WORTH_SCALING = 1.5;

/** The latest picture of one lane in one width. */
interface Slot {
  /** What is there, or is being made. */
  offset: number;
  result: Promise<ScaledPicture> | undefined;
  busy: boolean;
}

/** Scales pictures down to a few widths, a few at a time. */
export class Scaler {
  readonly #concurrency: number;
  readonly #quality: number;
  readonly #maxPixels: number;
  readonly #slots = new Map<string, Slot>();
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ concurrency = 2, quality = 72, maxPixels = 50e6 }: ScalerOptions = {}) {
    if (!Number.isInteger(concurrency) || concurrency < 1) {
      throw new RangeError(`Cannot scale ${concurrency} pictures at a time: expected 1 or more`);
    }
    this.#concurrency = concurrency;
    this.#quality = quality;
    this.#maxPixels = maxPixels;
  }

  /**
   * The picture, no wider than needed for a tile of `width` device pixels (0: as it is). While a
   * picture of the same lane and width is being made, callers get that one, even if it is older.
   */
  scaled(picture: LanePicture, width: number): ScaledPicture | Promise<ScaledPicture> {
    const size = imageSize(picture.bytes) ?? { width: 0, height: 0 };
    const target = targetWidth(size.width, width);
    const whole: ScaledPicture = {
      picture,
      contentType: imageType(picture.bytes),
      bytes: picture.bytes,
      sourceWidth: size.width,
      sourceHeight: size.height,
    };
    if (target === undefined || size.width * size.height > this.#maxPixels) return whole;
    const key = `${target} ${picture.lane}`;
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      this.#slots.set(key, slot = { offset: NaN, result: undefined, busy: false });
    }
    if (slot.result !== undefined && (slot.busy || slot.offset === picture.offset)) {
      return slot.result;
    }
    slot.offset = picture.offset;
    slot.busy = true;
    slot.result = this.#make(whole, target).finally(() => {
      slot.busy = false;
    });
    return slot.result;
  }

  /** Forgets the small pictures of lanes that are no longer there. */
  keepOnly(lanes: ReadonlySet<string>): void {
    for (const key of this.#slots.keys()) {
      if (!lanes.has(key.slice(key.indexOf(" ") + 1))) this.#slots.delete(key);
    }
  }

  async #make(whole: ScaledPicture, width: number): Promise<ScaledPicture> {
    await this.#enter();
    try {
      const bytes = await sharp(whole.bytes, { failOn: "none", limitInputPixels: this.#maxPixels })
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
