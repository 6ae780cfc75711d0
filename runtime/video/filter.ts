// A chain of FFmpeg's filters that frames go through, rebuilt when their shape changes.
import {
  AV_BUFFERSRC_FLAG_KEEP_REF,
  AVCOL_SPC_UNSPECIFIED,
  AVERROR_EOF,
  FFmpegError,
  Filter,
  FilterGraph,
  Frame,
  PosixError,
} from "node-av";
import type { FilterContext } from "node-av";
import { BadFrameError } from "../definition/frame.ts";

const MORE_IS_NEEDED = FFmpegError.AVERROR(PosixError.EAGAIN);

/** Matrices that FFmpeg's scaler converts: RGB, BT.709, FCC, BT.601 (two), SMPTE 240M, BT.2020. */
export const SCALED_MATRICES: ReadonlySet<number> = new Set([0, 1, 4, 5, 6, 7, 9]);

/** A frame's matrix if FFmpeg's scaler converts it: any other is an error there. */
export function scaledMatrix({ colorSpace }: Frame): Frame["colorSpace"] {
  return SCALED_MATRICES.has(colorSpace) ? colorSpace : AVCOL_SPC_UNSPECIFIED;
}

/** A frame for FFmpeg to write into. */
export function newFrame(): Frame {
  const frame = new Frame();
  frame.alloc();
  return frame;
}

/** One filter and its settings, such as `["transpose", "dir=clock"]`. */
export type FilterStep = readonly [name: string, settings?: string];

/** Runs frames through filters, off this thread. Times are kept elsewhere. */
export class FrameFilter implements Disposable {
  readonly #out = newFrame();
  #graph: FilterGraph | undefined;
  #source: FilterContext | undefined;
  #sink: FilterContext | undefined;
  #shape = "";

  /**
   * Gives the filters a frame, or the end (`null`), and takes what comes out, valid until `take`
   * resolves. What they still hold when frames change their shape, or filters are others, comes out
   * first. Without filters the frame passes as it is.
   *
   * @throws {BadFrameError} when a filter cannot work on such frames.
   */
  async run(
    frame: Frame | null,
    steps: readonly FilterStep[],
    take: (frame: Frame) => Promise<void> | void,
  ): Promise<void> {
    const from = frame === null || steps.length === 0
      ? ""
      // Filters that convert between formats must know the colours.
      : `video_size=${frame.width}x${frame.height}:pix_fmt=${frame.format}:time_base=1/1000:` +
        `colorspace=${scaledMatrix(frame)}:range=${frame.colorRange}`;
    const shape = `${from} ${steps.join()}`;
    try {
      if (shape !== this.#shape) {
        if (this.#graph !== undefined) await this.#push(null, take);
        this.#drop();
        if (from !== "") await this.#build(from, steps);
        this.#shape = shape;
      }
      if (frame === null) return;
      if (steps.length === 0) await take(frame);
      else await this.#push(frame, take);
    } catch (error) {
      // Filters that failed once fail for all that follows.
      this.#drop();
      throw error;
    }
  }

  #drop(): void {
    this.#graph?.free();
    this.#graph = undefined;
    this.#shape = "";
  }

  async #push(frame: Frame | null, take: (frame: Frame) => Promise<void> | void): Promise<void> {
    // Otherwise the filters take the frame, which others may be reading.
    check(await this.#source!.buffersrcAddFrame(frame, AV_BUFFERSRC_FLAG_KEEP_REF));
    for (;;) {
      this.#out.unref();
      const code = await this.#sink!.buffersinkGetFrame(this.#out);
      if (code === MORE_IS_NEEDED || code === AVERROR_EOF) return;
      check(code);
      await take(this.#out);
    }
  }

  async #build(from: string, steps: readonly FilterStep[]): Promise<void> {
    const graph = new FilterGraph();
    graph.alloc();
    const make = (filter: string, name: string, settings: string | null) =>
      graph.createFilter(Filter.getByName(filter as never)!, name, settings)!;
    this.#source = make("buffer", "in", from);
    this.#sink = make("buffersink", "out", null);
    let last = this.#source;
    for (const [index, [name, settings]] of steps.entries()) {
      const filter = make(name, `step${index}`, settings ?? null);
      last.link(0, filter, 0);
      last = filter;
    }
    last.link(0, this.#sink, 0);
    const code = await graph.config();
    if (code < 0) graph.free();
    check(code);
    this.#graph = graph;
  }

  [Symbol.dispose](): void {
    this.#graph?.free();
    this.#out.free();
  }
}

function check(code: number): void {
  if (code >= 0) return;
  throw new BadFrameError("corrupt", `Cannot filter a frame: ${FFmpegError.strerror(code)}`);
}
