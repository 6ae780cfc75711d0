// Decoded frames to RGB or grey in memory of one's own, off this thread.
import {
  AVCOL_RANGE_JPEG,
  type AVPixelFormat,
  FFmpegError,
  type Frame,
  SoftwareScaleContext,
} from "node-av";
import { BadFrameError } from "../definition/frame.ts";
import { plainColours } from "./colours.ts";
import { type FilterStep, FrameFilter, newFrame } from "./filter.ts";

/** Filters and scales one frame at a time; sizes and formats may change from frame to frame. */
export class FrameScaler implements Disposable {
  readonly #filter = new FrameFilter();
  readonly #scaler = new SoftwareScaleContext();

  /** @param flags of FFmpeg's scaler, such as `area+bitexact` */
  constructor(flags?: string) {
    this.#scaler.allocContext();
    if (flags !== undefined) this.#scaler.setOption("sws_flags", flags);
  }

  /**
   * @param source has plain colours
   * @param steps filters that it goes through first
   * @param targetFor where the pixels go, for a frame as it comes from the filters
   * @throws {BadFrameError} when this frame cannot be converted.
   */
  async scale(
    source: Frame,
    steps: readonly FilterStep[],
    targetFor: (filtered: Frame) => ScaleTarget,
  ): Promise<void> {
    await this.#filter.run(source, steps, async (filtered) => {
      if (filtered !== source) plainColours(filtered);
      const { frame, width, height } = targetFor(filtered);
      const code = await this.#scaler.scaleFrame(frame, filtered);
      if (code >= 0) return;
      throw new BadFrameError(
        "corrupt",
        `Cannot convert a frame of ${source.width}x${source.height} to ${width}x${height} pixels: ${
          FFmpegError.strerror(code)
        }`,
      );
    });
  }

  [Symbol.dispose](): void {
    this.#filter[Symbol.dispose]();
    this.#scaler.freeContext();
  }
}

/** Memory to scale into: full range, as images are. */
export class ScaleTarget implements Disposable {
  readonly width: number;
  readonly height: number;
  readonly frame = newFrame();
  /**
   * Its rows. FFmpeg's binding makes a buffer at each look at a frame's data, which the garbage collector
   * counts as new memory: it is looked at once.
   */
  readonly pixels: Uint8Array;
  /** Bytes from one row to the next. */
  readonly stride: number;

  /**
   * @param align rows begin at multiples of it, bytes. FFmpeg's fast conversion to RGB writes eight pixels at a
   * time, and skips the last ones of a row where there is no room for eight: it needs 64.
   * @throws {BadFrameError} when there is no memory for it.
   */
  constructor(width: number, height: number, format: AVPixelFormat, align = 1) {
    const { frame } = this;
    frame.width = this.width = width;
    frame.height = this.height = height;
    frame.format = format;
    frame.colorRange = AVCOL_RANGE_JPEG;
    const plane = frame.getBuffer(align) >= 0 ? frame.data?.[0] : undefined;
    if (plane === undefined) {
      frame.free();
      throw new BadFrameError("too-large", `Cannot make a picture of ${width}x${height} pixels`);
    }
    // A plain array: `slice` of a Buffer would not copy.
    this.pixels = new Uint8Array(plane.buffer, plane.byteOffset, plane.byteLength);
    this.stride = frame.linesize[0]!;
  }

  [Symbol.dispose](): void {
    this.frame.free();
  }
}
