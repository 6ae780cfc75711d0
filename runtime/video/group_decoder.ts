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
  Frame,
  Packet,
} from "node-av";
import { ownWork } from "../base/own_work.ts";
import { BadFrameError } from "../definition/frame.ts";
import { DEFAULT_MAX_PIXELS } from "../image/inspect.ts";
import { inspectAccessUnit, type VideoCodec } from "./access_unit.ts";
import { openDecoder } from "./open_decoder.ts";
import { shownAtOnce } from "./sequence.ts";
import type { Group, Unit, UnitDecoder } from "./unit.ts";
import { PictureConverter, VideoPicture } from "./video_picture.ts";

/** Pictures that are kept for those who ask again. Each more costs FFmpeg the processor's caches. */
const KEPT_PICTURES = 2;
/** The same where operators have read older ones: as many as they work on at once, and some. */
const MOST_KEPT_PICTURES = 6;
const KEPT_BYTES = 96 * 1024 * 1024;
/** Larger pictures, those of 4K, would hold a thread for too long at a time. */
const MOST_PIXELS_HERE = 1920 * 1088;
/** A thread that decodes lets its event loop turn at least this often, milliseconds. */
const TURN_MS = 10;

const DECODERS = { h264: FF_DECODER_H264, h265: FF_DECODER_HEVC } as const;

/** Decoder of one lane. */
export class GroupDecoder implements UnitDecoder {
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
  /** Calls wait for each other: a decoder is a sequence. */
  #turn: Promise<unknown> = Promise.resolve();
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

  picture(unit: Unit): Promise<VideoPicture> {
    const kept = this.#find(unit);
    if (kept !== undefined) return Promise.resolve(kept.retain());
    const turn = this.#turn.then(async () => {
      return this.#find(unit)?.retain() ?? await this.#decodeUpTo(unit);
    });
    this.#turn = turn.catch(() => {}); // The caller gets the error.
    return turn;
  }

  /** Frees everything but pictures that are still held. */
  close(): void {
    this.#closed = true;
    this.#turn = this.#turn.then(() => {
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

  async #decodeUpTo({ group, index }: Unit): Promise<VideoPicture> {
    if (this.#closed) throw new Error("Cannot decode: the lane has ended");
    if (this.#group === group && this.#seen > index) this.#mostKept = MOST_KEPT_PICTURES;
    if (this.#group !== group || this.#seen > index) await this.#begin(group);
    const { decoder } = this.#context!;
    let picture: VideoPicture | undefined;
    let turned = performance.now();
    while (this.#seen <= index) {
      const at = this.#seen++;
      const bytes = shownAtOnce(group.codec, group.units[at]!);
      picture = await this.#send(decoder, bytes, at) < 0
        ? undefined
        : this.#receive(decoder, group, at);
      if (picture === undefined) this.#damagedAt = Math.min(this.#damagedAt, at);
      if (performance.now() - turned > TURN_MS && at < index) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        turned = performance.now();
      }
    }
    if (picture === undefined || index > this.#damagedAt) {
      throw this.#fault(group, index);
    }
    return picture.retain();
  }

  #fault({ codec, units }: Group, index: number): BadFrameError {
    const action = `Cannot decode access unit ${index} of its group`;
    const before = this.#damagedAt;
    if (index > before) {
      return new BadFrameError(
        "damaged",
        `${action}: unit ${before}, which it depends on, could not be decoded`,
      );
    }
    const why = inspectAccessUnit(codec, units[index]!).bidirectional
      ? "its frames are not in the order of showing (B-frames)"
      : `it is damaged, no whole frame, or larger than ${DEFAULT_MAX_PIXELS} pixels`;
    return new BadFrameError("corrupt", `${action}: ${why}`);
  }

  async #begin(group: Group): Promise<void> {
    this.#group = group;
    this.#seen = 0;
    this.#damagedAt = Infinity;
    if (this.#context?.codec === group.codec) return this.#context.decoder.flushBuffers();
    this.#context?.decoder.freeContext();
    this.#context = undefined;
    const codec = Codec.findDecoderByName(DECODERS[group.codec]);
    if (codec === null) {
      throw new Error(`Cannot decode ${group.codec}: FFmpeg was built without it`);
    }
    // Units come in the order of showing, so that none waits for another.
    const decoder = await openDecoder(codec, (one) => one.setFlags(AV_CODEC_FLAG_LOW_DELAY));
    this.#context = { codec: group.codec, decoder };
  }

  /** Decodes one unit; FFmpeg's code. */
  async #send(decoder: CodecContext, bytes: Uint8Array, index: number): Promise<number> {
    this.#packet.data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#packet.pts = BigInt(index);
    try {
      return this.#here
        ? ownWork(() => decoder.sendPacketSync(this.#packet))
        : await decoder.sendPacket(this.#packet);
    } finally {
      this.#packet.unref();
    }
  }

  /** The picture of the unit that was decoded; undefined when it is damaged. */
  #receive(decoder: CodecContext, group: Group, index: number): VideoPicture | undefined {
    const frame = this.#idle.pop() ?? newFrame();
    let picture: VideoPicture | undefined;
    try {
      do {
        if (decoder.receiveFrameSync(frame) < 0) return undefined;
      } while (frame.pts !== BigInt(index));
      const { width, height } = frame;
      if (frame.decodeErrorFlags !== 0) return undefined;
      this.#here = this.#mayBeHere && width * height <= MOST_PIXELS_HERE;
      picture = new VideoPicture(frame, this.#converter, this.#give);
    } finally {
      if (picture === undefined) this.#give(frame);
    }
    this.#kept.push({ group, index, picture });
    const most = Math.max(1, Math.min(this.#mostKept, Math.floor(KEPT_BYTES / picture.bytes)));
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

function newFrame(): Frame {
  const frame = new Frame();
  frame.alloc();
  return frame;
}
