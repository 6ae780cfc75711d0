// Copies access units from a stream into records, unchanged.
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

type CopiedUnit = Omit<SourceImage, "timestamp">;

/** Why a stream cannot be copied. */
export class NotCopied {
  readonly why: string;
  /** True if the packet that showed it is a keyframe. */
  readonly atKeyframe: boolean;

  constructor(why: string, atKeyframe = true) {
    this.why = why;
    this.atKeyframe = atKeyframe;
  }
}

/** A stream without a keyframe in this many packets, ten seconds or more, has none. */
const MOST_WITHOUT_KEYFRAME = 300;
/** Frames out of order are closer than this; a larger step back is a jump of the stream's clock. */
const MOST_REORDER_MS = 1_000;

/** Turns the packets of one stream into records. */
export class UnitCopier {
  readonly #input: VideoInput;
  readonly #codec: VideoCodec;
  readonly #choice: CodecChoice;
  readonly #writer: AnnexBWriter;
  #facts: KeyframeFacts | undefined;
  #parameters = "";
  /** True while units depend on one that was skipped. */
  #awaitsKeyframe = true;
  #sinceKeyframe = 0;
  #latestMs = -Infinity;
  #skipped = 0;
  #damaged = 0;

  private constructor(input: VideoInput, codec: VideoCodec, choice: CodecChoice) {
    this.#input = input;
    this.#codec = codec;
    this.#choice = choice;
    this.#writer = new AnnexBWriter(codec, input.stream.codecpar.extradata ?? undefined);
  }

  /** Creates a copier for a stream, or says why it cannot be copied. */
  static of(input: VideoInput, settings: ImageSettings): UnitCopier | NotCopied {
    const { codec: choice = "jpeg", size, quality } = settings;
    const { degrees, mirrored } = rotationOf(input.stream);
    const codec = CODECS.get(input.stream.codecpar.codecId);
    if (choice === "jpeg") return new NotCopied("JPEG was requested");
    if (codec === undefined) return new NotCopied(`its codec is ${input.codecName}`);
    if (size !== undefined) return new NotCopied("--size requires re-encoding");
    if (quality !== undefined) return new NotCopied("--quality requires re-encoding");
    if (degrees !== 0 || mirrored) return new NotCopied("its frames must be rotated");
    if (choice === "auto" && input.stream.codecpar.videoDelay > 0) {
      return new NotCopied(MAYBE_OUT_OF_ORDER);
    }
    return new UnitCopier(input, codec, choice);
  }

  get skipped(): number {
    return this.#skipped;
  }

  get damaged(): number {
    return this.#damaged;
  }

  /** Copies the next packet; undefined if it depends on a missing keyframe. */
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
      this.#awaitsKeyframe = true;
      return undefined;
    }
    if (unit.keyframe) {
      const failed = await this.#begin(unit.bytes);
      if (failed !== undefined) return failed;
    }
    if (this.#awaitsKeyframe) {
      this.#skipped++;
      return ++this.#sinceKeyframe < MOST_WITHOUT_KEYFRAME ? undefined : new NotCopied(
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

  /** Starts the next lap, with a keyframe. */
  beginAgain(): void {
    this.#awaitsKeyframe = true;
    this.#latestMs = -Infinity;
  }

  async #begin(unit: Uint8Array): Promise<NotCopied | undefined> {
    if (this.#facts === undefined || this.#writer.parameters !== this.#parameters) {
      const facts = await probeKeyframe(this.#input.decoder, unit);
      if (facts === undefined) {
        if (this.#codec === "h264" && isField(unit)) {
          return new NotCopied("its packets hold single fields, not whole frames");
        }
        this.#damaged++;
        this.#awaitsKeyframe = true;
        return undefined;
      }
      const auto = this.#choice === "auto";
      if (facts.mayReorder && auto) return new NotCopied(MAYBE_OUT_OF_ORDER);
      if (facts.interlaced && auto) return new NotCopied("it is interlaced");
      this.#facts = facts;
      this.#parameters = this.#writer.parameters;
    }
    this.#awaitsKeyframe = false;
    this.#sinceKeyframe = 0;
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

const OUT_OF_ORDER = "its frames are not in presentation order (B-frames)";
const MAYBE_OUT_OF_ORDER =
  "its frames may not be in presentation order (B-frames); if they are, use --codec copy";

const CODECS: ReadonlyMap<number, VideoCodec> = new Map([
  [AV_CODEC_ID_H264, "h264"],
  [AV_CODEC_ID_HEVC, "h265"],
]);

/** Properties of a stream from a keyframe on. */
interface KeyframeFacts {
  readonly width: number;
  readonly height: number;
  /** The parameter sets allow a frame to precede one that is shown earlier. */
  readonly mayReorder: boolean;
  readonly interlaced: boolean;
}

/** Decodes a keyframe alone; undefined if that yields no picture. */
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
