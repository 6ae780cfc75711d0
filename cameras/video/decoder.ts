/**
 * Decodes the packets of a video stream.
 *
 * @module
 */
import { CodecContext, FFmpegError, Frame, type Packet } from "node-av";
import { SourceError } from "../source.ts";
import type { VideoInput } from "./input.ts";

/** A decoder at work on one stream. */
export class VideoDecoder implements Disposable {
  readonly #context = new CodecContext();
  readonly #frame = new Frame();
  #damaged = 0;

  /**
   * @param threads decodes so many frames at once; a live stream is one frame later for each beyond
   * the first. 0: one a core.
   */
  static async open(input: VideoInput, threads: number): Promise<VideoDecoder> {
    const decoder = new VideoDecoder();
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
   * Decodes a packet off this thread; `null` says that there are no more.
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
      const code = await this.#context.sendPacket(packet);
      const full = code < 0 && FFmpegError.fromCode(code)?.isEAGAIN === true;
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
        const error = FFmpegError.fromCode(code);
        if (error?.isEAGAIN || error?.isEOF) return;
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
