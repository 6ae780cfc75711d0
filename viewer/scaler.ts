// Small pictures for small tiles: each is made once, for all who want it.
import { Semaphore } from "../runtime/base/wait.ts";
import type { LanePicture } from "../runtime/lanes.ts";
import { DEFAULT_MAX_PIXELS } from "../runtime/image/inspect.ts";
import { pictureInfo } from "./picture.ts";
import { Reducer } from "./reducer.ts";
import { loadSharp } from "../runtime/image/sharp.ts";

/** A picture in the size that it is sent in. */
export interface ScaledPicture {
  readonly picture: LanePicture;
  readonly contentType: string;
  readonly bytes: Uint8Array;
  /** Of the picture before scaling; 0 when its header cannot be read. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
}

/** JPEG decoders halve, quarter and eighth for next to nothing: those are the sizes there are. */
const DENOMINATORS = [8, 4, 2] as const;
type Denominator = typeof DENOMINATORS[number];
/** A picture may be this much narrower than its tile. */
const ENOUGH = 0.9;
/** Cores that live pictures may take all together. */
const CORES = navigator.hardwareConcurrency / 5;
/** Of the small JPEGs, 1 to 100. */
const QUALITY = 72;
/** Work that may be done ahead of the budget, milliseconds. */
const BURST_MS = 250;
/** The thread of the lowest priority uses idle time: half of it counts. */
const IDLE_TIME_COST = 0.5;
/** Pictures in work with which another live one is sent as it is: it would wait for too long. */
const MOST_WANTED = 6 + Math.ceil(CORES);

/** A picture in all sizes that it was wanted in. */
interface Sizes {
  readonly whole: ScaledPicture;
  /** See `PictureInfo`. */
  readonly components: 1 | 3 | undefined;
  readonly small: Map<Denominator, Promise<ScaledPicture>>;
}

/**
 * Scales pictures down to a few sizes, within a budget of processor time: what queries need comes
 * first.
 */
export class Scaler {
  /** Gone when the picture is. */
  readonly #sizes = new WeakMap<LanePicture, Sizes>();
  readonly #reducer = new Reducer();
  /** What is being made of live lanes, by size and lane. */
  readonly #busy = new Map<string, Promise<ScaledPicture>>();
  readonly #turn = new Semaphore(Math.ceil(CORES));
  /** Pictures that are made, or wait for their turn. */
  #wanted = 0;
  /** Milliseconds of work that may be done now, as of `#since`. */
  #budget = BURST_MS;
  #since = performance.now();

  /** The picture, no wider than needed for a tile of `width` device pixels (0: as it is). */
  scaled(picture: LanePicture, width: number): ScaledPicture | Promise<ScaledPicture> {
    const sizes = this.#sizesOf(picture);
    const denominator = denominatorFor(sizes.whole.sourceWidth, width);
    if (denominator === undefined) return sizes.whole;
    return sizes.small.get(denominator) ?? this.#make(sizes, denominator);
  }

  /**
   * The same for a lane's newest picture: while an older one of the lane is being made in this size,
   * that one is given, so that a lane never has more than one in work.
   *
   * @returns undefined when there is no time to make it now.
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
      return whole; // a picture that cannot be scaled is still the lane's picture: the page decides
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
    // As long as it took: on a busy machine there is less to spare.
    this.#budget -= reply.ms * IDLE_TIME_COST;
    return reply.bytes;
  }

  /** What `#reduce` cannot do: other formats, pictures to turn, damaged ones, systems without it. */
  async #resize(
    { bytes, sourceWidth }: ScaledPicture,
    denominator: Denominator,
  ): Promise<Uint8Array> {
    const begun = performance.now();
    try {
      const sharp = await loadSharp();
      return await sharp(bytes, { failOn: "none", limitInputPixels: DEFAULT_MAX_PIXELS })
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

/** What to divide the picture's size by, or undefined when it should stay as it is. */
function denominatorFor(sourceWidth: number, tileWidth: number): Denominator | undefined {
  if (tileWidth <= 0 || sourceWidth === 0) return undefined;
  return DENOMINATORS.find((each) => Math.ceil(sourceWidth / each) >= tileWidth * ENOUGH);
}
