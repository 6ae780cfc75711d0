/**
 * Decoded frames to JPEGs: turned upright, scaled, encoded.
 *
 * @module
 */
import {
  AV_PIX_FMT_RGB0,
  type AVPixelFormat,
  FFmpegError,
  Frame,
  SoftwareScaleContext,
} from "node-av";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { DEFAULT_QUALITY, type ImageSettings, SourceError } from "../source.ts";
import { Turner } from "./rotation.ts";
import type { Rotation } from "./rotation.ts";

/** A frame as a JPEG. */
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
  readonly #turner: Turner | undefined;
  readonly #settings: ImageSettings;
  readonly #inline: boolean;
  #scaled: { readonly frame: Frame; readonly data: Uint8Array } | undefined;

  /** @param inline scales on this thread */
  constructor(settings: ImageSettings, rotation: Rotation, inline = false) {
    this.#settings = settings;
    this.#inline = inline;
    this.#scaler.allocContext();
    this.#source.alloc();
    if (rotation.degrees !== 0 || rotation.mirrored) this.#turner = new Turner(rotation);
  }

  /** Takes a frame over: whoever decoded it may go on at once. */
  take(frame: Frame): void {
    this.#source.unref();
    this.#source.ref(frame);
  }

  /** Encodes the frame that was taken. */
  async encode(): Promise<Picture> {
    const upright = this.#turner === undefined
      ? this.#source
      : await this.#turner.turn(this.#source);
    const { width, height } = this.#settings.size ?? upright;
    const { frame, data } = this.#target(width, height);
    const code = this.#inline
      ? this.#scaler.scaleFrameSync(frame, upright)
      : await this.#scaler.scaleFrame(frame, upright);
    this.#source.unref();
    if (code < 0) {
      throw new SourceError(
        "CORRUPT",
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
      throw new SourceError("INVALID", `Cannot make a picture of ${width}x${height} pixels`);
    }
    return this.#scaled = { frame, data };
  }

  [Symbol.dispose](): void {
    this.#turner?.[Symbol.dispose]();
    this.#scaled?.frame.free();
    this.#source.free();
    this.#scaler.freeContext();
  }
}
