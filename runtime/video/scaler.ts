// Decoded frames to RGB or grey in memory of one's own, off this thread.
import {
  AVCOL_RANGE_JPEG,
  type AVPixelFormat,
  FFmpegError,
  Frame,
  SoftwareScaleContext,
} from "node-av";
import { BadFrameError } from "../definition/frame.ts";
import { plainColours } from "./colours.ts";
import { type FilterStep, FrameFilter } from "./filter.ts";

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
   * Gives the frame that was written.
   *
   * @param source has plain colours
   * @param steps filters that it goes through first
   * @param targetFor where the pixels go, for a frame as it comes from the filters
   * @throws {BadFrameError} when this frame cannot be converted.
   */
  async scale(
    source: Frame,
    steps: readonly FilterStep[],
    targetFor: (filtered: Frame) => Frame,
  ): Promise<Frame> {
    let target = source;
    await this.#filter.run(source, steps, async (filtered) => {
      plainColours(filtered);
      target = targetFor(filtered);
      const code = await this.#scaler.scaleFrame(target, filtered);
      if (code >= 0) return;
      throw new BadFrameError(
        "corrupt",
        `Cannot convert a frame of ${source.width}x${source.height} to ${target.width}x${target.height} pixels: ${
          FFmpegError.strerror(code)
        }`,
      );
    });
    return target;
  }

  [Symbol.dispose](): void {
    this.#filter[Symbol.dispose]();
    this.#scaler.freeContext();
  }
}

/**
 * A frame to write into: full range, as images are, in rows without padding between them.
 *
 * @throws {BadFrameError} when there is no memory for it.
 */
export function newTarget(width: number, height: number, format: AVPixelFormat): Frame {
  const target = new Frame();
  target.alloc();
  target.width = width;
  target.height = height;
  target.format = format;
  target.colorRange = AVCOL_RANGE_JPEG;
  if (target.getBuffer(1) >= 0 && target.data !== null) return target;
  target.free();
  throw new BadFrameError("too-large", `Cannot make a picture of ${width}x${height} pixels`);
}
