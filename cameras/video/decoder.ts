// Decodes the packets of a video stream.
import {
  AVERROR_EOF,
  type CodecContext,
  FFmpegError,
  Frame,
  type Packet,
  PosixError,
} from "node-av";
import { messageOf } from "../../runtime/base/errors.ts";
import { AnnexBWriter } from "../../runtime/video/annex_b.ts";
import { openDecoder } from "../../runtime/video/open_decoder.ts";
import { SourceError } from "../source.ts";
import type { VideoInput } from "./input.ts";

/** Returned after each frame; compared as a number, since error objects are slow. */
const EAGAIN = FFmpegError.AVERROR(PosixError.EAGAIN);

/** Smaller packets cannot hold too much. */
const UNCHECKED_BYTES = 8_192;

export class VideoDecoder implements Disposable {
  readonly #context: CodecContext;
  readonly #frame = new Frame();
  readonly #inline: boolean;
  readonly #writer: AnnexBWriter | undefined;
  /** The number of packets that could not be decoded. */
  damaged = 0;

  private constructor(context: CodecContext, { unitCodec, stream }: VideoInput, inline: boolean) {
    this.#context = context;
    this.#inline = inline;
    this.#writer = unitCodec && new AnnexBWriter(unitCodec, stream.codecpar.extradata ?? undefined);
    this.#frame.alloc();
  }

  /**
   * @param options.threads number of frames decoded at once; in a live stream, each thread after
   * the first adds one frame of delay. 0: one per core.
   * @param options.inline sends packets on this thread, which then waits for a decoding thread
   */
  static async open(
    input: VideoInput,
    { threads, inline = false }: { readonly threads: number; readonly inline?: boolean },
  ): Promise<VideoDecoder> {
    const { decoder, name, stream } = input;
    try {
      const context = await openDecoder(decoder, (one) => {
        one.parametersToContext(stream.codecpar);
        one.pktTimebase = stream.timeBase;
        one.threadCount = threads;
      });
      return new VideoDecoder(context, input, inline);
    } catch (error) {
      throw new SourceError("UNSUPPORTED", `Cannot decode ${name}: ${messageOf(error)}`);
    }
  }

  /**
   * Decodes a packet, by default on another thread; `null` for the end.
   *
   * @param take called with each decoded frame, in presentation order. The frame is valid until the
   * returned promise resolves.
   */
  async decode(packet: Packet | null, take: (frame: Frame) => Promise<void>): Promise<void> {
    const data = packet !== null && packet.size > UNCHECKED_BYTES ? packet.data : null;
    if (data !== null && this.#writer?.accepts(data) === false) {
      this.damaged++;
      return;
    }
    for (;;) {
      // Sending does the work; receiving only returns finished frames.
      const code = this.#inline
        ? this.#context.sendPacketSync(packet)
        : await this.#context.sendPacket(packet);
      const full = code === EAGAIN;
      if (code < 0 && !full && packet !== null) this.damaged++;
      await this.#receive(take);
      if (!full) return;
    }
  }

  async #receive(take: (frame: Frame) => Promise<void>): Promise<void> {
    for (;;) {
      const code = this.#context.receiveFrameSync(this.#frame);
      if (code < 0) {
        if (code === EAGAIN || code === AVERROR_EOF) return;
        this.damaged++;
        continue;
      }
      try {
        await take(this.#frame);
      } finally {
        this.#frame.unref();
      }
    }
  }

  [Symbol.dispose](): void {
    this.#frame.free();
    this.#context.freeContext();
  }
}
