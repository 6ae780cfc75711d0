// Decoded frames to RGB, RGBA or grey, off this thread, in memory that is used again.
import {
  AV_PIX_FMT_GRAY8,
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_RGBA,
  AVCOL_RANGE_JPEG,
  type AVPixelFormat,
  FFmpegError,
  type Frame,
  SoftwareScaleContext,
} from "node-av";
import { BadFrameError } from "../definition/frame.ts";
import type { Channels, RawImage } from "../image/raw.ts";
import { plainColours } from "./colours.ts";
import { type FilterStep, FrameFilter, newFrame } from "./filter.ts";

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
const GREY = "bicubic+accurate_rnd+bitexact";
/** Colours of 4:2:0 as they are stored, not interpolated: a quarter of the time. */
const COLOUR = "bicubic";
/** FFmpeg writes eight pixels of colour at a time, and skips the last ones of a row without room for eight. */
const AT_ONCE = 8;

/** Converts frames of one lane. */
export class PictureConverter {
  readonly #shapes = new Map<string, Shape>();

  /**
   * Converts a frame to the size and channels: full range, as images are.
   *
   * @param source has plain colours
   * @param steps filters that it goes through first
   * @throws {BadFrameError} when this frame cannot be converted.
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
  readonly #scalers: Scaler[] = [];
  readonly #targets: Target[] = [];
  #closed = false;

  constructor(
    readonly width: number,
    readonly height: number,
    readonly channels: Channels,
  ) {}

  async convert(source: Frame, steps: readonly FilterStep[]): Promise<RawImage> {
    const { width, height, channels } = this;
    const scaler = this.#scalers.pop() ?? new Scaler(this.#flagsFor(source));
    const target = this.#targets.pop() ?? new Target(width, height, channels);
    try {
      await scaler.scale(source, steps, target.frame);
    } catch (error) {
      target.frame.free();
      throw error;
    } finally {
      if (this.#closed) scaler.close();
      else this.#scalers.push(scaler);
    }
    let held = true;
    return {
      data: target.pixels(),
      width,
      height,
      channels,
      release: () => {
        if (!held) return;
        held = false;
        if (this.#closed || this.#targets.length >= MAX_IDLE) target.frame.free();
        else this.#targets.push(target);
      },
    };
  }

  #flagsFor(source: Frame): string {
    if (this.width * this.height < source.width * source.height) return SHRINK;
    return this.channels === 1 ? GREY : COLOUR;
  }

  close(): void {
    this.#closed = true;
    for (const scaler of this.#scalers) scaler.close();
    for (const { frame } of this.#targets) frame.free();
  }
}

/** Filters and scales one frame at a time. */
class Scaler {
  readonly #filter = new FrameFilter();
  readonly #scaler = new SoftwareScaleContext();

  constructor(flags: string) {
    this.#scaler.allocContext();
    this.#scaler.setOption("sws_flags", flags);
  }

  async scale(source: Frame, steps: readonly FilterStep[], target: Frame): Promise<void> {
    await this.#filter.run(source, steps, async (filtered) => {
      if (filtered !== source) plainColours(filtered);
      const code = await this.#scaler.scaleFrame(target, filtered);
      if (code >= 0) return;
      const [from, to] = [source, target].map(({ width, height }) => `${width}x${height}`);
      const why = FFmpegError.strerror(code);
      throw new BadFrameError(
        "corrupt",
        `Cannot convert a frame of ${from} to ${to} pixels: ${why}`,
      );
    });
  }

  close(): void {
    this.#filter[Symbol.dispose]();
    this.#scaler.freeContext();
  }
}

/** Memory to scale into. */
class Target {
  readonly frame = newFrame();
  readonly #height: number;
  /** Bytes of a row of pixels, and from one row to the next. */
  readonly #row: number;
  readonly #stride: number;
  /**
   * FFmpeg's binding makes a buffer at each look at a frame's data, which the garbage collector counts as new
   * memory: it is looked at once.
   */
  readonly #plane: Uint8Array;

  /** @throws {BadFrameError} when there is no memory for it. */
  constructor(width: number, height: number, channels: Channels) {
    const { frame } = this;
    frame.width = width;
    frame.height = height;
    frame.format = FORMATS[channels];
    frame.colorRange = AVCOL_RANGE_JPEG;
    const aligned = frame.getBuffer(width % AT_ONCE === 0 ? 1 : 64) >= 0;
    const plane = aligned ? frame.data?.[0] : undefined;
    if (plane === undefined) {
      frame.free();
      throw new BadFrameError("too-large", `Cannot make a picture of ${width}x${height} pixels`);
    }
    // A plain array: `slice` of a Buffer would not copy.
    this.#plane = new Uint8Array(plane.buffer, plane.byteOffset, plane.byteLength);
    this.#row = width * channels;
    this.#stride = frame.linesize[0]!;
    this.#height = height;
  }

  /** The pixels, each row right behind the one before. */
  pixels(): Uint8Array {
    const row = this.#row, stride = this.#stride;
    for (let y = 1; stride > row && y < this.#height; y++) {
      this.#plane.copyWithin(y * row, y * stride, y * stride + row);
    }
    return this.#plane.subarray(0, this.#height * row);
  }
}
