// Decodes the packets of a video stream.
import { AVERROR_EOF, CodecContext, FFmpegError, Frame, type Packet, PosixError } from "node-av";
import { SourceError } from "../source.ts";
import type { VideoInput } from "./input.ts";

/** Comes after each frame: an error object would be made, with its stack, only to be compared. */
const MORE_IS_NEEDED = FFmpegError.AVERROR(PosixError.EAGAIN);

export class VideoDecoder implements Disposable {
  readonly #context = new CodecContext();
  readonly #frame = new Frame();
  readonly #inline: boolean;
  #damaged = 0;

  private constructor(inline: boolean) {
    this.#inline = inline;
  }

  /**
   * @param options.threads number of frames decoded at once; a live stream is one frame later for each beyond
   * the first. 0: one a core.
   * @param options.inline hands packets over on this thread, which then waits for a decoding thread
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

  /** Packets that could not be decoded. */
  get damaged(): number {
    return this.#damaged;
  }

  /**
   * Decodes a packet, off this thread by default; `null` says that there are no more.
   *
   * @param take is called for each frame that is ready, in the order of showing. The frame is valid
   * until the promise that it returns resolves.
   */
  async decode(
    packet: Packet | null,
    take: (frame: Frame) => Promise<void>,
  ): Promise<void> {
    for (;;) {
      // The work is done here; receiving only hands over what is ready.
      const code = this.#inline
        ? this.#context.sendPacketSync(packet)
        : await this.#context.sendPacket(packet);
      const full = code === MORE_IS_NEEDED;
      if (code < 0 && !full && packet !== null) this.#damaged++;
      await this.#receive(take);
      if (!full) return;
    }
  }

  /** Forgets what came before, also the end. */
  beginAgain(): void {
    this.#context.flushBuffers();
  }

  async #receive(take: (frame: Frame) => Promise<void>): Promise<void> {
    for (;;) {
      const code = this.#context.receiveFrameSync(this.#frame);
      if (code < 0) {
        if (code === MORE_IS_NEEDED || code === AVERROR_EOF) return;
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
