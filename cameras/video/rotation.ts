/**
 * Which way up a video was filmed, and turning its frames upright.
 *
 * @module
 */
import {
  AV_PKT_DATA_DISPLAYMATRIX,
  FFmpegError,
  Filter,
  type FilterContext,
  FilterGraph,
  Frame,
  type Stream,
} from "node-av";
import { SourceError } from "../source.ts";

/** How frames must be turned to be upright. */
export interface Rotation {
  /** Clockwise. */
  readonly degrees: 0 | 90 | 180 | 270;
  /** Left and right are exchanged, before turning. */
  readonly mirrored: boolean;
}

/** As it is. */
const UPRIGHT: Rotation = { degrees: 0, mirrored: false };

/** What the metadata of a stream say about its rotation, to the nearest quarter. */
export function rotationOf(stream: Stream): Rotation {
  const matrix = stream.codecpar.getCodedSideData(AV_PKT_DATA_DISPLAYMATRIX);
  if (matrix === null || matrix.length < 36) return UPRIGHT;
  const view = new DataView(matrix.buffer, matrix.byteOffset, matrix.length);
  // Row vectors: (x, y) is shown at (a·x + c·y, b·x + d·y); fixed-point in native byte order.
  const at = (index: number) => view.getInt32(index * 4, true) / 65_536;
  const [a, b, c, d] = [at(0), at(1), at(3), at(4)];
  const mirrored = a * d - b * c < 0;
  const [x, y] = mirrored ? [-a, -b] : [a, b];
  const degrees = Math.round(Math.atan2(y, x) / (Math.PI / 2)) * 90;
  return { degrees: ((degrees + 360) % 360) as Rotation["degrees"], mirrored };
}

const FILTERS = {
  0: "null",
  90: "transpose=clock",
  180: "hflip,vflip",
  270: "transpose=cclock",
} as const;

/** Turns frames by a filter of FFmpeg's. */
export class Turner implements Disposable {
  readonly #filters: string;
  readonly #turned = new Frame();
  #graph: FilterGraph | undefined;
  #source: FilterContext | undefined;
  #sink: FilterContext | undefined;
  #shape = "";

  constructor({ degrees, mirrored }: Rotation) {
    this.#filters = (mirrored ? "hflip," : "") + FILTERS[degrees];
    this.#turned.alloc();
  }

  /** The frame upright; valid until the next call. */
  async turn(frame: Frame): Promise<Frame> {
    const shape = `video_size=${frame.width}x${frame.height}:pix_fmt=${frame.format}`;
    if (shape !== this.#shape) await this.#build(shape);
    this.#turned.unref();
    await this.#check(this.#source!.buffersrcAddFrame(frame));
    await this.#check(this.#sink!.buffersinkGetFrame(this.#turned));
    return this.#turned;
  }

  async #build(shape: string): Promise<void> {
    this.#graph?.free();
    const graph = this.#graph = new FilterGraph();
    graph.alloc();
    const make = (filter: string, name: string, settings: string | null) =>
      graph.createFilter(Filter.getByName(filter as never)!, name, settings)!;
    // Timestamps are kept elsewhere: any time base will do.
    this.#source = make("buffer", "in", `${shape}:time_base=1/1000`);
    this.#sink = make("buffersink", "out", null);
    let last = this.#source;
    for (const [index, text] of this.#filters.split(",").entries()) {
      const [name, settings] = text.split("=");
      const filter = make(name!, `turn${index}`, settings === undefined ? null : `dir=${settings}`);
      last.link(0, filter, 0);
      last = filter;
    }
    last.link(0, this.#sink, 0);
    await this.#check(graph.config());
    this.#shape = shape;
  }

  async #check(result: Promise<number>): Promise<void> {
    const code = await result;
    if (code < 0) {
      throw new SourceError(
        "UNSUPPORTED",
        `Cannot turn a frame upright: ${FFmpegError.strerror(code)}`,
      );
    }
  }

  [Symbol.dispose](): void {
    this.#graph?.free();
    this.#turned.free();
  }
}
