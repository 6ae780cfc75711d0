// Access units of H.264 and H.265, made here: moving pictures whose every frame differs.
import { Buffer } from "node:buffer";
import {
  AV_LOG_QUIET,
  AV_PICTURE_TYPE_I,
  AV_PICTURE_TYPE_P,
  AV_PIX_FMT_YUV420P,
  AV_PIX_FMT_YUV420P10LE,
  Codec,
  CodecContext,
  Dictionary,
  FF_ENCODER_LIBX264,
  FF_ENCODER_LIBX265,
  Frame,
  Log,
  Packet,
  Rational,
} from "node-av";
import type { VideoCodec } from "../../runtime/video/access_unit.ts";

// The encoders would write their statistics to standard error.
Log.setLevel(AV_LOG_QUIET);

const PICTURE_TYPES = { I: AV_PICTURE_TYPE_I, P: AV_PICTURE_TYPE_P } as const;

/** What to encode. */
export interface StreamOptions {
  readonly codec?: VideoCodec;
  readonly frames: number;
  readonly width?: number;
  readonly height?: number;
  /** Frames from keyframe to keyframe. */
  readonly gop?: number;
  /** Further parameters of x264 or x265, as `a=b:c=d`. */
  readonly parameters?: string;
  /** Offset of the pattern, so that streams differ. */
  readonly seed?: number;
  /** Bits of each sample: 8 or 10. */
  readonly depth?: 8 | 10;
  /** Type of the picture at each place; the encoder's choice unless given. */
  readonly types?: (index: number) => "I" | "P";
  /** Bits of a bar code at the top that tells each unit's place in the stream; none unless given. */
  readonly codeBits?: number;
}

/** Encodes a pattern that moves: one access unit a frame, in Annex B form. */
export async function accessUnits(options: StreamOptions): Promise<Uint8Array[]> {
  const { codec = "h264", frames, width = 160, height = 96, gop = 10, seed = 0, depth = 8 } =
    options;
  const format = depth === 8 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUV420P10LE;
  const encoder = Codec.findEncoderByName(
    codec === "h264" ? FF_ENCODER_LIBX264 : FF_ENCODER_LIBX265,
  );
  if (encoder === null) throw new Error(`FFmpeg has no encoder of ${codec} here`);
  const context = new CodecContext();
  context.allocContext3(encoder);
  context.width = width;
  context.height = height;
  context.pixelFormat = format;
  context.timeBase = new Rational(1, 25);
  context.framerate = new Rational(25, 1);
  context.threadCount = 1;
  context.gopSize = gop;
  context.maxBFrames = 0;
  const fixed = codec === "h264"
    ? "scenecut=0:repeat-headers=1"
    : "scenecut=0:bframes=0:log-level=none:repeat-headers=1";
  const parameters = [fixed, options.parameters].filter((one) => one !== undefined).join(":");
  const settings = Dictionary.fromObject({
    preset: "ultrafast",
    tune: "zerolatency",
    [codec === "h264" ? "x264-params" : "x265-params"]: parameters,
  });
  const code = await context.open2(encoder, settings);
  settings.free();
  if (code < 0) throw new Error(`Cannot open the encoder of ${codec}: ${code}`);
  const packet = new Packet();
  packet.alloc();
  const units: Uint8Array[] = [];
  const receive = () => {
    while (context.receivePacketSync(packet) >= 0) {
      units.push(new Uint8Array(packet.data!));
      packet.unref();
    }
  };
  for (let i = 0; i < frames; i++) {
    const pattern = patternOf(width, height, i + seed);
    if (options.codeBits !== undefined) drawCode(pattern, width, i, options.codeBits);
    const frame = Frame.fromVideoBuffer(depth === 8 ? pattern : deepened(pattern), {
      width,
      height,
      format,
    });
    frame.pts = BigInt(i);
    if (options.types !== undefined) frame.pictType = PICTURE_TYPES[options.types(i)];
    context.sendFrameSync(frame);
    frame.free();
    receive();
  }
  context.sendFrameSync(null);
  receive();
  packet.free();
  context.freeContext();
  return units;
}

/** Access units from keyframe to keyframe: more than a batch of the trials holds. */
export const GROUP = 11;

/** What the cameras of a trial send over and over: every second one H.264, the others images. */
export async function trialUnits(): Promise<
  (camera: number) => readonly Uint8Array[] | undefined
> {
  const units = await accessUnits({ frames: 5 * GROUP, gop: GROUP });
  return (camera) => camera % 2 === 0 ? units : undefined;
}

function patternOf(width: number, height: number, step: number): Buffer {
  const luma = Buffer.alloc(width * height * 3 / 2, 128);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) luma[y * width + x] = 16 + ((x * 3 + y * 2 + step * 7) % 220);
  }
  return luma;
}

/** The same picture with 10 bits a sample. */
function deepened(samples: Buffer): Buffer {
  return Buffer.from(Uint16Array.from(samples, (sample) => sample * 4 + 1).buffer);
}

/** The number's bits, the most significant first, as bars of white and black. */
function drawCode(luma: Uint8Array, width: number, code: number, bits: number): void {
  for (let y = 0; y < 16; y++) {
    for (let x = 0; x < width; x++) {
      const bit = bits - 1 - Math.floor((x * bits) / width);
      luma[y * width + x] = (code >> bit) & 1 ? 235 : 16;
    }
  }
}
