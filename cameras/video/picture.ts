// Decoded frames to JPEGs: turned upright, scaled, encoded.
import { AV_PIX_FMT_RGB0, type AVPixelFormat, Frame } from "node-av";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { colourSteps, plainColours } from "../../runtime/video/colours.ts";
import type { FilterStep } from "../../runtime/video/filter.ts";
import { FrameScaler, newTarget } from "../../runtime/video/scaler.ts";
import { DEFAULT_QUALITY, type ImageSettings, type Size } from "../source.ts";
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
  readonly #scaler = new FrameScaler();
  readonly #source = new Frame();
  readonly #turning: readonly FilterStep[];
  readonly #settings: ImageSettings;
  /** They turn the frame upright and make its colours those of BT.709. */
  #steps: readonly FilterStep[] = [];
  #target: Frame | undefined;

  constructor(settings: ImageSettings, rotation: Rotation) {
    this.#settings = settings;
    this.#source.alloc();
    this.#turning = turningSteps(rotation);
  }

  /** Takes a frame over: its decoder may continue at once. */
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
    const { size, quality = DEFAULT_QUALITY } = this.#settings;
    const target = await this.#scaler.scale(
      this.#source,
      this.#steps,
      (upright) => this.#targetOf(size ?? upright),
    );
    this.#source.unref();
    const { width, height } = target;
    const data = target.data![0]!;
    return {
      value: await encodeJpeg({ data, width, height, channels: 4 }, { quality }),
      width,
      height,
    };
  }

  #targetOf({ width, height }: Size): Frame {
    const old = this.#target;
    if (old !== undefined && old.width === width && old.height === height) return old;
    old?.free();
    this.#target = undefined;
    return this.#target = newTarget(width, height, AV_PIX_FMT_RGB0 as AVPixelFormat);
  }

  [Symbol.dispose](): void {
    this.#scaler[Symbol.dispose]();
    this.#target?.free();
    this.#source.free();
  }
}
