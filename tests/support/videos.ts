// Makes small video files for tests: each frame is the test pattern with its number in it.
import { Buffer } from "node:buffer";
import {
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_CODEC_FLAG_QSCALE,
  AV_LOG_QUIET,
  AV_PIX_FMT_RGBA,
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUVJ420P,
  AV_PKT_DATA_DISPLAYMATRIX,
  AVFMT_GLOBALHEADER,
  Codec,
  CodecContext,
  Dictionary,
  FFmpegError,
  FormatContext,
  Frame,
  Log,
  Packet,
  Rational,
  SoftwareScaleContext,
} from "node-av";
import { drawPattern, prepareBackground } from "../../cameras/pattern_picture.ts";

/** What to make. */
export interface VideoOptions {
  readonly frames: number;
  readonly width?: number;
  readonly height?: number;
  readonly codec?: "libx264" | "libx265" | "mjpeg" | "mpeg4";
  /** Frames that are shown before ones that come earlier in the file. */
  readonly bFrames?: number;
  /** Milliseconds of each frame; 40 apart unless given. */
  readonly times?: (index: number) => number;
  /** Metadata say that the film must be turned clockwise by this much. */
  readonly rotation?: 90 | 180 | 270;
}

/** Writes a video file; its name's end says the container. */
export async function makeVideo(path: string, options: VideoOptions): Promise<void> {
  const { frames, width = 160, height = 120, codec = "libx264", rotation, bFrames = 0 } = options;
  const times = options.times ?? ((index: number) => index * 40);
  // A whole number of frames a tick: AVI fills gaps between ticks with empty frames.
  const steady = options.times === undefined;
  Log.setLevel(AV_LOG_QUIET);
  const format = new FormatContext();
  check(format.allocOutputContext2(null, null, path));
  const encoder = Codec.findEncoderByName(codec as never)!;
  const context = new CodecContext();
  context.allocContext3(encoder);
  context.width = width;
  context.height = height;
  context.timeBase = steady ? new Rational(1, 25) : new Rational(1, 1000);
  context.framerate = new Rational(25, 1);
  context.pixelFormat = codec === "mjpeg" ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
  context.gopSize = 10;
  context.maxBFrames = bFrames;
  context.threadCount = 1;
  if (codec === "mjpeg") {
    context.setFlags(AV_CODEC_FLAG_QSCALE);
    context.globalQuality = 3 * 118;
  } else {
    context.bitRate = 400_000n;
  }
  if (format.oformat!.hasFlags(AVFMT_GLOBALHEADER)) context.setFlags(AV_CODEC_FLAG_GLOBAL_HEADER);
  check(
    await context.open2(
      encoder,
      codec === "libx264" || codec === "libx265"
        ? Dictionary.fromObject({
          preset: "ultrafast",
          ...(bFrames > 0 ? {} : { tune: "zerolatency" }),
          ...(codec === "libx265" ? { "x265-params": "log-level=none" } : {}),
        })
        : null,
    ),
  );
  const stream = format.newStream(encoder);
  check(stream.codecpar.fromContext(context));
  stream.timeBase = context.timeBase;
  stream.avgFrameRate = context.framerate;
  if (rotation !== undefined) {
    stream.codecpar.addCodedSideData(AV_PKT_DATA_DISPLAYMATRIX, matrix(rotation));
  }
  check(await format.openOutput());
  check(await format.writeHeader());
  const look = { width, height, name: "CAMERA-9", hue: 100 };
  const background = prepareBackground(look);
  const data = new Uint8Array(background.length);
  const picture = new Frame();
  picture.alloc();
  picture.width = width;
  picture.height = height;
  picture.format = context.pixelFormat;
  check(picture.getBuffer(32));
  const scaler = new SoftwareScaleContext();
  scaler.allocContext();
  const packet = new Packet();
  packet.alloc();
  const write = async () => {
    for (;;) {
      if (context.receivePacketSync(packet) < 0) return;
      packet.streamIndex = stream.index;
      packet.rescaleTs(context.timeBase, stream.timeBase);
      check(await format.interleavedWriteFrame(packet));
    }
  };
  for (let index = 0; index < frames; index++) {
    data.set(background);
    drawPattern({ data, width, height, channels: 4 }, look, index, times(index));
    const source = Frame.fromVideoBuffer(Buffer.from(data.buffer), {
      width,
      height,
      format: AV_PIX_FMT_RGBA,
    });
    check(picture.makeWritable());
    check(scaler.scaleFrameSync(picture, source));
    source.free();
    picture.pts = BigInt(steady ? index : Math.round(times(index)));
    picture.quality = 3 * 118;
    check(context.sendFrameSync(picture));
    await write();
  }
  check(context.sendFrameSync(null));
  await write();
  check(await format.writeTrailer());
  await format.closeOutput();
  picture.free();
  packet.free();
  scaler.freeContext();
  context.freeContext();
  format.freeContext();
}

/** FFmpeg's display matrix of a film that must be turned clockwise. */
function matrix(degrees: number): Buffer {
  const cos = Math.round(Math.cos(degrees * Math.PI / 180));
  const sin = Math.round(Math.sin(degrees * Math.PI / 180));
  const buffer = Buffer.alloc(36);
  const one = 65_536;
  for (
    const [index, value] of [cos * one, sin * one, 0, -sin * one, cos * one, 0, 0, 0, 1 << 30]
      .entries()
  ) {
    buffer.writeInt32LE(value, index * 4);
  }
  return buffer;
}

function check(code: number): void {
  if (code < 0) throw new Error(FFmpegError.strerror(code));
}
