// The way from an open video stream to encoded images with times.
import { AV_CODEC_ID_MJPEG, AV_FRAME_FLAG_INTERLACED, type Frame, type Packet } from "node-av";
import { BadFrameError } from "../../runtime/definition/frame.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import type { CaptureTimes } from "../capture_times.ts";
import { prefetch } from "../prefetch.ts";
import { type ImageSettings, SourceError, type SourceImage, type VideoPacket } from "../source.ts";
import { VideoDecoder } from "./decoder.ts";
import { FrameFilter } from "../../runtime/video/filter.ts";
import type { VideoInput } from "./input.ts";
import { PictureMaker } from "./picture.ts";
import { rotationOf } from "./rotation.ts";
import { StreamTimes } from "./stream_times.ts";
import { NotCopied, UnitCopier } from "./unit_copier.ts";

interface VideoImagesOptions {
  readonly settings: ImageSettings;
  /** Frames to decode at once, and images to encode at once. */
  readonly threads: number;
  readonly encoders: number;
  /** Hand packets over on this thread: saves a hop to another one and back a frame. */
  readonly inline?: boolean;
  /**
   * The timestamp for an image, of the stream's time of it in milliseconds; undefined leaves the
   * frame out before it costs anything more.
   */
  readonly timestamp: (streamMs: number) => number | undefined;
  /** The limit of jumps, and their count. */
  readonly times: CaptureTimes;
  /** Frames come when they do: where their times say nothing, their arrival does. */
  readonly live?: boolean;
  /** Called for each packet that arrives. */
  readonly onPacket?: (packet: VideoPacket) => void;
  /** Begin again at the end, where the container can go back. Times keep rising. */
  readonly loop?: boolean;
  /** Damaged packets are reported here, once. */
  readonly report: (message: string) => void;
}

/**
 * The images of a stream, in order of showing, until it ends. MJPEG passes as it is where neither a
 * size nor a quality is asked for.
 *
 * @throws {SourceError} when the input fails or ends before its time.
 */
export function videoImages(
  input: VideoInput,
  options: VideoImagesOptions,
): AsyncGenerator<SourceImage, void, undefined> {
  const depth = options.encoders;
  const made = prefetch<SourceImage | undefined>(depth, async (push, stop) => {
    const interrupt = () => input.interrupt();
    stop.addEventListener("abort", interrupt, { once: true });
    const times = new StreamTimes(input, options.times, options.live);
    try {
      const lane = new Lane(input, options, times);
      try {
        do {
          for (;;) {
            const packet = stop.aborted ? undefined : await input.read();
            if (packet === undefined) break;
            options.onPacket?.(describePacket(packet, input));
            times.packets++;
            await lane.handle(packet, push, stop);
          }
          if (stop.aborted) return;
          await lane.handle(null, push, stop);
          times.checkEnd(input);
        } while (options.loop && times.images > 0 && await lane.beginAgain());
        lane.reportDamage();
      } finally {
        await lane.close();
      }
    } catch (error) {
      // A read that was interrupted because the reader stopped is no failure.
      if (!stop.aborted) throw error;
    } finally {
      stop.removeEventListener("abort", interrupt);
    }
  });
  return withoutGaps(made);
}

function describePacket(packet: Packet, input: VideoInput): VideoPacket {
  const streamMs = input.milliseconds(packet.pts);
  return {
    codec: input.codecName,
    keyframe: packet.isKeyframe,
    bytes: packet.size,
    ...(streamMs === undefined ? {} : { streamMs }),
  };
}

async function* withoutGaps<T>(items: AsyncIterable<T | undefined>): AsyncGenerator<T, void> {
  for await (const item of items) if (item !== undefined) yield item;
}

type Push = (image: Promise<SourceImage | undefined>) => Promise<void>;

// Both fields of an interlaced frame become one whole frame, by FFmpeg's `yadif`; frames that are not
// interlaced pass as they are.
const DEINTERLACE = ["yadif", "mode=send_frame:deint=interlaced"] as const;

/** Passes access units and what is JPEG already, or decodes and encodes. */
class Lane {
  readonly #input: VideoInput;
  readonly #options: VideoImagesOptions;
  readonly #times: StreamTimes;
  readonly #passes: boolean;
  /** Passes access units on as they came; undefined where JPEG is made of them. */
  #copier: UnitCopier | undefined;
  /** JPEG is made from the next keyframe on. */
  #awaitsKeyframe = false;
  #decoder: VideoDecoder | undefined;
  readonly #idle: PictureMaker[] = [];
  readonly #busy = new Set<Promise<unknown>>();
  readonly #makers: PictureMaker[] = [];
  /** Made at the first interlaced frame; from then on every frame goes through it. */
  #deinterlacer: FrameFilter | undefined;
  /** Timestamps of the frames that it holds. */
  readonly #held: (number | undefined)[] = [];
  #damaged = 0;
  #unusable = 0;

  constructor(input: VideoInput, options: VideoImagesOptions, times: StreamTimes) {
    this.#input = input;
    this.#options = options;
    this.#times = times;
    const { degrees, mirrored } = rotationOf(input.stream);
    this.#passes = input.stream.codecpar.codecId === AV_CODEC_ID_MJPEG && degrees === 0 &&
      !mirrored && options.settings.size === undefined && options.settings.quality === undefined;
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
      const data = packet?.data ?? null;
      // AVI holds the place of a frame that did not come with an empty packet.
      if (packet === null || data === null || data.length === 0) return;
      if (isComplete(data) && !this.#isField(data)) {
        const image = this.#pass(packet, data);
        return image === undefined ? undefined : await push(Promise.resolve(image));
      }
    }
    this.#decoder ??= await VideoDecoder.open(this.#input, this.#options);
    await this.#decoder.decode(packet, async (frame) => {
      if (stop.aborted) return;
      const timestamp = this.#options.timestamp(this.#times.of(frame.bestEffortTimestamp));
      if (this.#deinterlacer === undefined && frame.hasFlags(AV_FRAME_FLAG_INTERLACED)) {
        this.#deinterlacer = new FrameFilter();
      }
      if (this.#deinterlacer === undefined) return await this.#encode(frame, timestamp, push);
      this.#held.push(timestamp);
      await this.#deinterlace(frame, push);
    });
    if (packet === null && !stop.aborted) await this.#deinterlace(null, push);
  }

  /** @returns false when JPEG must be made of the stream from this packet on. */
  async #copy(copier: UnitCopier, packet: Packet | null, push: Push): Promise<boolean> {
    if (packet === null) return true;
    const unit = await copier.take(packet);
    if (unit instanceof NotCopied) {
      this.#refuseCopy(unit);
      this.#options.report(`JPEG is made of ${this.#input.name}: ${unit.why}`);
      this.#copier = undefined;
      this.#awaitsKeyframe = !unit.atKeyframe;
      return false;
    }
    if (unit === undefined) return true;
    const timestamp = this.#options.timestamp(this.#times.of(packet.pts));
    if (timestamp !== undefined) await push(Promise.resolve({ ...unit, timestamp }));
    return true;
  }

  #refuseCopy({ why }: NotCopied): void {
    if (this.#options.settings.codec !== "copy") return;
    throw new SourceError(
      "UNSUPPORTED",
      `Cannot publish ${this.#input.name} as it came (--codec copy): ${why}; expected H.264 or H.265 in the order of showing, or --codec jpeg`,
    );
  }

  /** Frames come out in order, one for each that went in, one later. */
  async #deinterlace(frame: Frame | null, push: Push): Promise<void> {
    try {
      await this.#deinterlacer?.run(frame, [DEINTERLACE], async (whole) => {
        await this.#encode(whole, this.#held.shift(), push);
      });
    } catch (error) {
      this.#leaveOut(error);
      this.#held.length = 0;
      this.#deinterlacer?.[Symbol.dispose]();
      this.#deinterlacer = undefined;
    }
  }

  async #encode(frame: Frame, timestamp: number | undefined, push: Push): Promise<void> {
    if (timestamp === undefined) return;
    const maker = await this.#maker();
    maker.take(frame);
    const work = maker.encode().catch((error) => this.#leaveOut(error)).finally(() => {
      this.#busy.delete(work);
      this.#idle.push(maker);
    });
    this.#busy.add(work);
    await push(
      work.then((picture) => picture && { ...picture, contentType: "image/jpeg", timestamp }),
    );
  }

  /** A frame that cannot be converted costs that frame. */
  #leaveOut(error: unknown): undefined {
    if (!(error instanceof BadFrameError)) throw error;
    if (this.#unusable++ === 0) this.#options.report(`${error.message}; it is left out`);
  }

  /** True for one of the two half-height JPEGs that old capture cards make of a frame. */
  #isField(data: Uint8Array): boolean {
    const { width, height } = this.#input.stream.codecpar;
    try {
      const info = inspectImage(data);
      return info.width === width && info.height < height && info.height * 2 >= height;
    } catch (error) {
      // Damaged: reported where it is left out.
      if (error instanceof BadFrameError) return false;
      throw error;
    }
  }

  /** The packet's JPEG; undefined where it is damaged or not wanted. */
  #pass(packet: Packet, data: Uint8Array): SourceImage | undefined {
    const time = this.#times.of(packet.pts);
    try {
      const { width, height } = inspectImage(data);
      const timestamp = this.#options.timestamp(time);
      if (timestamp === undefined) return undefined;
      return { value: new Uint8Array(data), contentType: "image/jpeg", timestamp, width, height };
    } catch (error) {
      if (!(error instanceof BadFrameError)) throw error;
      this.#damaged++;
      return undefined;
    }
  }

  async #maker(): Promise<PictureMaker> {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle !== undefined) return idle;
      if (this.#makers.length < this.#options.encoders) {
        const maker = new PictureMaker(
          this.#options.settings,
          rotationOf(this.#input.stream),
        );
        this.#makers.push(maker);
        return maker;
      }
      await Promise.race([...this.#busy].map((work) => work.catch(() => {})));
    }
  }

  /** @returns false where the container cannot go back. */
  async beginAgain(): Promise<boolean> {
    if (!await this.#input.rewind()) return false;
    this.#copier?.beginAgain();
    this.#decoder?.beginAgain();
    this.#times.beginAgain();
    return true;
  }

  reportDamage(): void {
    const { skipped = 0, damaged: copied = 0 } = this.#copier ?? {};
    if (skipped > 0) {
      this.#options.report(
        `${skipped} frames of ${this.#input.name} were left out: no keyframe came before them`,
      );
    }
    const damaged = this.#damaged + copied + (this.#decoder?.damaged ?? 0);
    if (damaged > 0) {
      this.#options.report(`${damaged} damaged packets of ${this.#input.name} were left out`);
    }
    if (this.#unusable > 0) {
      this.#options.report(
        `${this.#unusable} frames of ${this.#input.name} could not be converted and were left out`,
      );
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#busy);
    for (const maker of this.#makers) maker[Symbol.dispose]();
    this.#deinterlacer?.[Symbol.dispose]();
    this.#decoder?.[Symbol.dispose]();
  }
}

/** True for a JPEG with Huffman tables of its own: AVI files may leave the standard ones out. */
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
