// Copies access units from a stream into records, unchanged.
import { Buffer } from "node:buffer";
import {
  AV_FRAME_FLAG_INTERLACED,
  AV_PKT_DATA_NEW_EXTRADATA,
  type Codec,
  Frame,
  Packet,
} from "node-av";
import { BadFrameError } from "../../runtime/definition/frame.ts";
import type { AccessUnit, VideoCodec } from "../../runtime/video/access_unit.ts";
import { type AnnexBUnit, AnnexBWriter, joinFields } from "../../runtime/video/annex_b.ts";
import { openDecoder } from "../../runtime/video/open_decoder.ts";
import { unmarked } from "../net/rtp.ts";
import type { CodecChoice, ImageSettings, SourceImage } from "../source.ts";
import { timeOf, type VideoInput } from "./input.ts";
import { turningSteps } from "./rotation.ts";

/** A record without its timestamp, and its time in the stream. */
type CopiedUnit = Omit<SourceImage, "timestamp"> & { readonly time: bigint };

type TimedUnit = { readonly unit: AnnexBUnit } & Pick<Packet, "pts" | "dts">;

export class NotCopied {
  /**
   * @param atKeyframe true if the packet that showed it is a keyframe
   * @param mayRecover true if the stream may be better when it is opened again
   */
  constructor(
    readonly why: string,
    readonly atKeyframe = true,
    readonly mayRecover = false,
  ) {}
}

/** A stream without a complete keyframe in this many packets, five seconds or more, is refused. */
const MOST_WITHOUT_KEYFRAME = 300;
/** The same for one that lost packets on the way here. */
const MOST_WITH_LOSSES = 3_000;

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
  /** A field that waits for the other one of its frame. */
  #field: TimedUnit | undefined;
  /** Packets since the last one of which a unit was copied. */
  #since = 0;
  /** True if packets were lost since then. */
  #lossy = false;
  /** Times of the last two frames, milliseconds. */
  #shown: readonly [before: number, last: number] = [-Infinity, -Infinity];
  skipped = 0;
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
    const { unitCodec: codec } = input;
    if (choice === "jpeg" || size !== undefined || quality !== undefined) {
      return new NotCopied("JPEG was requested");
    }
    if (codec === undefined) return new NotCopied(`its codec is ${input.codecName}`);
    if (turningSteps(input.stream).length > 0) return new NotCopied("its frames must be rotated");
    return new UnitCopier(input, codec, choice);
  }

  get damaged(): number {
    return this.#damaged + (this.#field === undefined ? 0 : 1);
  }

  /**
   * Copies the next packet; undefined if it depends on a missing keyframe, or is the first of a frame's two
   * fields, which are copied together.
   */
  async take(packet: Packet): Promise<CopiedUnit | NotCopied | undefined> {
    const mayRecover = this.#lossy;
    const most = mayRecover ? MOST_WITH_LOSSES : MOST_WITHOUT_KEYFRAME;
    if (++this.#since > most) {
      return new NotCopied(`there is no whole keyframe among ${most} packets`, true, mayRecover);
    }
    const configuration = packet.getSideData(AV_PKT_DATA_NEW_EXTRADATA);
    if (configuration !== null) this.#writer.configure(configuration);
    let written;
    try {
      const whole = this.#input.format === "rtsp"
        ? unmarked(this.#codec, packet.data!)
        : packet.data!;
      if (whole === undefined || this.#input.lacksParts) {
        this.#lossy = true;
        return this.#lose();
      }
      written = this.#writer.write(whole);
    } catch (error) {
      if (!(error instanceof BadFrameError)) throw error;
      return this.#lose();
    }
    if (written.field !== undefined && this.#choice === "auto") {
      return new NotCopied(INTERLACED, written.keyframe);
    }
    const { pts, dts } = packet;
    const frame = this.#frameOf({ unit: written, pts, dts });
    if (frame === undefined) return undefined;
    const { unit } = frame;
    if (unit.keyframe) {
      const failed = await this.#begin(unit.bytes);
      if (failed !== undefined) return failed;
    }
    if (this.#awaitsKeyframe) {
      this.skipped++;
      return undefined;
    }
    if (this.#isOutOfOrder(frame.pts, unit)) {
      return new NotCopied(OUT_OF_ORDER, false);
    }
    this.#since = 0;
    this.#lossy = false;
    const { width, height } = this.#facts!;
    return {
      value: unit.bytes,
      contentType: `video/${this.#codec}`,
      width,
      height,
      time: timeOf(frame),
      ...(unit.keyframe
        ? { headers: { keyframe: "1", ...(unit.codec === undefined ? {} : { codec: unit.codec }) } }
        : {}),
    };
  }

  /** The whole frame: of two fields, with the second. */
  #frameOf(next: TimedUnit): TimedUnit | undefined {
    const first = this.#field;
    const unit = first && joinFields(first.unit, next.unit);
    this.#field = undefined;
    if (unit !== undefined) return { ...first!, unit };
    if (first !== undefined) this.#lose();
    if (next.unit.field === undefined) return next;
    this.#field = next;
    return undefined;
  }

  /** A frame is damaged: those that follow depend on it. */
  #lose(): undefined {
    this.#damaged++;
    this.#field = undefined;
    this.#awaitsKeyframe = true;
  }

  async #begin(unit: Uint8Array): Promise<NotCopied | undefined> {
    if (this.#facts === undefined || this.#writer.parameters !== this.#parameters) {
      const facts = await probeKeyframe(this.#input.decoder, unit);
      if (facts === undefined) return this.#lose();
      const auto = this.#choice === "auto";
      if (facts.mayReorder && auto) return new NotCopied(MAYBE_OUT_OF_ORDER);
      if (facts.interlaced && auto) return new NotCopied(INTERLACED);
      this.#facts = facts;
      this.#parameters = this.#writer.parameters;
    }
    this.#awaitsKeyframe = false;
    return undefined;
  }

  /** Whether the unit is shown before one that came before it. */
  #isOutOfOrder(pts: bigint, { keyframe, bidirectional }: AccessUnit): boolean {
    const { mayReorder } = this.#facts!;
    const ms = this.#input.milliseconds(pts);
    if (ms === undefined) {
      // Streams without times, such as raw ones. Of an RTSP stream FFmpeg omits the first time alone.
      return mayReorder && !keyframe && (bidirectional || this.#codec === "h265");
    }
    const [before, last] = this.#shown;
    // Further back, the stream's clock was set.
    const isBetween = before < ms && ms < last;
    if (!isBetween) this.#shown = [last, ms];
    return isBetween && (mayReorder || bidirectional);
  }
}

const INTERLACED = "it is interlaced";
const OUT_OF_ORDER = "its frames are not in presentation order (B-frames)";
const MAYBE_OUT_OF_ORDER =
  "its frames may not be in presentation order (B-frames); if they are, use --codec copy";

interface KeyframeFacts {
  readonly width: number;
  readonly height: number;
  /** The parameter sets allow a frame to precede one that is shown earlier. */
  readonly mayReorder: boolean;
  readonly interlaced: boolean;
}

/** Decodes a keyframe alone; undefined if that yields no picture. */
async function probeKeyframe(codec: Codec, unit: Uint8Array): Promise<KeyframeFacts | undefined> {
  const context = await openDecoder(codec);
  const packet = new Packet();
  const frame = new Frame();
  try {
    packet.alloc();
    frame.alloc();
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
