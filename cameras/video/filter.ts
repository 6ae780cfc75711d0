// A chain of FFmpeg's filters that frames go through, rebuilt when their shape changes.
import { AVERROR_EOF, FFmpegError, Filter, FilterGraph, Frame, PosixError } from "node-av";
import type { FilterContext } from "node-av";
import { SourceError } from "../source.ts";

const MORE_IS_NEEDED = FFmpegError.AVERROR(PosixError.EAGAIN);

/** One filter and its settings, such as `["transpose", "dir=clock"]`. */
export type FilterStep = readonly [name: string, settings?: string];

/** Runs frames through filters, off this thread. Times are kept elsewhere. */
export class FrameFilter implements Disposable {
  readonly #steps: readonly FilterStep[];
  readonly #out = new Frame();
  #graph: FilterGraph | undefined;
  #source: FilterContext | undefined;
  #sink: FilterContext | undefined;
  #shape = "";

  constructor(steps: readonly FilterStep[]) {
    this.#steps = steps;
    this.#out.alloc();
  }

  /**
   * Gives the filters a frame, or the end (`null`), and takes what comes out, valid until `take`
   * resolves. What a filter still holds when frames change their shape comes out first.
   *
   * @throws {SourceError} when a filter cannot work on such frames.
   */
  async run(frame: Frame | null, take: (frame: Frame) => Promise<void> | void): Promise<void> {
    const shape = frame === null
      ? ""
      : `video_size=${frame.width}x${frame.height}:pix_fmt=${frame.format}`;
    if (shape !== this.#shape) {
      if (this.#graph !== undefined) await this.#push(null, take);
      this.#graph?.free();
      this.#graph = undefined;
      this.#shape = shape;
      if (frame !== null) await this.#build(shape);
    }
    if (frame !== null) await this.#push(frame, take);
  }

  async #push(frame: Frame | null, take: (frame: Frame) => Promise<void> | void): Promise<void> {
    this.#check(await this.#source!.buffersrcAddFrame(frame));
    for (;;) {
      this.#out.unref();
      const code = await this.#sink!.buffersinkGetFrame(this.#out);
      if (code === MORE_IS_NEEDED || code === AVERROR_EOF) return;
      this.#check(code);
      await take(this.#out);
    }
  }

  async #build(shape: string): Promise<void> {
    const graph = this.#graph = new FilterGraph();
    graph.alloc();
    const make = (filter: string, name: string, settings: string | null) =>
      graph.createFilter(Filter.getByName(filter as never)!, name, settings)!;
    this.#source = make("buffer", "in", `${shape}:time_base=1/1000`);
    this.#sink = make("buffersink", "out", null);
    let last = this.#source;
    for (const [index, [name, settings]] of this.#steps.entries()) {
      const filter = make(name, `step${index}`, settings ?? null);
      last.link(0, filter, 0);
      last = filter;
    }
    last.link(0, this.#sink, 0);
    this.#check(await graph.config());
  }

  #check(code: number): void {
    if (code >= 0) return;
    throw new SourceError(
      "CORRUPT",
      `Cannot filter a frame (${this.#steps.map(([name]) => name).join()}): ${
        FFmpegError.strerror(code)
      }`,
    );
  }

  [Symbol.dispose](): void {
    this.#graph?.free();
    this.#out.free();
  }
}
