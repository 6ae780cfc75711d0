// A decoded video frame, as pixels: FFmpeg's planes, converted on demand.
import {
  AV_PIX_FMT_GRAY8,
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_RGBA,
  AVCOL_RANGE_JPEG,
  type AVPixelFormat,
  FFmpegError,
  Frame,
  SoftwareScaleContext,
} from "node-av";
import type { Channels, RawImage } from "../image/raw.ts";

const FORMATS: Readonly<Record<Channels, AVPixelFormat>> = {
  1: AV_PIX_FMT_GRAY8,
  3: AV_PIX_FMT_RGB24,
  4: AV_PIX_FMT_RGBA,
};

/** Targets of one shape that are kept for the next conversion. */
const MAX_IDLE = 4;
/** Shapes that are kept ready: a lane has few. */
const MAX_SHAPES = 6;

/** Converts pictures of one lane, in memory that is used again. */
export class PictureConverter {
  readonly #shapes = new Map<string, Shape>();

  /** Converts a frame to the size and channels, off this thread: full range, as images are. */
  async convert(
    source: Frame,
    width: number,
    height: number,
    channels: Channels,
  ): Promise<RawImage> {
    const name = `${source.width}x${source.height}/${source.format}>${width}x${height}/${channels}`;
    const shape = this.#shapes.get(name) ?? new Shape(width, height, channels);
    // The one that was used last goes last.
    this.#shapes.delete(name);
    this.#shapes.set(name, shape);
    const oldest = this.#shapes.entries().next().value!;
    if (this.#shapes.size > MAX_SHAPES) {
      this.#shapes.delete(oldest[0]);
      oldest[1].close();
    }
    return await shape.convert(source);
  }

  close(): void {
    for (const shape of this.#shapes.values()) shape.close();
    this.#shapes.clear();
  }
}

/** Conversions from one shape of frame to another. A scaler works on one frame at a time. */
class Shape {
  readonly #scalers: SoftwareScaleContext[] = [];
  readonly #targets: Frame[] = [];
  #closed = false;

  constructor(
    readonly width: number,
    readonly height: number,
    readonly channels: Channels,
  ) {}

  async convert(source: Frame): Promise<RawImage> {
    const { width, height, channels } = this;
    const scaler = this.#scalers.pop() ??
      newScaler(source.width !== width || source.height !== height);
    const target = this.#targets.pop() ?? newTarget(width, height, channels);
    const code = await scaler.scaleFrame(target, source);
    if (this.#closed) scaler.freeContext();
    else this.#scalers.push(scaler);
    if (code < 0) {
      target.free();
      throw new Error(
        `Cannot convert a picture of ${source.width}x${source.height} to ${width}x${height} pixels: ${
          FFmpegError.strerror(code)
        }`,
      );
    }
    const [plane] = target.data!;
    let held = true;
    return {
      // A plain array: `slice` of a Buffer would not copy.
      data: new Uint8Array(plane!.buffer, plane!.byteOffset, width * height * channels),
      width,
      height,
      channels,
      release: () => {
        if (!held) return;
        held = false;
        if (this.#closed || this.#targets.length >= MAX_IDLE) target.free();
        else this.#targets.push(target);
      },
    };
  }

  close(): void {
    this.#closed = true;
    for (const scaler of this.#scalers) scaler.freeContext();
    for (const target of this.#targets) target.free();
  }
}

function newScaler(resizes: boolean): SoftwareScaleContext {
  const scaler = new SoftwareScaleContext();
  scaler.allocContext();
  // Means over areas, as reduced JPEGs have; the same values on every processor.
  scaler.setOption(
    "sws_flags",
    resizes ? "area+accurate_rnd+bitexact" : "bicubic+accurate_rnd+bitexact",
  );
  return scaler;
}

function newTarget(width: number, height: number, channels: Channels): Frame {
  const target = new Frame();
  target.alloc();
  target.width = width;
  target.height = height;
  target.format = FORMATS[channels];
  target.colorRange = AVCOL_RANGE_JPEG;
  // Rows without padding between them.
  const code = target.getBuffer(1);
  if (code < 0 || target.data === null) {
    target.free();
    throw new Error(
      `Cannot make a picture of ${width}x${height} pixels: ${FFmpegError.strerror(code)}`,
    );
  }
  return target;
}

/** A decoded frame, held until the last of its users releases it. */
export class VideoPicture {
  readonly width: number;
  readonly height: number;
  readonly #frame: Frame;
  readonly #converter: PictureConverter;
  readonly #give: (frame: Frame) => void;
  #users = 1;

  /** @param give takes the frame back. */
  constructor(frame: Frame, converter: PictureConverter, give: (frame: Frame) => void) {
    this.#frame = frame;
    this.#converter = converter;
    this.#give = give;
    this.width = frame.width;
    this.height = frame.height;
  }

  /** Memory of the planes, about. */
  get bytes(): number {
    return this.#frame.linesize.reduce(
      (sum, size, plane) => sum + Math.abs(size) * (plane === 0 ? this.height : this.height / 2),
      0,
    );
  }

  /** One more user. */
  retain(): this {
    this.#users++;
    return this;
  }

  /** One user less. */
  release(): void {
    if (--this.#users === 0) this.#give(this.#frame);
  }

  /** FFmpeg's frame, valid until released. */
  get frame(): Frame {
    return this.#frame;
  }

  /** The pixels, at one over `denominator` of the size, rounded up; the image outlives the picture. */
  pixels(channels: Channels, denominator = 1): Promise<RawImage> {
    const width = Math.ceil(this.width / denominator);
    const height = Math.ceil(this.height / denominator);
    return this.#converter.convert(this.#frame, width, height, channels);
  }
}
