// Access units on their way from a stream into records, as they came.
import { Buffer } from "node:buffer";
import {
  AV_CODEC_ID_H264,
  AV_CODEC_ID_HEVC,
  AV_FRAME_FLAG_INTERLACED,
  AV_PKT_DATA_NEW_EXTRADATA,
  type Codec,
  CodecContext,
  Frame,
  Packet,
} from "node-av";
import { BadFrameError } from "../../runtime/definition/frame.ts";
import type { AccessUnit, VideoCodec } from "../../runtime/video/access_unit.ts";
import { AnnexBWriter } from "../../runtime/video/annex_b.ts";
import { isField } from "../../runtime/video/sequence.ts";
import type { CodecChoice, ImageSettings, SourceImage } from "../source.ts";
import type { VideoInput } from "./input.ts";
import { rotationOf } from "./rotation.ts";

/** An access unit that can be a record, but for its time. */
type CopiedUnit = Omit<SourceImage, "timestamp">;

/** Why a stream cannot be passed on as it came, for people. */
export class NotCopied {
  readonly why: string;
  /** The packet that showed it is the first that can be decoded by itself. */
  readonly atKeyframe: boolean;

  constructor(why: string, atKeyframe = true) {
    this.why = why;
    this.atKeyframe = atKeyframe;
  }
}

/** Packets without a keyframe after which a stream is taken to have none: ten seconds and more. */
const MOST_WITHOUT_KEYFRAME = 300;
/** Frames out of order lie closer than this; a step back beyond it is a jump of the stream's clock. */
const MOST_REORDER_MS = 1_000;

/** Makes records of the packets of one stream. */
export class UnitCopier {
  readonly #input: VideoInput;
  readonly #codec: VideoCodec;
  readonly #choice: CodecChoice;
  readonly #writer: AnnexBWriter;
  #facts: KeyframeFacts | undefined;
  #parameters = "";
  /** Units up to the next keyframe depend on one that was not passed on. */
  #waiting = true;
  #without = 0;
  #latestMs = -Infinity;
  #skipped = 0;
  #damaged = 0;

  private constructor(input: VideoInput, codec: VideoCodec, choice: CodecChoice) {
    this.#input = input;
    this.#codec = codec;
    this.#choice = choice;
    this.#writer = new AnnexBWriter(codec, input.stream.codecpar.extradata ?? undefined);
  }

  /** A copier of the stream's units, or why there is none. */
  static of(input: VideoInput, settings: ImageSettings): UnitCopier | NotCopied {
    const { codec: choice = "jpeg", size, quality } = settings;
    const { degrees, mirrored } = rotationOf(input.stream);
    const codec = CODECS.get(input.stream.codecpar.codecId);
    if (choice === "jpeg") return new NotCopied("JPEG is asked for");
    if (codec === undefined) return new NotCopied(`its codec is ${input.codecName}`);
    if (size !== undefined) return new NotCopied("--size asks for other pictures");
    if (quality !== undefined) return new NotCopied("--quality asks for other pictures");
    if (degrees !== 0 || mirrored) return new NotCopied("its pictures must be turned");
    if (choice === "auto" && input.stream.codecpar.videoDelay > 0) {
      return new NotCopied(MAYBE_OUT_OF_ORDER);
    }
    return new UnitCopier(input, codec, choice);
  }

  /** Packets before the first keyframe, and damaged ones. */
  get skipped(): number {
    return this.#skipped;
  }

  get damaged(): number {
    return this.#damaged;
  }

  /** Takes the next packet; undefined for one that depends on a keyframe that never came. */
  async take(packet: Packet): Promise<CopiedUnit | NotCopied | undefined> {
    const { data } = packet;
    if (data === null || data.length === 0) return undefined;
    const configuration = packet.getSideData(AV_PKT_DATA_NEW_EXTRADATA);
    if (configuration !== null) this.#writer.configure(configuration);
    let unit;
    try {
      unit = this.#writer.write(data);
    } catch (error) {
      if (!(error instanceof BadFrameError)) throw error;
      this.#damaged++;
      this.#waiting = true;
      return undefined;
    }
    if (unit.keyframe) {
      const failed = await this.#begin(unit.bytes);
      if (failed !== undefined) return failed;
    }
    if (this.#waiting) {
      this.#skipped++;
      return ++this.#without < MOST_WITHOUT_KEYFRAME ? undefined : new NotCopied(
        `there is no keyframe among ${MOST_WITHOUT_KEYFRAME} frames`,
      );
    }
    if (this.#isOutOfOrder(packet, unit)) return new NotCopied(OUT_OF_ORDER, false);
    const { width, height } = this.#facts!;
    return {
      value: unit.bytes,
      contentType: `video/${this.#codec}`,
      width,
      height,
      ...(unit.keyframe
        ? { headers: { keyframe: "1", ...(unit.codec === undefined ? {} : { codec: unit.codec }) } }
        : {}),
    };
  }

  /** The stream begins again: with a keyframe. */
  beginAgain(): void {
    this.#waiting = true;
    this.#latestMs = -Infinity;
  }

  /** Looks at a keyframe whose parameter sets are new. */
  async #begin(unit: Uint8Array): Promise<NotCopied | undefined> {
    if (this.#facts === undefined || this.#writer.parameters !== this.#parameters) {
      const facts = await probeKeyframe(this.#input.decoder, unit);
      if (facts === undefined) {
        if (this.#codec === "h264" && isField(unit)) {
          return new NotCopied("its packets hold single fields, not whole frames");
        }
        this.#damaged++;
        this.#waiting = true;
        return undefined;
      }
      const auto = this.#choice === "auto";
      if (facts.mayReorder && auto) return new NotCopied(MAYBE_OUT_OF_ORDER);
      if (facts.interlaced && auto) return new NotCopied("it is interlaced");
      this.#facts = facts;
      this.#parameters = this.#writer.parameters;
    }
    this.#waiting = false;
    this.#without = 0;
    return undefined;
  }

  /** Whether the unit is shown before one that came before it. */
  #isOutOfOrder({ pts }: Packet, { bidirectional }: AccessUnit): boolean {
    const { mayReorder } = this.#facts!;
    const ms = this.#input.milliseconds(pts);
    // Streams without times, such as raw ones.
    if (ms === undefined) return mayReorder && (bidirectional || this.#codec === "h265");
    const back = this.#latestMs - ms;
    this.#latestMs = back > MOST_REORDER_MS ? ms : Math.max(ms, this.#latestMs);
    return back > 0 && back <= MOST_REORDER_MS && (mayReorder || bidirectional);
  }
}

const OUT_OF_ORDER = "its frames are not in the order of showing (B-frames)";
const MAYBE_OUT_OF_ORDER =
  "its frames may be in another order than that of showing (B-frames); where they are not, use --codec copy";

const CODECS: ReadonlyMap<number, VideoCodec> = new Map([
  [AV_CODEC_ID_H264, "h264"],
  [AV_CODEC_ID_HEVC, "h265"],
]);

/** A stream from one keyframe on. */
interface KeyframeFacts {
  /** Pixels that are shown. */
  readonly width: number;
  readonly height: number;
  /** The parameter sets allow frames that come before one that is shown earlier. */
  readonly mayReorder: boolean;
  readonly interlaced: boolean;
}

/** Decodes a keyframe with nothing before it; undefined where no picture comes out. */
async function probeKeyframe(
  codec: Codec,
  unit: Uint8Array,
): Promise<KeyframeFacts | undefined> {
  const context = new CodecContext();
  const packet = new Packet();
  const frame = new Frame();
  context.allocContext3(codec);
  try {
    packet.alloc();
    frame.alloc();
    context.threadCount = 1;
    if (await context.open2(codec, null) < 0) return undefined;
    packet.data = Buffer.from(unit.buffer, unit.byteOffset, unit.byteLength);
    if (await context.sendPacket(packet) < 0 || await context.sendPacket(null) < 0) {
      return undefined;
    }
    if (context.receiveFrameSync(frame) < 0) return undefined;
    const { width, height } = frame;
    const interlaced = frame.hasFlags(AV_FRAME_FLAG_INTERLACED);
    return { width, height, mayReorder: context.hasBFrames > 0, interlaced };
  } finally {
    frame.free();
    packet.free();
    context.freeContext();
  }
}
