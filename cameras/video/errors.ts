// Translates FFmpeg's error codes into SourceErrors.
import {
  AVERROR_DECODER_NOT_FOUND,
  AVERROR_INVALIDDATA,
  AVERROR_PROTOCOL_NOT_FOUND,
  FFmpegError,
} from "node-av";
import { SourceError, type SourceErrorCode } from "../source.ts";

/** FFmpeg's own codes; POSIX codes follow below. */
const MEANINGS: ReadonlyMap<number, readonly [SourceErrorCode, string]> = new Map([
  [
    AVERROR_INVALIDDATA,
    ["CORRUPT", "FFmpeg cannot read it as video, or it is damaged or cut off"],
  ],
  [AVERROR_PROTOCOL_NOT_FOUND, ["UNSUPPORTED", "it leads to a protocol that is not allowed"]],
  [AVERROR_DECODER_NOT_FOUND, ["UNSUPPORTED", "there is no decoder for it"]],
]);

/**
 * Turns an FFmpeg error code into an error that says what failed and why.
 *
 * @param local false for a remote stream, which may recover later
 */
export function describeAvError(
  action: string,
  name: string,
  code: number,
  local: boolean,
): SourceError {
  const [kind, why] = (local ? undefined : streamMeaning(code)) ?? MEANINGS.get(code) ??
    posixMeaning(code);
  return new SourceError(kind, `Cannot ${action} ${name}: ${why}`);
}

function streamMeaning(code: number): readonly [SourceErrorCode, string] | undefined {
  if (code === AVERROR_INVALIDDATA) return ["UNREACHABLE", "the server does not send video"];
  const error = FFmpegError.fromCode(code);
  if (error?.isEIO) return ["UNREACHABLE", "the connection broke"];
  if (error?.isENOENT) return ["UNREACHABLE", "there is no such device"];
  return undefined;
}

function posixMeaning(code: number): readonly [SourceErrorCode, string] {
  const error = FFmpegError.fromCode(code);
  const text = FFmpegError.strerror(code);
  if (error?.isENOENT) return ["MISSING", "there is no such file"];
  if (error?.isEACCES) return ["UNREADABLE", "reading it is not permitted"];
  if (error?.isEOF) return ["CORRUPT", "it ends before its first frame"];
  if (error?.isExit) return ["UNREACHABLE", "it was interrupted"];
  return ["UNREACHABLE", text.charAt(0).toLowerCase() + text.slice(1)];
}
