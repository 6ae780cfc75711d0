// H.264 through x264, one group of pictures at a time.
//
// Each group is made by an encoder of its own, with one thread: its bytes depend on its pictures
// alone. That is what lets a recording continue, byte for byte, after a crash.
import {
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_PICTURE_TYPE_NONE,
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVCOL_SPC_BT470BG,
  Codec,
  CodecContext,
  Dictionary,
  FF_ENCODER_LIBX264,
  FFmpegError,
  Packet,
  Rational,
} from "node-av";
import { NAL_TYPES, nalUnits } from "./access_unit.ts";
import type { EncodedPicture } from "./encoding.ts";
import type { H264Options } from "./h264_options.ts";
import type { Picture } from "./picture.ts";
import { avcRecord, withLengths } from "./unit_copy.ts";

/** Delimiters, remarks and parameter sets stand elsewhere in an MP4, or nowhere. */
function isPicture(unit: Uint8Array): boolean {
  return NAL_TYPES.h264.slice(NAL_TYPES.h264.type(unit[0]!));
}

/** Encodes one group of pictures of one size. One call at a time. */
export class GroupEncoder implements Disposable {
  readonly #context = new CodecContext();
  readonly #packet = new Packet();
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
    context.width = width;
    context.height = height;
    context.pixelFormat = AV_PIX_FMT_YUVJ420P;
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
    return encoder;
  }

  /** The decoder's configuration record (`avcC`): the same for the same size and options. */
  get configuration(): Uint8Array {
    return avcRecord([...nalUnits(this.#context.extraData!)]);
  }

  /** Encodes the next picture, off this thread. */
  async encode({ frame }: Picture): Promise<EncodedPicture> {
    frame.pts = this.#count++;
    frame.pictType = AV_PICTURE_TYPE_NONE;
    let code = await this.#context.sendFrame(frame);
    if (code >= 0) code = this.#context.receivePacketSync(this.#packet);
    if (code < 0) throw new Error(`Cannot encode a picture: ${FFmpegError.strerror(code)}`);
    try {
      const key = this.#packet.isKeyframe;
      return { data: withLengths(this.#packet.data!, isPicture), key };
    } finally {
      this.#packet.unref();
    }
  }

  [Symbol.dispose](): void {
    this.#packet.free();
    this.#context.freeContext();
  }
}
