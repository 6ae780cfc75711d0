// Decodes access units of one lane with FFmpeg, each once while its group continues.
//
// Decoding waits until a picture is requested. Then everything that the picture depends on and that
// has not been decoded is decoded first, so a lane without viewers costs nothing.
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import {
  AV_CODEC_FLAG_LOW_DELAY,
  Codec,
  type CodecContext,
  FF_DECODER_H264,
  FF_DECODER_HEVC,
  type Frame,
  Packet,
} from "node-av";
import { ownWork } from "../base/own_work.ts";
import { Semaphore } from "../base/wait.ts";
import { BadFrameError } from "../definition/frame.ts";
import { DEFAULT_MAX_PIXELS } from "../image/inspect.ts";
import { inspectAccessUnit, type VideoCodec } from "./access_unit.ts";
import { newFrame } from "./filter.ts";
import { openDecoder } from "./open_decoder.ts";
import { PictureConverter } from "./picture_converter.ts";
import { shownAtOnce } from "./sequence.ts";
import { VideoPicture } from "./video_picture.ts";

/** Pictures that are kept for those who ask again. Each more costs FFmpeg the processor's caches. */
const KEPT_PICTURES = 2;
/** The same where operators have read older ones: as many as they work on at once, and some. */
const MOST_KEPT_PICTURES = 6;
/** Pixels of all of them, about 100 MB. */
const KEPT_PIXELS = 64 * 1024 * 1024;
/** Larger pictures, those of 4K, would hold a thread for too long at a time. */
const MOST_PIXELS_HERE = 1920 * 1088;
/** A thread that decodes lets its event loop turn at least this often, milliseconds. */
const TURN_MS = 10;

const DECODERS = { h264: FF_DECODER_H264, h265: FF_DECODER_HEVC } as const;

/** A keyframe and the access units that depend on it. */
export interface Group {
  readonly codec: VideoCodec;
  /** In decoding order. */
  readonly units: Uint8Array[];
  /** Decodes units of this lane. */
  readonly decoder: () => GroupDecoder | Promise<GroupDecoder>;
}

/** An access unit at its place in its group. */
export interface Unit {
  readonly group: Group;
  /** Its place in `group.units`. */
  readonly index: number;
}

/** Decoder of one lane. */
export class GroupDecoder {
  readonly #converter = new PictureConverter();
  readonly #packet = new Packet();
  /** FFmpeg's frames for the next pictures. */
  readonly #idle: Frame[] = [];
  #context: { readonly codec: VideoCodec; readonly decoder: CodecContext } | undefined;
  /** What the decoder has seen: the group and how many of its units. */
  #group: Group | undefined;
  #seen = 0;
  /** Units of the group from here on depend on a damaged one. */
  #damagedAt = Infinity;
  /** A decoder is a sequence. */
  readonly #turns = new Semaphore(1);
  /** Decodes on the thread that asks. What comes first may be of any size. */
  #here = false;
  readonly #mayBeHere: boolean;
  #kept: { readonly group: Group; readonly index: number; readonly picture: VideoPicture }[] = [];
  #mostKept = KEPT_PICTURES;
  #closed = false;

  /**
   * @param here decodes on the thread that asks: for executors, which have nothing else to do. Off the thread
   * each unit finds the caches cold and costs two changes of thread, a quarter more in all.
   */
  constructor(here: boolean) {
    this.#mayBeHere = here;
    this.#packet.alloc();
  }

  /**
   * The picture of a unit; release it after use.
   *
   * @throws {BadFrameError} `corrupt` when the unit is damaged, `damaged` when one that it depends on is.
   */
  picture(unit: Unit): VideoPicture | Promise<VideoPicture> {
    const kept = this.#find(unit);
    if (kept !== undefined) return kept.retain();
    const { group, index } = unit;
    const isNext = this.#group === group && this.#seen === index;
    // A lane's usual case. Each promise costs a unit several microseconds.
    if (isNext && this.#here && this.#turns.isFree && !this.#closed) {
      return this.#asked(unit, this.#decodeHere(group, this.#seen++));
    }
    return this.#turns.run(() => this.#find(unit)?.retain() ?? this.#decodeUpTo(unit));
  }

  /** Frees everything but pictures that are still held. */
  close(): void {
    this.#closed = true;
    void this.#turns.run(() => {
      for (const { picture } of this.#kept.splice(0)) picture.release();
      this.#context?.decoder.freeContext();
      this.#packet.free();
      for (const frame of this.#idle.splice(0)) frame.free();
      this.#converter.close();
    });
  }

  #find({ group, index }: Unit): VideoPicture | undefined {
    return this.#kept.find((one) => one.group === group && one.index === index)?.picture;
  }

  async #decodeUpTo(unit: Unit): Promise<VideoPicture> {
    if (this.#closed) throw new Error("Cannot decode: the lane has ended");
    const { group, index } = unit;
    if (this.#group === group && this.#seen > index) this.#mostKept = MOST_KEPT_PICTURES;
    if (this.#group !== group || this.#seen > index) await this.#begin(group);
    let picture: VideoPicture | undefined;
    let turned = performance.now();
    while (this.#seen <= index) {
      const at = this.#seen++;
      picture = this.#here ? this.#decodeHere(group, at) : await this.#decodeElsewhere(group, at);
      if (performance.now() - turned > TURN_MS && at < index) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        turned = performance.now();
      }
    }
    return this.#asked(unit, picture);
  }

  #asked({ group: { codec, units }, index }: Unit, picture?: VideoPicture): VideoPicture {
    if (picture !== undefined && index <= this.#damagedAt) return picture.retain();
    const action = `Cannot decode access unit ${index} of its group`;
    if (index > this.#damagedAt) {
      const why = `unit ${this.#damagedAt}, which it depends on, could not be decoded`;
      throw new BadFrameError("damaged", `${action}: ${why}`);
    }
    const why = inspectAccessUnit(codec, units[index]!).bidirectional
      ? "its frames are not in the order of showing (B-frames)"
      : `it is damaged, no whole frame, or larger than ${DEFAULT_MAX_PIXELS} pixels`;
    throw new BadFrameError("corrupt", `${action}: ${why}`);
  }

  async #begin(group: Group): Promise<void> {
    this.#group = undefined;
    if (this.#context?.codec === group.codec) this.#context.decoder.flushBuffers();
    else await this.#open(group.codec);
    this.#group = group;
    this.#seen = 0;
    this.#damagedAt = Infinity;
  }

  async #open(name: VideoCodec): Promise<void> {
    this.#context?.decoder.freeContext();
    this.#context = undefined;
    const codec = Codec.findDecoderByName(DECODERS[name]);
    if (codec === null) throw new Error(`Cannot decode ${name}: FFmpeg was built without it`);
    // Units come in the order of showing, so that none waits for another.
    const decoder = await openDecoder(codec, (one) => one.setFlags(AV_CODEC_FLAG_LOW_DELAY));
    this.#context = { codec: name, decoder };
  }

  /** Decodes one unit on this thread; FFmpeg's code. */
  #decodeHere(group: Group, index: number): VideoPicture | undefined {
    const decoder = this.#fill(group, index);
    const code = ownWork(() => decoder.sendPacketSync(this.#packet));
    return this.#receive(code, group, index);
  }

  async #decodeElsewhere(group: Group, index: number): Promise<VideoPicture | undefined> {
    return this.#receive(await this.#fill(group, index).sendPacket(this.#packet), group, index);
  }

  /** Fills the packet with a unit. */
  #fill({ codec, units }: Group, index: number): CodecContext {
    const { buffer, byteOffset, byteLength } = shownAtOnce(codec, units[index]!);
    this.#packet.data = Buffer.from(buffer, byteOffset, byteLength);
    this.#packet.pts = BigInt(index);
    return this.#context!.decoder;
  }

  /** The picture of the unit that was decoded; undefined when it is damaged. */
  #receive(sent: number, group: Group, index: number): VideoPicture | undefined {
    this.#packet.unref();
    const frame = this.#idle.pop() ?? newFrame();
    let code = sent;
    while (code >= 0) {
      code = this.#context!.decoder.receiveFrameSync(frame);
      if (frame.pts === BigInt(index)) break;
    }
    if (code < 0 || frame.decodeErrorFlags !== 0) {
      this.#damagedAt = Math.min(this.#damagedAt, index);
      this.#give(frame);
      return undefined;
    }
    const picture = new VideoPicture(frame, this.#converter, this.#give);
    this.#kept.push({ group, index, picture });
    const pixels = picture.width * picture.height;
    this.#here = this.#mayBeHere && pixels <= MOST_PIXELS_HERE;
    const most = Math.max(1, Math.min(this.#mostKept, Math.floor(KEPT_PIXELS / pixels)));
    while (this.#kept.length > most) this.#kept.shift()!.picture.release();
    return picture;
  }

  /** Takes back a frame of FFmpeg's. */
  readonly #give = (frame: Frame): void => {
    if (this.#closed) return frame.free();
    frame.unref();
    this.#idle.push(frame);
  };
}
