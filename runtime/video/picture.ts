// Encoded images to pictures as the video encoder takes them: 4:2:0 with the colours of JPEG, even
// width and height.
import { Buffer } from "node:buffer";
import {
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVCOL_SPC_BT470BG,
  type AVPixelFormat,
  Codec,
  type CodecContext,
  FF_DECODER_MJPEG,
  FFmpegError,
  Frame,
  Packet,
  SoftwareScaleContext,
} from "node-av";
import { BadFrameError } from "../definition/frame.ts";
import { decodeImage } from "../image/decode.ts";
import { inspectImage } from "../image/inspect.ts";
import type { RawImage } from "../image/raw.ts";
import { newFrame } from "./filter.ts";
import { openDecoder } from "./open_decoder.ts";

const FORMAT: AVPixelFormat = AV_PIX_FMT_YUVJ420P;
/** x264 takes no more. */
const LONGEST_SIDE = 16_384;

/** A picture, valid until it is released. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** For the encoder. */
  readonly frame: Frame;
  release(): void;
}

/** Decodes images of one lane. One call at a time. */
export class PictureDecoder implements Disposable {
  readonly #context: CodecContext;
  readonly #packet = new Packet();
  readonly #scaler = new SoftwareScaleContext();

  private constructor(context: CodecContext) {
    this.#context = context;
    this.#packet.alloc();
    this.#scaler.allocContext();
  }

  static async open(): Promise<PictureDecoder> {
    const codec = Codec.findDecoderByName(FF_DECODER_MJPEG)!;
    // Damaged parts are dropped, never filled with what the memory held before.
    return new PictureDecoder(await openDecoder(codec, undefined, { err_detect: "explode" }));
  }

  /**
   * Decodes an image. Of an odd width or height the last column or row is dropped, because H.264
   * halves colours.
   *
   * @throws {BadFrameError} when the image is damaged, of an unknown type, too small or too large for H.264.
   */
  async decode(image: Uint8Array): Promise<Picture> {
    const info = inspectImage(image);
    const small = info.width < 2 || info.height < 2;
    if (small || info.width > LONGEST_SIDE || info.height > LONGEST_SIDE) {
      throw new BadFrameError(
        small ? "too-small" : "too-large",
        `Cannot put a picture of ${info.width}x${info.height} pixels into a video: ` +
          `expected 2x2 to ${LONGEST_SIDE}x${LONGEST_SIDE}`,
      );
    }
    const decoded = newFrame();
    let raw: RawImage | undefined;
    try {
      const plain = info.type === "jpeg" && info.components !== 4 && endsWell(image) &&
        await this.#decodeJpeg(image, decoded);
      // PNG, WebP, and JPEGs that FFmpeg does not like.
      if (!plain) showPixels(decoded, raw = await decodeImage(image, 3));
      decoded.width &= ~1;
      decoded.height &= ~1;
      if (decoded.format === FORMAT) return this.#picture(decoded);
      const converted = await this.#convert(decoded);
      decoded.free();
      return converted;
    } catch (error) {
      decoded.free();
      throw error;
    } finally {
      raw?.release();
    }
  }

  /** A decoded frame as the encoder takes it; the frame stays the caller's. */
  async convert(frame: Frame): Promise<Picture> {
    const source = newFrame();
    source.ref(frame);
    source.width &= ~1;
    source.height &= ~1;
    try {
      return await this.#convert(source);
    } finally {
      source.free();
    }
  }

  async #decodeJpeg(image: Uint8Array, target: Frame): Promise<boolean> {
    this.#packet.data = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
    try {
      if (await this.#context.sendPacket(this.#packet) < 0) return false;
      return this.#context.receiveFrameSync(target) >= 0;
    } finally {
      this.#packet.unref();
    }
  }

  async #convert(source: Frame): Promise<Picture> {
    const target = newFrame();
    target.width = source.width;
    target.height = source.height;
    target.format = FORMAT;
    target.colorRange = AVCOL_RANGE_JPEG;
    target.colorSpace = AVCOL_SPC_BT470BG;
    let code = target.getBuffer(0);
    if (code >= 0) code = await this.#scaler.scaleFrame(target, source);
    if (code < 0) {
      target.free();
      throw new BadFrameError("corrupt", `Cannot convert a picture: ${FFmpegError.strerror(code)}`);
    }
    return this.#picture(target);
  }

  #picture(frame: Frame): Picture {
    const { width, height } = frame;
    return { frame, width, height, release: () => frame.free() };
  }

  [Symbol.dispose](): void {
    this.#packet.free();
    this.#scaler.freeContext();
    this.#context.freeContext();
  }
}

/** FFmpeg's binding copies nothing: the frame shows these pixels until they are released. */
function showPixels(target: Frame, { data, width, height }: RawImage): void {
  const pixels = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const frame = Frame.fromVideoBuffer(pixels, { width, height, format: AV_PIX_FMT_RGB24 });
  target.unref();
  target.ref(frame);
  frame.free();
}

/** Whether a JPEG has its end marker, and is complete. */
function endsWell(image: Uint8Array): boolean {
  const { length } = image;
  return image[length - 2] === 0xff && image[length - 1] === 0xd9;
}
