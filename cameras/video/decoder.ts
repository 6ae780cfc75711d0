// Decodes the packets of a video stream.
import { AVERROR_EOF, CodecContext, FFmpegError, Frame, type Packet, PosixError } from "node-av";
import { SourceError } from "../source.ts";
import type { VideoInput } from "./input.ts";

/** Returned after each frame; compared as a number, since error objects are slow. */
const EAGAIN = FFmpegError.AVERROR(PosixError.EAGAIN);

export class VideoDecoder implements Disposable {
  readonly #context = new CodecContext();
  readonly #frame = new Frame();
  readonly #inline: boolean;
  #damaged = 0;

  private constructor(inline: boolean) {
    this.#inline = inline;
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
    const decoder = new VideoDecoder(inline);
    const context = decoder.#context;
    context.allocContext3(input.decoder);
    context.parametersToContext(input.stream.codecpar);
    context.pktTimebase = input.stream.timeBase;
    context.threadCount = threads;
    const code = await context.open2(input.decoder, null);
    if (code < 0) {
      context.freeContext();
      throw new SourceError(
        "UNSUPPORTED",
        `Cannot decode ${input.name}: its ${input.decoder.longName} decoder says ${
          FFmpegError.strerror(code)
        }`,
      );
    }
    decoder.#frame.alloc();
    return decoder;
  }

  /** The number of packets that could not be decoded. */
  get damaged(): number {
    return this.#damaged;
  }

  /**
   * Decodes a packet, by default on another thread; `null` for the end.
   *
   * @param take called with each decoded frame, in presentation order. The frame is valid until the
   * returned promise resolves.
   */
  async decode(
    packet: Packet | null,
    take: (frame: Frame) => Promise<void>,
  ): Promise<void> {
    for (;;) {
      // Sending does the work; receiving only returns finished frames.
      const code = this.#inline
        ? this.#context.sendPacketSync(packet)
        : await this.#context.sendPacket(packet);
      const full = code === EAGAIN;
      if (code < 0 && !full && packet !== null) this.#damaged++;
      await this.#receive(take);
      if (!full) return;
    }
  }

  /** Resets the decoder for the stream's next lap. */
  beginAgain(): void {
    this.#context.flushBuffers();
  }

  async #receive(take: (frame: Frame) => Promise<void>): Promise<void> {
    for (;;) {
      const code = this.#context.receiveFrameSync(this.#frame);
      if (code < 0) {
        if (code === EAGAIN || code === AVERROR_EOF) return;
        this.#damaged++;
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
