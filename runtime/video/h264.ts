// H.264 through x264, one group of pictures at a time: 4:2:0 with the colours of JPEG.
//
// Each group is made by an encoder of its own, with one thread: its bytes depend on its pictures
// alone. That is what lets a recording continue, byte for byte, after a crash.
import {
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_LOG_QUIET,
  AV_PICTURE_TYPE_NONE,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVCOL_SPC_BT470BG,
  type AVPixelFormat,
  Codec,
  CodecContext,
  Dictionary,
  FF_ENCODER_LIBX264,
  FFmpegError,
  type Frame,
  Log,
  Packet,
  Rational,
  SoftwareScaleContext,
} from "node-av";
import { NAL_TYPES, nalUnits } from "./access_unit.ts";
import type { EncodedPicture } from "./encoding.ts";
import { newFrame } from "./filter.ts";
import type { H264Options } from "./h264_options.ts";
import { avcRecord, withLengths } from "./unit_copy.ts";

// x264 would write a summary of each group to standard error.
Log.setLevel(AV_LOG_QUIET);

const FORMAT: AVPixelFormat = AV_PIX_FMT_YUVJ420P;

/** A width or height without its last column or row, if it is odd. */
export function even(size: number): number {
  return size & ~1;
}

/** Delimiters, remarks and parameter sets stand elsewhere in an MP4, or nowhere. */
function isPicture(unit: Uint8Array): boolean {
  return NAL_TYPES.h264.slice(NAL_TYPES.h264.type(unit[0]!));
}

/** Encodes one group of pictures of one size. One call at a time. */
export class GroupEncoder implements Disposable {
  readonly #context = new CodecContext();
  readonly #packet = new Packet();
  readonly #scaler = new SoftwareScaleContext();
  #count = 0n;

  private constructor() {}

  static async open(
    width: number,
    height: number,
    options: H264Options = {},
  ): Promise<GroupEncoder> {
    const { preset = "superfast", crf = 23 } = options;
    const encoder = new GroupEncoder();
    const context = encoder.#context;
    const codec = Codec.findEncoderByName(FF_ENCODER_LIBX264);
    if (codec === null) throw new Error("Cannot encode H.264: FFmpeg has no libx264 here");
    context.allocContext3(codec);
    context.width = even(width);
    context.height = even(height);
    context.pixelFormat = FORMAT;
    context.colorRange = AVCOL_RANGE_JPEG;
    context.colorSpace = AVCOL_SPC_BT470BG;
    // Times stand in the container; here pictures are merely counted.
    context.timeBase = new Rational(1, 25);
    context.framerate = new Rational(25, 1);
    context.threadCount = 1;
    context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
    const settings = Dictionary.fromObject({
      preset,
      crf: String(crf),
      // Every picture comes out at once.
      tune: "zerolatency",
      "x264-params": "keyint=infinite:scenecut=0",
    });
    const code = await context.open2(codec, settings);
    settings.free();
    if (code < 0) {
      context.freeContext();
      throw new Error(
        `Cannot encode H.264 of ${width}x${height} pixels: ${FFmpegError.strerror(code)}`,
      );
    }
    encoder.#packet.alloc();
    encoder.#scaler.allocContext();
    return encoder;
  }

  /** The decoder's configuration record (`avcC`): the same for the same size and options. */
  get configuration(): Uint8Array {
    return avcRecord([...nalUnits(this.#context.extraData!)]);
  }

  /**
   * Encodes the next picture, off this thread: a decoded frame with plain colours. Of an odd width or height
   * the last column or row is dropped, because H.264 halves colours.
   */
  async encode(source: Frame): Promise<EncodedPicture> {
    const picture = await this.#convert(source);
    picture.pts = this.#count++;
    picture.pictType = AV_PICTURE_TYPE_NONE;
    let code = await this.#context.sendFrame(picture);
    picture.free();
    if (code >= 0) code = this.#context.receivePacketSync(this.#packet);
    check(code, "encode");
    try {
      const key = this.#packet.isKeyframe;
      return { data: withLengths(this.#packet.data!, isPicture), key };
    } finally {
      this.#packet.unref();
    }
  }

  async #convert(source: Frame): Promise<Frame> {
    const [cropped, picture] = [newFrame(), newFrame()];
    cropped.ref(source);
    cropped.width = even(cropped.width);
    cropped.height = even(cropped.height);
    picture.width = this.#context.width;
    picture.height = this.#context.height;
    picture.format = FORMAT;
    picture.colorRange = AVCOL_RANGE_JPEG;
    picture.colorSpace = AVCOL_SPC_BT470BG;
    let code = picture.getBuffer(0);
    if (code >= 0) code = await this.#scaler.scaleFrame(picture, cropped);
    cropped.free();
    if (code < 0) picture.free();
    check(code, "convert");
    return picture;
  }

  [Symbol.dispose](): void {
    this.#scaler.freeContext();
    this.#packet.free();
    this.#context.freeContext();
  }
}

function check(code: number, action: string): void {
  if (code < 0) throw new Error(`Cannot ${action} a picture: ${FFmpegError.strerror(code)}`);
}
