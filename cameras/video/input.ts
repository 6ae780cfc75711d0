// A video stream of a file, a network camera or a device, opened with FFmpeg; yields packets.
import type { Buffer } from "node:buffer";
import {
  AV_CODEC_ID_H264,
  AV_CODEC_ID_HEVC,
  AV_LOG_QUIET,
  AV_NOPTS_VALUE,
  AV_PKT_FLAG_CORRUPT,
  AVDISCARD_ALL,
  AVERROR_INVALIDDATA,
  avGetCodecName,
  AVMEDIA_TYPE_VIDEO,
  Codec,
  Dictionary,
  FFmpegError,
  FormatContext,
  InputFormat,
  Log,
  Packet,
  type Stream,
} from "node-av";
import { settled } from "../../runtime/base/wait.ts";
import type { VideoCodec } from "../../runtime/video/access_unit.ts";
import { NOT_PERMITTED, SourceError, type SourceErrorCode } from "../source.ts";

// FFmpeg would write URLs with passwords to standard error.
Log.setLevel(AV_LOG_QUIET);

export interface VideoInputOptions {
  /** A path, or a URL that FFmpeg understands; it may come later, within the time limit. */
  readonly url: string | Promise<string>;
  /** For messages: `video file clip.mp4`, without secrets. */
  readonly name: string;
  /** The only protocols that FFmpeg may use. */
  readonly protocols: readonly string[];
  /** FFmpeg's name of the input format; detected by default. */
  readonly format?: string;
  /** More options of FFmpeg's demuxer. */
  readonly options?: Readonly<Record<string, string>>;
  /** False for a remote stream, which may recover later. */
  readonly local: boolean;
  /** True of a file that is known to be cut off. */
  readonly isCut?: boolean;
  /** False if the codec is known before the first frame, which saves seconds. True by default. */
  readonly probe?: boolean;
  /** Ends opening it, with its reason. */
  readonly late?: AbortSignal;
}

/** A rate above is that of a clock: a picture in a sound file has no other. */
const MOST_FPS = 1_000;

const UNIT_CODECS: ReadonlyMap<number, VideoCodec> = new Map([
  [AV_CODEC_ID_H264, "h264"],
  [AV_CODEC_ID_HEVC, "h265"],
]);

export class VideoInput implements AsyncDisposable {
  readonly name: string;
  /** FFmpeg's name of the container, e.g. `mov,mp4,m4a,3gp,3g2,mj2`. */
  readonly format: string;
  readonly stream: Stream;
  decoder!: Codec;
  /** FFmpeg's name of the codec: `h264`, `hevc`, `mjpeg`. */
  codecName = "unknown";
  /** The codec, if packets are access units. */
  unitCodec: VideoCodec | undefined;
  /** Milliseconds between frames according to the stream; 40 by default. */
  readonly frameMs: number;
  readonly #context: FormatContext;
  readonly #tickMs: number;
  /** The latest time of a packet, milliseconds. */
  #latestMs = 0;
  /** True if the file is cut off. */
  #isCut: boolean;
  /** Whether FFmpeg marked the last packet as one that lacks something. */
  #marked = false;
  /** Whether the last packet lacks parts, as far as FFmpeg knows. */
  lacksParts = false;
  #packets = 0;
  readonly #local: boolean;
  readonly #signal: AbortSignal;
  readonly #packet = new Packet();

  private constructor(
    context: FormatContext,
    stream: Stream,
    { name, local, isCut = false }: VideoInputOptions,
    signal: AbortSignal,
  ) {
    this.stream = stream;
    this.name = name;
    this.followCodec();
    this.#context = context;
    this.#local = local;
    this.#isCut = isCut;
    this.#signal = signal;
    signal.addEventListener("abort", this.interrupt, { once: true });
    this.#packet.alloc();
    this.format = context.iformat?.name ?? "";
    this.#tickMs = stream.timeBase.num * 1000 / stream.timeBase.den;
    const { num, den } = stream.avgFrameRate.num > 0 ? stream.avgFrameRate : stream.rFrameRate;
    const rate = num / den;
    this.frameMs = rate > 0 && rate <= MOST_FPS ? 1000 / rate : 40;
  }

  /**
   * Opens the best video stream. The signal interrupts it also later.
   *
   * @throws {SourceError} with the fault of the input.
   * @throws the signal's reason if it aborts.
   */
  static async open(options: VideoInputOptions, signal: AbortSignal): Promise<VideoInput> {
    const { url, name, protocols, format, local, probe = true, late } = options;
    signal.throwIfAborted();
    const inputFormat = format === undefined ? null : InputFormat.findInputFormat(format);
    const context = new FormatContext();
    context.allocContext();
    const interrupt = () => context.interrupt();
    const limit = late === undefined ? signal : AbortSignal.any([signal, late]);
    limit.addEventListener("abort", interrupt, { once: true });
    let opened = false;
    const check = (code: number) => {
      if (code < 0) throw describeAvError("open", name, code, local);
    };
    try {
      using dictionary = Dictionary.fromObject({
        ...options.options,
        protocol_whitelist: protocols.join(","),
      });
      const from = await settled(Promise.resolve(url), limit);
      const code = await context.openInput(from, inputFormat, dictionary);
      opened = code >= 0;
      check(code);
      // An RTSP stream that carries MPEG-TS says what it holds in its packets.
      if (probe || context.streams.length === 0) check(await context.findStreamInfo(null));
      // Probing that was interrupted gives what it has.
      limit.throwIfAborted();
      const index = context.findBestStream(AVMEDIA_TYPE_VIDEO);
      const stream = context.streams[index];
      if (index < 0 || stream === undefined) {
        throw new SourceError("UNSUPPORTED", `Cannot use ${name}: it holds no video`);
      }
      for (const other of context.streams) {
        if (other.index !== index) other.discard = AVDISCARD_ALL;
      }
      return new VideoInput(context, stream, options, signal);
    } catch (error) {
      if (opened) await context.closeInput();
      else context.freeContext();
      if (limit.aborted) throw limit.reason;
      throw error;
    } finally {
      limit.removeEventListener("abort", interrupt);
    }
  }

  /**
   * Takes up the stream's codec. In the middle of an MPEG-TS recording it may become another one.
   *
   * @returns whether it is another one than before
   * @throws {SourceError} if there is no decoder for it.
   */
  followCodec(): boolean {
    const { codecId } = this.stream.codecpar;
    if (codecId === this.decoder?.id) return false;
    const decoder = Codec.findDecoder(codecId);
    const codecName = avGetCodecName(codecId) ?? String(codecId);
    if (decoder === null) {
      throw new SourceError(
        "UNSUPPORTED",
        `Cannot decode ${this.name}: there is no decoder for its codec ${codecName}`,
      );
    }
    this.decoder = decoder;
    this.codecName = codecName;
    this.unitCodec = UNIT_CODECS.get(codecId);
    return true;
  }

  /**
   * Reads the next packet of the video stream on another thread, since even a file may be on a slow
   * share. Skips one that lacks its end because the file does, and empty ones, with which AVI and Ogg mark
   * missing or repeated frames.
   *
   * @returns the packet, valid until the next call; undefined at the end of the input.
   * @throws {SourceError} if the input fails.
   */
  async read(): Promise<Packet | undefined> {
    for (;;) {
      this.#packet.unref();
      const code = await this.#context.readFrame(this.#packet);
      if (code < 0) {
        if (FFmpegError.fromCode(code)?.isEOF) return undefined;
        throw describeAvError("read", this.name, code, this.#local);
      }
      if (this.#packet.streamIndex !== this.stream.index || this.#packet.size === 0) continue;
      const before = this.#marked;
      this.#marked = (this.#packet.flags & AV_PKT_FLAG_CORRUPT) !== 0;
      const isTs = this.format === "mpegts" || this.format === "rtsp";
      // There a frame is known to end when the next one begins, and the mark has moved on to it.
      this.lacksParts = isTs ? before : this.#marked;
      if (isTs || !this.#local || !this.#marked) {
        this.#packets++;
        const ms = this.milliseconds(timeOf(this.#packet)) ?? 0;
        this.#latestMs = Math.max(this.#latestMs, ms);
        return this.#packet;
      }
      this.#isCut = true;
    }
  }

  /**
   * Checks at the end of a file whether it is cut off: it is too short, a packet lacks its end, or frames
   * that its header counts are missing.
   *
   * @throws {SourceError} if it is.
   */
  checkEnd(): void {
    const { duration, nbFrames } = this.stream;
    // Some headers are not exact.
    const declaredMs = this.milliseconds(duration) ?? 0;
    const tolerance = Math.max(1_000, 2.5 * this.frameMs, 0.02 * declaredMs);
    const lacksFrames = this.#packets < nbFrames && this.#latestMs < declaredMs - tolerance;
    if (!this.#isCut && !lacksFrames) return;
    throw new SourceError(
      "CORRUPT",
      `Cannot read all of ${this.name}: it is cut off after ${this.#packets} frames`,
    );
  }

  /** Ends a pending `read` and all later ones at once. */
  readonly interrupt = (): void => this.#context.interrupt();

  /** A timestamp of the stream in milliseconds; undefined if there is none. */
  milliseconds(timestamp: bigint): number | undefined {
    return timestamp === AV_NOPTS_VALUE ? undefined : Number(timestamp) * this.#tickMs;
  }

  /** Closes the input. No read may be pending. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.interrupt);
    await this.#context.closeInput();
    this.#packet.free();
  }
}

/** When a packet is shown; when it is decoded, if a container such as AVI says no more. */
export function timeOf({ pts, dts }: Pick<Packet, "pts" | "dts">): bigint {
  return pts === AV_NOPTS_VALUE ? dts : pts;
}

/** FFmpeg's first name of the format of a file that begins with these bytes; undefined if unknown. */
export function formatIn(beginning: Buffer, path: string): string | undefined {
  const named = InputFormat.probe(beginning, path);
  // `image2` takes a file's name for a pattern.
  const format = named?.name === "image2" ? InputFormat.probe(beginning) : named;
  return format?.name?.split(",")[0];
}

/** What failed and why; a remote stream may recover later, a local one not. */
function describeAvError(action: string, name: string, code: number, local: boolean): SourceError {
  const fault = (kind: SourceErrorCode, why: string) =>
    new SourceError(kind, `Cannot ${action} ${name}: ${why}`);
  const error = FFmpegError.fromCode(code);
  if (code === AVERROR_INVALIDDATA) {
    return local
      ? fault("CORRUPT", "FFmpeg cannot read it as video, or it is damaged or cut off")
      : fault("UNREACHABLE", "the server does not send video");
  }
  if (error?.isENOENT) {
    return local
      ? fault("MISSING", "there is no such file")
      : fault("UNREACHABLE", "there is no such device");
  }
  if (error?.isEACCES) {
    return fault("UNREADABLE", local ? NOT_PERMITTED : "reading it is not permitted");
  }
  if (error?.isEOF) return fault("CORRUPT", "it ends before its first frame");
  if (error?.isExit) return fault("UNREACHABLE", "it was interrupted");
  if (error?.isEIO && !local) return fault("UNREACHABLE", "the connection broke");
  const text = FFmpegError.strerror(code);
  return fault("UNREACHABLE", text.charAt(0).toLowerCase() + text.slice(1));
}
