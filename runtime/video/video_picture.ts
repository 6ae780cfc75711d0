// A decoded video frame, as pixels: FFmpeg's planes, converted on demand.
import {
  AV_PIX_FMT_GRAY8,
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_RGBA,
  type AVPixelFormat,
  type Frame,
} from "node-av";
import type { Channels, RawImage } from "../image/raw.ts";
import { colourSteps, plainColours } from "./colours.ts";
import type { FilterStep } from "./filter.ts";
import { FrameScaler, ScaleTarget } from "./scaler.ts";

const FORMATS: Readonly<Record<Channels, AVPixelFormat>> = {
  1: AV_PIX_FMT_GRAY8,
  3: AV_PIX_FMT_RGB24,
  4: AV_PIX_FMT_RGBA,
};

/** Targets of one shape that are kept for the next conversion. */
const MAX_IDLE = 4;
/** Shapes that are kept ready: a lane has few, but for those of sizes that it had before. */
const MAX_SHAPES = 6;

/** Means over areas, as reduced JPEGs have; the same values on every processor. */
const SHRINK = "area+accurate_rnd+bitexact";
const CONVERT = "bicubic+accurate_rnd+bitexact";
/** Colours of 4:2:0 as they are stored, not interpolated: a quarter of the time. It writes eight pixels at a time. */
const FAST_CONVERT = "bicubic";

/** Converts pictures of one lane, in memory that is used again. */
export class PictureConverter {
  readonly #shapes = new Map<string, Shape>();

  /**
   * Converts a frame to the size and channels, off this thread: full range, as images are.
   *
   * @param steps filters that it goes through first
   */
  async convert(
    source: Frame,
    steps: readonly FilterStep[],
    width: number,
    height: number,
    channels: Channels,
  ): Promise<RawImage> {
    const name = `${source.width}x${source.height}/${source.format}>${width}x${height}/${channels}`;
    let shape = this.#shapes.get(name);
    if (shape === undefined) {
      if (this.#shapes.size === MAX_SHAPES) this.close();
      this.#shapes.set(name, shape = new Shape(width, height, channels));
    }
    return await shape.convert(source, steps);
  }

  close(): void {
    for (const shape of this.#shapes.values()) shape.close();
    this.#shapes.clear();
  }
}

/** Conversions from one shape of frame to another. A scaler works on one frame at a time. */
class Shape {
  readonly #scalers: FrameScaler[] = [];
  readonly #targets: ScaleTarget[] = [];
  #closed = false;

  constructor(
    readonly width: number,
    readonly height: number,
    readonly channels: Channels,
  ) {}

  async convert(source: Frame, steps: readonly FilterStep[]): Promise<RawImage> {
    const { width, height, channels } = this;
    const scaler = this.#scalers.pop() ?? new FrameScaler(this.#flagsFor(source));
    const target = this.#targets.pop() ?? new ScaleTarget(width, height, FORMATS[channels]);
    try {
      await scaler.scale(source, steps, () => target);
    } catch (error) {
      target[Symbol.dispose]();
      throw error;
    } finally {
      if (this.#closed) scaler[Symbol.dispose]();
      else this.#scalers.push(scaler);
    }
    let held = true;
    return {
      data: target.pixels.subarray(0, width * height * channels),
      width,
      height,
      channels,
      release: () => {
        if (!held) return;
        held = false;
        if (this.#closed || this.#targets.length >= MAX_IDLE) target[Symbol.dispose]();
        else this.#targets.push(target);
      },
    };
  }

  #flagsFor(source: Frame): string {
    const { width, height, channels } = this;
    if (source.width !== width || source.height !== height) return SHRINK;
    return channels !== 1 && width % 8 === 0 ? FAST_CONVERT : CONVERT;
  }

  close(): void {
    this.#closed = true;
    for (const scaler of this.#scalers) scaler[Symbol.dispose]();
    for (const target of this.#targets) target[Symbol.dispose]();
  }
}

/** A decoded frame, held until the last of its users releases it. */
export class VideoPicture {
  readonly width: number;
  readonly height: number;
  readonly #frame: Frame;
  #steps: readonly FilterStep[] | undefined;
  readonly #converter: PictureConverter;
  readonly #give: (frame: Frame) => void;
  #users = 1;

  /** @param give takes the frame back. */
  constructor(frame: Frame, converter: PictureConverter, give: (frame: Frame) => void) {
    this.#frame = frame;
    this.#converter = converter;
    this.#give = give;
    this.width = frame.width;
    this.height = frame.height;
  }

  /** One more user. */
  retain(): this {
    this.#users++;
    return this;
  }

  /** One user less. */
  release(): void {
    if (--this.#users === 0) this.#give(this.#frame);
  }

  /**
   * FFmpeg's frame, with plain colours; valid until released. They become plain only where a frame is looked
   * at, since each of its properties is a call into FFmpeg.
   */
  get frame(): Frame {
    if (this.#steps === undefined) {
      this.#steps = colourSteps(this.#frame);
      plainColours(this.#frame);
    }
    return this.#frame;
  }

  /** The pixels, at one over `denominator` of the size, rounded up; the image outlives the picture. */
  pixels(channels: Channels, denominator = 1): Promise<RawImage> {
    const width = Math.ceil(this.width / denominator);
    const height = Math.ceil(this.height / denominator);
    return this.#converter.convert(this.frame, this.#steps ?? [], width, height, channels);
  }
}
