// A simulated camera that pans over a still picture.
import { parseFps, parseNumber, parseSize, readOptions } from "../options.ts";
import { liveSettings, type SourceKindRow } from "../source_kind.ts";
import { decodeImage } from "../../runtime/image/decode.ts";
import { encodeJpeg, prepareEncoder } from "../../runtime/image/jpeg.ts";
import { PooledImage, type RawImage } from "../../runtime/image/raw.ts";
import { loadSharp } from "../../runtime/image/sharp.ts";
import {
  DEFAULT_QUALITY,
  type ImageSettings,
  type Size,
  type SourceContext,
  SourceError,
  type SourceImage,
} from "../source.ts";
import { ticks } from "../ticker.ts";

interface PanOptions extends ImageSettings {
  /** Frames per second; 15 by default. */
  readonly fps?: number;
  /** Share of the picture's shorter side that a frame shows, 0.1 to 1; 0.85 by default. */
  readonly zoom?: number;
  /** Seconds for one pan there and back; 12 by default. */
  readonly period?: number;
}

const DEFAULT_FPS = 15;
const DEFAULT_ZOOM = 0.85;
const DEFAULT_PERIOD_S = 12;
/** The largest default width. */
const MOST_WIDTH = 960;

async function* frames(
  path: string,
  options: PanOptions,
  context: SourceContext,
): AsyncGenerator<SourceImage> {
  const { fps = DEFAULT_FPS, period = DEFAULT_PERIOD_S, quality = DEFAULT_QUALITY } = options;
  const { picture, size } = await load(path, options);
  const frame = new PooledImage(size.width, size.height, 4);
  try {
    let start: number | undefined;
    await prepareEncoder();
    for await (const timestamp of ticks(fps, context)) {
      start ??= timestamp;
      const turns = (timestamp - start) / 1000 / period;
      // Vertical motion is twice as fast as horizontal: a figure eight on its side.
      const x = Math.round((picture.width - size.width) * swing(turns));
      const y = Math.round((picture.height - size.height) * swing(2 * turns + 0.25));
      crop(picture, x, y, frame);
      const value = await encodeJpeg(frame, { quality });
      yield { value, contentType: "image/jpeg", timestamp, ...size };
    }
  } finally {
    frame.release();
    picture.release();
  }
}

/** Loads the picture, scaled so that a frame is a crop of it. */
async function load(
  path: string,
  { zoom = DEFAULT_ZOOM, size }: PanOptions,
): Promise<{ picture: RawImage; size: Size }> {
  const name = `picture ${path}`;
  let picture: RawImage;
  try {
    picture = await decodeImage(await Deno.readFile(path), 4);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new SourceError("MISSING", `Cannot open ${name}: there is no such file`);
    }
    throw new SourceError("CORRUPT", `Cannot open ${name}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const { width, height } = picture;
  const frameSize = size ?? defaultSize(width * zoom, height * zoom);
  const scale = Math.max(frameSize.width / width, frameSize.height / height) / zoom;
  if (Math.abs(scale - 1) < 0.01) return { picture, size: frameSize };
  const sharp = await loadSharp();
  const { data, info } = await sharp(picture.data, { raw: { width, height, channels: 4 } })
    .resize(
      Math.max(frameSize.width, Math.round(width * scale)),
      Math.max(frameSize.height, Math.round(height * scale)),
      { fit: "fill" },
    ).raw().toBuffer({ resolveWithObject: true });
  picture.release();
  const scaled = { data, width: info.width, height: info.height, channels: 4 as const };
  return { picture: { ...scaled, release() {} }, size: frameSize };
}

function defaultSize(width: number, height: number): Size {
  const scale = Math.min(1, MOST_WIDTH / width);
  // Even sides suit the halved chroma of JPEG and video.
  const even = (side: number) => Math.max(16, 2 * Math.round(side * scale / 2));
  return { width: even(width), height: even(height) };
}

/** Goes smoothly from 0 to 1 and back over one turn. */
function swing(turns: number): number {
  return (1 - Math.cos(2 * Math.PI * turns)) / 2;
}

function crop(from: RawImage, left: number, top: number, to: RawImage): void {
  const row = to.width * 4;
  for (let y = 0; y < to.height; y++) {
    const start = ((top + y) * from.width + left) * 4;
    to.data.set(from.data.subarray(start, start + row), y * row);
  }
}

export const panRow: SourceKindRow = {
  schemes: ["pan"],
  form: "pan:PICTURE",
  help: "A camera that pans over a picture",
  access: { target: "read" },
  make(text, rest, settings) {
    const { rest: path, options } = readOptions(text, rest, {
      size: parseSize,
      fps: parseFps,
      zoom: (text: string) => parseNumber(text, "0.1 to 1", (zoom) => zoom >= 0.1 && zoom <= 1),
      period: (text: string) => parseNumber(text, "seconds above 0", (period) => period > 0),
    });
    if (path === "") {
      throw new SourceError("INVALID", `Cannot use source ${text}: it names no picture`);
    }
    const all = { ...options, ...liveSettings(settings) };
    return { description: text, kind: "live", open: (context) => frames(path, all, context) };
  },
};
