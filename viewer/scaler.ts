// Scales pictures for small tiles, once for all viewers.
import { Semaphore } from "../runtime/base/wait.ts";
import type { LanePicture } from "../runtime/lanes.ts";
import { pictureInfo } from "./picture.ts";
import { Reducer } from "./reducer.ts";
import { loadSharp } from "../runtime/image/sharp.ts";

export interface ScaledPicture {
  readonly picture: LanePicture;
  readonly contentType: string;
  readonly bytes: Uint8Array;
  /** Size before scaling; 0 if the header cannot be read. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
}

/** JPEG decoders reduce by 2, 4 and 8 at almost no cost, so these are the available sizes. */
const DENOMINATORS = [8, 4, 2] as const;
type Denominator = typeof DENOMINATORS[number];
/** Minimum ratio of picture width to tile width. */
const ENOUGH = 0.9;
/** Total cores available to live pictures. */
const CORES = navigator.hardwareConcurrency / 5;
/** Quality of the small JPEGs, 1 to 100. */
const QUALITY = 72;
/** Work that may exceed the budget, milliseconds. */
const BURST_MS = 250;
/** Cost factor of the low-priority thread, which uses idle time. */
const IDLE_TIME_COST = 0.5;
/**
 * With this many pictures in progress, another live one is sent unscaled, since it would wait for too long.
 */
const MOST_WANTED = 6 + Math.ceil(CORES);

interface Sizes {
  readonly whole: ScaledPicture;
  /** See `PictureInfo`. */
  readonly components: 1 | 3 | undefined;
  readonly small: Map<Denominator, Promise<ScaledPicture>>;
}

/** Scales pictures down to a few sizes within a budget of processor time, so that queries come first. */
export class Scaler {
  /** Entries disappear with their pictures. */
  readonly #sizes = new WeakMap<LanePicture, Sizes>();
  readonly #reducer = new Reducer();
  /** Pictures of live lanes in progress, by size and lane. */
  readonly #busy = new Map<string, Promise<ScaledPicture>>();
  readonly #turn = new Semaphore(Math.ceil(CORES));
  /** Number of pictures in progress or waiting. */
  #wanted = 0;
  /** Remaining budget in milliseconds, as of `#since`. */
  #budget = BURST_MS;
  #since = performance.now();

  /** The picture, no wider than needed for a tile of `width` device pixels (0: original size). */
  scaled(picture: LanePicture, width: number): ScaledPicture | Promise<ScaledPicture> {
    const sizes = this.#sizesOf(picture);
    const denominator = denominatorFor(sizes.whole.sourceWidth, width);
    if (denominator === undefined) return sizes.whole;
    return sizes.small.get(denominator) ?? this.#make(sizes, denominator);
  }

  /**
   * The same for a lane's newest picture. Returns an older picture of the lane if that is already being made
   * in this size, so that a lane has at most one in progress.
   *
   * @returns undefined if there is no time to make it now
   */
  live(picture: LanePicture, width: number): ScaledPicture | Promise<ScaledPicture> | undefined {
    const sizes = this.#sizesOf(picture);
    const denominator = denominatorFor(sizes.whole.sourceWidth, width);
    if (denominator === undefined) return sizes.whole;
    const key = `${denominator} ${picture.lane}`;
    const known = sizes.small.get(denominator) ?? this.#busy.get(key);
    if (known !== undefined) return known;
    if (!this.#hasTime()) return undefined;
    const made = this.#make(sizes, denominator);
    this.#busy.set(key, made);
    void made.finally(() => this.#busy.delete(key));
    return made;
  }

  whole(picture: LanePicture): ScaledPicture {
    return this.#sizesOf(picture).whole;
  }

  close(): void {
    this.#reducer.close();
  }

  #hasTime(): boolean {
    const now = performance.now();
    this.#budget = Math.min(BURST_MS, this.#budget + (now - this.#since) * CORES);
    this.#since = now;
    return this.#budget > 0 && this.#wanted < MOST_WANTED;
  }

  #sizesOf(picture: LanePicture): Sizes {
    let sizes = this.#sizes.get(picture);
    if (sizes === undefined) {
      const { contentType, width, height, components } = pictureInfo(picture.bytes);
      const whole: ScaledPicture = {
        picture,
        contentType,
        bytes: picture.bytes,
        sourceWidth: width,
        sourceHeight: height,
      };
      this.#sizes.set(picture, sizes = { whole, components, small: new Map() });
    }
    return sizes;
  }

  #make(sizes: Sizes, denominator: Denominator): Promise<ScaledPicture> {
    const made = this.#scale(sizes, denominator);
    sizes.small.set(denominator, made);
    return made;
  }

  async #scale({ whole, components }: Sizes, denominator: Denominator): Promise<ScaledPicture> {
    this.#wanted++;
    try {
      const bytes = await this.#turn.run(async () =>
        (components && await this.#reduce(whole, components, denominator)) ??
          await this.#resize(whole, denominator)
      );
      return { ...whole, bytes, contentType: "image/jpeg" };
    } catch {
      return whole; // send the picture as it is: the page may still show it
    } finally {
      this.#wanted--;
    }
  }

  async #reduce(
    { bytes, sourceWidth: width, sourceHeight: height }: ScaledPicture,
    components: 1 | 3,
    denominator: Denominator,
  ): Promise<Uint8Array | undefined> {
    const size = { width, height, components };
    const reply = await this.#reducer.reduce(bytes, { size, denominator, quality: QUALITY });
    // Elapsed time: a busy machine has less to spare.
    this.#budget -= reply.ms * IDLE_TIME_COST;
    return reply.bytes;
  }

  /**
   * Scales what `#reduce` cannot: other formats, rotated or damaged pictures, systems without libjpeg-turbo.
   */
  async #resize(
    { bytes, sourceWidth }: ScaledPicture,
    denominator: Denominator,
  ): Promise<Uint8Array> {
    const begun = performance.now();
    try {
      const open = await loadSharp();
      return await open(bytes, { failOn: "none" })
        .autoOrient()
        .resize({
          width: Math.ceil(sourceWidth / denominator),
          kernel: "linear",
          fastShrinkOnLoad: true,
        })
        .jpeg({ quality: QUALITY })
        .toBuffer();
    } finally {
      this.#budget -= performance.now() - begun;
    }
  }
}

/** The factor to reduce a picture by; undefined for its original size. */
function denominatorFor(sourceWidth: number, tileWidth: number): Denominator | undefined {
  if (tileWidth <= 0 || sourceWidth === 0) return undefined;
  return DENOMINATORS.find((each) => Math.ceil(sourceWidth / each) >= tileWidth * ENOUGH);
}
