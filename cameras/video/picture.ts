// Decoded frames to JPEGs: turned upright, scaled, encoded.
import {
  AV_PIX_FMT_RGB0,
  type AVPixelFormat,
  FFmpegError,
  Frame,
  SoftwareScaleContext,
} from "node-av";
import { BadFrameError } from "../../runtime/definition/frame.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { colourSteps, plainColours } from "../../runtime/video/colours.ts";
import { type FilterStep, FrameFilter } from "../../runtime/video/filter.ts";
import { DEFAULT_QUALITY, type ImageSettings } from "../source.ts";
import { type Rotation, turningSteps } from "./rotation.ts";

export interface Picture {
  readonly value: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Makes pictures of frames, one at a time, in memory that is used again for the next one. Sizes and
 * pixel formats may change from frame to frame.
 */
export class PictureMaker implements Disposable {
  readonly #scaler = new SoftwareScaleContext();
  readonly #source = new Frame();
  readonly #turning: readonly FilterStep[];
  /** Turns frames upright and makes their colours those of BT.709. */
  readonly #filter = new FrameFilter();
  #steps: readonly FilterStep[] = [];
  readonly #upright = new Frame();
  readonly #settings: ImageSettings;
  #scaled: { readonly frame: Frame; readonly data: Uint8Array } | undefined;

  constructor(settings: ImageSettings, rotation: Rotation) {
    this.#settings = settings;
    this.#scaler.allocContext();
    this.#source.alloc();
    this.#upright.alloc();
    this.#turning = turningSteps(rotation);
  }

  /** Takes a frame over: its decoder may go on at once. */
  take(frame: Frame): void {
    this.#source.unref();
    this.#source.ref(frame);
    this.#steps = [...this.#turning, ...colourSteps(frame, this.#settings.size)];
    plainColours(this.#source);
  }

  /**
   * Encodes the frame that was taken.
   *
   * @throws {BadFrameError} when this frame cannot be converted.
   */
  async encode(): Promise<Picture> {
    const upright = this.#upright;
    await this.#filter.run(this.#source, this.#steps, (frame) => {
      upright.unref();
      upright.ref(frame);
    });
    plainColours(upright);
    const { width, height } = this.#settings.size ?? upright;
    const { frame, data } = this.#target(width, height);
    const code = await this.#scaler.scaleFrame(frame, upright);
    this.#source.unref();
    upright.unref();
    if (code < 0) {
      throw new BadFrameError(
        "corrupt",
        `Cannot convert a frame to ${width}x${height} pixels: ${FFmpegError.strerror(code)}`,
      );
    }
    const quality = this.#settings.quality ?? DEFAULT_QUALITY;
    return {
      value: await encodeJpeg({ data, width, height, channels: 4 }, { quality }),
      width,
      height,
    };
  }

  #target(width: number, height: number) {
    const old = this.#scaled;
    if (old !== undefined && old.frame.width === width && old.frame.height === height) return old;
    old?.frame.free();
    const frame = new Frame();
    frame.alloc();
    frame.width = width;
    frame.height = height;
    frame.format = AV_PIX_FMT_RGB0 as AVPixelFormat;
    // Rows without padding between them, as the encoder wants them.
    const code = frame.getBuffer(1);
    const data = frame.data?.[0];
    if (code < 0 || data === undefined) {
      throw new BadFrameError("too-large", `Cannot make a picture of ${width}x${height} pixels`);
    }
    return this.#scaled = { frame, data };
  }

  [Symbol.dispose](): void {
    this.#filter[Symbol.dispose]();
    this.#scaled?.frame.free();
    this.#upright.free();
    this.#source.free();
    this.#scaler.freeContext();
  }
}
