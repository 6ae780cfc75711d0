// A video file as a camera, with the file's own frame times; any file that FFmpeg reads.
import { pathFault } from "../../runtime/base/given_file.ts";
import { given } from "../../runtime/base/options.ts";
import { Buffer } from "node:buffer";
import { resolve } from "node:path";
import {
  type CameraSource,
  type Size,
  type SourceContext,
  SourceError,
  type SourceImage,
} from "../source.ts";
import type { CameraSettings } from "../settings.ts";
import { loadVideo } from "../video/load.ts";

/** More threads gained nothing for a single file. */
const MOST_THREADS = 4;
/** Concurrent encodings: many small pictures keep the cores busy, few large ones bound memory. */
const MOST_ENCODERS = 6;
const FEWEST_ENCODERS = 3;
/** The current frame and the next: enough for playing at the file's own pace. */
const PACED_ENCODERS = 2;
/** Larger pictures block the thread for more than a millisecond. */
const MOST_INLINE_PIXELS = 1920 * 1080;
const MOST_PICTURE_BYTES = 64 * 1024 * 1024;

export class VideoFileSource implements CameraSource {
  readonly description: string;
  readonly kind = "recorded";
  readonly #path: string;
  readonly #options: CameraSettings;
  #frames: number | undefined;

  constructor(path: string, options: CameraSettings = {}) {
    this.description = path;
    this.#path = resolve(path);
    this.#options = options;
  }

  expectedImages(): number | undefined {
    return this.#frames;
  }

  async *open({ signal, times, report, onPacket }: SourceContext): AsyncGenerator<SourceImage> {
    const name = `video file ${this.description}`;
    const { formatIn, videoImages, VideoInput } = await loadVideo();
    const { format, isCut } = await formOf(this.#path, name, formatIn);
    const { loop = false, size, fps } = this.#options;
    // Without pacing it works ahead on all cores.
    const bulk = fps === "max";
    const threads = bulk
      ? Math.max(1, Math.min(MOST_THREADS, navigator.hardwareConcurrency - 1))
      : 1;
    let lapStart = 0;
    try {
      do {
        await using input = await VideoInput.open({
          // The explicit protocol keeps a path from being read as a URL.
          url: `file:${this.#path}`,
          name,
          protocols: ["file"],
          // FFmpeg itself looks at fewer bytes first, and at the name.
          ...given({ format }),
          isCut,
          local: true,
        }, signal);
        refuseLists(input.format, name);
        const { nbFrames, codecpar } = input.stream;
        this.#frames = nbFrames > 0n && !loop ? Number(nbFrames) : undefined;
        const start = lapStart;
        let end = 0;
        for await (
          const image of videoImages(input, {
            settings: this.#options,
            threads,
            inline: bulk && isSmall(codecpar),
            encoders: bulk ? encodersFor(size ?? codecpar) : PACED_ENCODERS,
            timestamp: (streamMs) => start + streamMs,
            times,
            // The faults of a film are the same in each lap.
            report: start === 0 ? report : () => {},
            ...given({ onPacket }),
          })
        ) {
          if (signal.aborted) return;
          end = image.timestamp + input.frameMs;
          yield image;
        }
        if (end === 0) {
          throw new SourceError(
            "CORRUPT",
            `Cannot use ${name}: none of its frames could be decoded`,
          );
        }
        lapStart = end;
      } while (loop && !signal.aborted);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** Small enough to scale on this thread without delaying others. */
function isSmall({ width, height }: Size): boolean {
  return width * height <= MOST_INLINE_PIXELS;
}

function encodersFor({ width, height }: Size): number {
  const fits = Math.floor(MOST_PICTURE_BYTES / (width * height * 4));
  return Math.min(MOST_ENCODERS, Math.max(FEWEST_ENCODERS, fits));
}

/** Playlist formats, which would make FFmpeg open the files they name. */
const LIST_FORMATS = ["hls", "dash", "concat", "sdp", "imf"];
/** FFmpeg itself probes no further. */
const PROBE_BYTES = 1024 * 1024;

/**
 * FFmpeg's name of a file's format, undefined for pipes and unknown formats, and whether the file is
 * shorter than it declares, as far as its beginning shows.
 *
 * @throws {SourceError} if the file cannot be opened, or is a playlist.
 */
async function formOf(
  path: string,
  name: string,
  formatIn: (beginning: Buffer, path: string) => string | undefined,
): Promise<{ readonly format: string | undefined; readonly isCut: boolean }> {
  let format: string | undefined;
  let isCut = false;
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) return { format, isCut };
    if (size === 0) throw new SourceError("CORRUPT", `Cannot open ${name}: it is empty`);
    using file = await Deno.open(path);
    const beginning = await beginningOf(file, Math.min(PROBE_BYTES, size));
    format = formatIn(beginning, path);
    isCut = format === "matroska" && segmentEnd(beginning) > size;
  } catch (error) {
    if (error instanceof SourceError) throw error;
    const code = error instanceof Deno.errors.NotFound ? "MISSING" : "UNREADABLE";
    throw new SourceError(code, `Cannot open ${name}: ${pathFault(error)}`);
  }
  if (format === undefined && /\.[cm]?[jt]s$/.test(path)) {
    throw new SourceError(
      "CORRUPT",
      `Cannot open ${name}: FFmpeg cannot read it as video; for a module that makes frames, add a colon after it`,
    );
  }
  refuseLists(format, name);
  return { format, isCut };
}

const SEGMENT = Buffer.from("18538067", "hex");

/** Where the segment of a Matroska file should end; 0 if it does not say. */
function segmentEnd(beginning: Buffer): number {
  const at = beginning.indexOf(SEGMENT) + SEGMENT.length;
  if (at < SEGMENT.length || at + 8 > beginning.length) return 0;
  // The leading zeros of the size tell its length; it is all ones while it is unknown.
  const length = Math.clz32(beginning[at]!) - 23;
  const most = 2n ** BigInt(7 * length) - 1n;
  const size = beginning.readBigUInt64BE(at) >> BigInt(64 - 8 * length) & most;
  return size === most ? 0 : at + length + Number(size);
}

async function beginningOf(file: Deno.FsFile, most: number): Promise<Buffer> {
  const bytes = Buffer.alloc(most);
  let length = 0;
  while (length < most) {
    const read = await file.read(bytes.subarray(length));
    if (read === null) break;
    length += read;
  }
  return bytes.subarray(0, length);
}

function refuseLists(format: string | undefined, name: string): void {
  const list = LIST_FORMATS.find((list) => list === format?.split(",")[0]);
  if (list === undefined) return;
  throw new SourceError(
    "UNSUPPORTED",
    `Cannot use ${name}: it is a playlist (${list}), not a video`,
  );
}
