// Decoded frames to JPEGs: turned upright, scaled, encoded.
import {
  AV_FRAME_FLAG_INTERLACED,
  AV_PIX_FMT_RGB0,
  AVCOL_PRI_UNSPECIFIED,
  AVCOL_SPC_BT2020_NCL,
  AVCOL_SPC_BT470BG,
  AVCOL_SPC_BT709,
  AVCOL_SPC_FCC,
  AVCOL_SPC_RGB,
  AVCOL_SPC_SMPTE170M,
  AVCOL_SPC_SMPTE240M,
  AVCOL_SPC_UNSPECIFIED,
  AVCOL_TRC_UNSPECIFIED,
  type AVPixelFormat,
  FFmpegError,
  Frame,
  SoftwareScaleContext,
} from "node-av";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { DEFAULT_QUALITY, type ImageSettings, SourceError } from "../source.ts";
import { FrameFilter } from "./filter.ts";
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
  readonly #turner: FrameFilter | undefined;
  readonly #turned = new Frame();
  readonly #settings: ImageSettings;
  #scaled: { readonly frame: Frame; readonly data: Uint8Array } | undefined;

  constructor(settings: ImageSettings, rotation: Rotation) {
    this.#settings = settings;
    this.#scaler.allocContext();
    this.#source.alloc();
    this.#turned.alloc();
    const steps = turningSteps(rotation);
    if (steps.length > 0) this.#turner = new FrameFilter(steps);
  }

  /** Takes a frame over: its decoder may go on at once. */
  take(frame: Frame): void {
    this.#source.unref();
    this.#source.ref(frame);
    plainColours(this.#source);
  }

  /**
   * Encodes the frame that was taken.
   *
   * @throws {SourceError} `CORRUPT` when this frame cannot be converted.
   */
  async encode(): Promise<Picture> {
    const upright = await this.#upright();
    const { width, height } = this.#settings.size ?? upright;
    const { frame, data } = this.#target(width, height);
    const code = await this.#scaler.scaleFrame(frame, upright);
    this.#source.unref();
    this.#turned.unref();
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

  async #upright(): Promise<Frame> {
    if (this.#turner === undefined) return this.#source;
    await this.#turner.run(this.#source, (frame) => {
      this.#turned.unref();
      this.#turned.ref(frame);
    });
    return this.#turned;
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
    this.#turned.free();
    this.#source.free();
    this.#scaler.freeContext();
  }
}

/** Matrices that the scaler converts by their own coefficients. */
const MATRICES: ReadonlySet<number> = new Set([
  AVCOL_SPC_RGB,
  AVCOL_SPC_BT709,
  AVCOL_SPC_FCC,
  AVCOL_SPC_BT470BG,
  AVCOL_SPC_SMPTE170M,
  AVCOL_SPC_SMPTE240M,
  AVCOL_SPC_BT2020_NCL,
]);

// Prepares a frame for the scaler. Its matrix and range stay; a matrix that the scaler does not know
// (YCgCo, ICtCp, BT.2020 with constant luminance) is read as BT.601, as an unnamed one is. Primaries
// and transfer are left out: samples of HDR10, HLG and wide gamuts pass as stored, without tone
// mapping, as `ffmpeg` writes them to a JPEG; with them, the scaler computes a table for seconds.
function plainColours(frame: Frame): void {
  if (!MATRICES.has(frame.colorSpace)) frame.colorSpace = AVCOL_SPC_UNSPECIFIED;
  frame.colorPrimaries = AVCOL_PRI_UNSPECIFIED;
  frame.colorTrc = AVCOL_TRC_UNSPECIFIED;
  frame.clearFlags(AV_FRAME_FLAG_INTERLACED);
}
