// Opens FFmpeg's decoders, within the limits that images have too.
import { AV_LOG_QUIET, type Codec, CodecContext, Dictionary, FFmpegError, Log } from "node-av";
import { DEFAULT_MAX_PIXELS } from "../image/inspect.ts";

// FFmpeg would write messages about every packet to standard error.
Log.setLevel(AV_LOG_QUIET);

/**
 * Opens a decoder with one thread. It refuses larger pictures than images may be before it takes memory for
 * them.
 *
 * @param prepare sets what must be set before
 * @throws when FFmpeg cannot open it.
 */
export async function openDecoder(
  codec: Codec,
  prepare: (context: CodecContext) => void = () => {},
): Promise<CodecContext> {
  const context = new CodecContext();
  context.allocContext3(codec);
  context.threadCount = 1;
  prepare(context);
  using options = Dictionary.fromObject({ max_pixels: DEFAULT_MAX_PIXELS });
  const code = await context.open2(codec, options);
  if (code >= 0) return context;
  context.freeContext();
  throw new Error(`FFmpeg's ${codec.longName} decoder says ${FFmpegError.strerror(code)}`);
}
