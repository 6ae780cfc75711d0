// Turns an open video stream into encoded images with times.
import { AV_CODEC_ID_MJPEG, AV_FRAME_FLAG_INTERLACED, type Frame, type Packet } from "node-av";
import { BadFrameError } from "../../runtime/definition/frame.ts";
import { checkSize, inspectImage } from "../../runtime/image/inspect.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { colourSteps, plainColours } from "../../runtime/video/colours.ts";
import { type FilterStep, FrameFilter, newFrame } from "../../runtime/video/filter.ts";
import { PictureConverter } from "../../runtime/video/picture_converter.ts";
import type { CaptureTimes } from "../capture_times.ts";
import { prefetch } from "../prefetch.ts";
import { reshape } from "../reshape.ts";
import {
  DEFAULT_QUALITY,
  type ImageSettings,
  SourceError,
  type SourceImage,
  type VideoPacket,
} from "../source.ts";
import { VideoDecoder } from "./decoder.ts";
import { timeOf, type VideoInput } from "./input.ts";
import { turningSteps, uprightSize } from "./rotation.ts";
import { StreamTimes } from "./stream_times.ts";
import { NotCopied, UnitCopier } from "./unit_copier.ts";

interface VideoImagesOptions {
  readonly settings: ImageSettings;
  /** Concurrent decodings and encodings. */
  readonly threads: number;
  readonly encoders: number;
  /** Sends packets on this thread, which saves two thread switches per frame. */
  readonly inline?: boolean;
  /** Maps stream milliseconds to the image's timestamp; undefined skips the frame. */
  readonly timestamp: (streamMs: number) => number | undefined;
  /** The limit and the counts of time jumps. */
  readonly times: CaptureTimes;
  /** Live input: frames without usable times are dated by their arrival. */
  readonly live?: boolean;
  readonly onPacket?: (packet: VideoPacket) => void;
  /** Reports damaged packets, once. */
  readonly report: (message: string) => void;
}

/**
 * The images of a stream, in presentation order, until it ends. MJPEG passes unchanged if no size
 * or quality is requested.
 *
 * @throws {SourceError} if the input fails or ends prematurely.
 */
export function videoImages(
  input: VideoInput,
  options: VideoImagesOptions,
): AsyncGenerator<SourceImage, void, undefined> {
  return prefetch(options.encoders, async (push, stop) => {
    stop.addEventListener("abort", input.interrupt, { once: true });
    const times = new StreamTimes(input, options.times, options.live);
    let converter = new Converter(input, options, times);
    try {
      for (;;) {
        const packet = stop.aborted ? undefined : await input.read();
        if (packet === undefined) break;
        if (input.followCodec()) {
          await converter.handle(null, push, stop);
          converter.reportDamage();
          await converter.close();
          converter = new Converter(input, options, times);
        }
        options.onPacket?.(describePacket(packet, input));
        await converter.handle(packet, push, stop);
      }
      if (stop.aborted) return;
      await converter.handle(null, push, stop);
      input.checkEnd();
      converter.reportDamage();
    } catch (error) {
      // An interrupted read is not a failure if the reader stopped.
      if (!stop.aborted) throw error;
    } finally {
      await converter.close();
      stop.removeEventListener("abort", input.interrupt);
    }
  });
}

function describePacket(packet: Packet, input: VideoInput): VideoPacket {
  const streamMs = input.milliseconds(timeOf(packet));
  return {
    codec: input.codecName,
    keyframe: packet.isKeyframe,
    bytes: packet.size,
    ...(streamMs === undefined ? {} : { streamMs }),
  };
}

type Push = (image: Promise<SourceImage | undefined>) => Promise<void>;

// FFmpeg's `yadif` turns both fields of an interlaced frame into one frame; other frames pass
// unchanged.
const DEINTERLACE: readonly FilterStep[] = [["yadif", "mode=send_frame:deint=interlaced"]];

/** Passes access units and JPEGs unchanged, or decodes and encodes. */
class Converter {
  readonly #input: VideoInput;
  readonly #options: VideoImagesOptions;
  readonly #times: StreamTimes;
  /** JPEGs pass unchanged. */
  readonly #passes: boolean;
  /** Copies access units; undefined if they are converted to JPEG. */
  #copier: UnitCopier | undefined;
  /** True while conversion to JPEG waits for a keyframe. */
  #awaitsKeyframe = false;
  #decoder: VideoDecoder | undefined;
  readonly #turning: readonly FilterStep[];
  /** Every frame goes through it from the first interlaced one on. */
  readonly #deinterlacer = new FrameFilter();
  #deinterlacing: readonly FilterStep[] = [];
  readonly #converter = new PictureConverter();
  readonly #idle: Frame[] = [];
  readonly #busy = new Set<Promise<unknown>>();
  /** Timestamps of the frames inside the deinterlacer. */
  readonly #held: (number | undefined)[] = [];
  #damaged = 0;
  #unusable = 0;

  constructor(input: VideoInput, options: VideoImagesOptions, times: StreamTimes) {
    this.#input = input;
    this.#options = options;
    this.#times = times;
    this.#turning = turningSteps(input.stream);
    this.#passes = input.stream.codecpar.codecId === AV_CODEC_ID_MJPEG &&
      this.#turning.length === 0 &&
      options.settings.size === undefined && options.settings.quality === undefined;
    const copier = UnitCopier.of(input, options.settings);
    if (copier instanceof UnitCopier) this.#copier = copier;
    else this.#refuseCopy(copier);
  }

  async handle(packet: Packet | null, push: Push, stop: AbortSignal): Promise<void> {
    if (this.#copier !== undefined && await this.#copy(this.#copier, packet, push)) return;
    if (this.#awaitsKeyframe) {
      if (packet === null || !packet.isKeyframe) return;
      this.#awaitsKeyframe = false;
    }
    if (this.#passes && this.#decoder === undefined) {
      if (packet === null) return;
      const data = packet.data!;
      if (isComplete(data) && !this.#isField(data)) {
        const timestamp = this.#options.timestamp(this.#times.of(timeOf(packet)));
        if (timestamp === undefined) return;
        return await push(this.#pass(new Uint8Array(data), timestamp));
      }
    }
    this.#decoder ??= await VideoDecoder.open(this.#input, this.#options);
    await this.#decoder.decode(packet, async (frame) => {
      if (stop.aborted) return;
      const timestamp = this.#options.timestamp(this.#times.of(frame.bestEffortTimestamp));
      if (frame.hasFlags(AV_FRAME_FLAG_INTERLACED)) this.#deinterlacing = DEINTERLACE;
      this.#held.push(timestamp);
      await this.#deinterlace(frame, push);
    });
    if (packet === null && !stop.aborted) await this.#deinterlace(null, push);
  }

  /** @returns false if the stream must be converted to JPEG from this packet on. */
  async #copy(copier: UnitCopier, packet: Packet | null, push: Push): Promise<boolean> {
    if (packet === null) return true;
    const unit = await copier.take(packet);
    if (unit instanceof NotCopied) {
      this.#refuseCopy(unit);
      this.#options.report(`Converting ${this.#input.name} to JPEG: ${unit.why}`);
      this.#copier = undefined;
      this.#awaitsKeyframe = !unit.atKeyframe;
      return false;
    }
    if (unit === undefined) return true;
    const { time, ...image } = unit;
    const timestamp = this.#options.timestamp(this.#times.of(time));
    if (timestamp !== undefined) await push(Promise.resolve({ ...image, timestamp }));
    return true;
  }

  #refuseCopy({ why, mayRecover: retryable }: NotCopied): void {
    if (this.#options.settings.codec !== "copy") return;
    throw new SourceError(
      "UNSUPPORTED",
      `Cannot publish ${this.#input.name} as it came (--codec copy): ${why}; expected H.264 or H.265 without B-frames, or --codec jpeg`,
      { retryable },
    );
  }

  /** Emits one frame for each that goes in, in order; deinterlaced ones one frame later. */
  async #deinterlace(frame: Frame | null, push: Push): Promise<void> {
    try {
      await this.#deinterlacer.run(frame, this.#deinterlacing, async (whole) => {
        await this.#encode(whole, this.#held.shift(), push);
      });
    } catch (error) {
      this.#skip(error);
      this.#held.length = 0;
    }
  }

  async #encode(source: Frame, timestamp: number | undefined, push: Push): Promise<void> {
    if (timestamp === undefined) return;
    // As many as `push` lets wait, and one. Their decoder may continue at once.
    const frame = this.#idle.pop() ?? newFrame();
    frame.ref(source);
    const work = toJpeg(frame, this.#turning, this.#converter, this.#options.settings)
      .catch((error) => this.#skip(error)).finally(() => {
        this.#busy.delete(work);
        frame.unref();
        this.#idle.push(frame);
      });
    this.#busy.add(work);
    await push(
      work.then((picture) => picture && { ...picture, contentType: "image/jpeg", timestamp }),
    );
  }

  #skip(error: unknown): undefined {
    if (!(error instanceof BadFrameError)) throw error;
    if (this.#unusable++ === 0) this.#options.report(`${error.message}; it is skipped`);
  }

  /** True for one of the two half-height JPEGs into which old capture cards split a frame. */
  #isField(data: Uint8Array): boolean {
    const { width, height } = this.#input.stream.codecpar;
    try {
      const info = inspectImage(data);
      return info.width === width && info.height < height && info.height * 2 >= height;
    } catch (error) {
      // Damaged: reported when it is skipped.
      if (error instanceof BadFrameError) return false;
      throw error;
    }
  }

  /** A JPEG as it is, upright; undefined if it is damaged. */
  async #pass(value: Uint8Array, timestamp: number): Promise<SourceImage | undefined> {
    try {
      return { ...await reshape(value, this.#options.settings), timestamp };
    } catch (error) {
      if (!(error instanceof BadFrameError)) throw error;
      this.#damaged++;
      return undefined;
    }
  }

  reportDamage(): void {
    const { name } = this.#input;
    const { skipped = 0, damaged: copied = 0 } = this.#copier ?? {};
    const damaged = this.#damaged + copied + (this.#decoder?.damaged ?? 0);
    const counts = {
      "frames skipped since no keyframe came before them": skipped,
      "damaged packets skipped": damaged,
      "frames that could not be converted": this.#unusable,
    };
    for (const [what, count] of Object.entries(counts)) {
      if (count > 0) this.#options.report(`${name}: ${what}: ${count}`);
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#busy);
    for (const frame of this.#idle) frame.free();
    this.#converter.close();
    this.#deinterlacer[Symbol.dispose]();
    this.#decoder?.[Symbol.dispose]();
  }
}

/**
 * Encodes a decoded frame, whose colours become plain.
 *
 * @param turning filters that turn it upright
 * @throws {BadFrameError} if the frame cannot be converted, or is larger than a query accepts.
 */
export async function toJpeg(
  frame: Frame,
  turning: readonly FilterStep[],
  converter: PictureConverter,
  { size, quality = DEFAULT_QUALITY }: ImageSettings,
): Promise<Pick<SourceImage, "value" | "width" | "height">> {
  const steps = [...turning, ...colourSteps(frame, size)];
  plainColours(frame);
  const { width, height } = size ?? uprightSize(frame, turning);
  checkSize({ width, height });
  // FFmpeg makes four channels faster than three.
  const pixels = await converter.convert(frame, steps, width, height, 4);
  try {
    return { value: await encodeJpeg(pixels, { quality }), width, height };
  } finally {
    pixels.release();
  }
}

/** True for a JPEG that contains Huffman tables: AVI files may omit the standard ones. */
function isComplete(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return false;
  for (let at = 2; at + 3 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1];
    if (marker === 0xc4) return true;
    if (marker === 0xda) return false;
    at += marker === 0xff ? 1 : 2 + bytes[at + 2]! * 256 + bytes[at + 3]!;
  }
  return false;
}
