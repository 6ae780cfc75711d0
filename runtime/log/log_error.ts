// Errors of logs.
import type { OffsetRange } from "./records.ts";

/**
 * What went wrong, for programs. `REFUSED`: the topic's rules do not allow the record. `UNSUPPORTED`: the server
 * lacks what is needed.
 */
export type LogErrorCode =
  | "UNREACHABLE"
  | "AUTHENTICATION_FAILED"
  | "TOPIC_MISSING"
  | "PARTITION_MISSING"
  | "OFFSET_OUT_OF_RANGE"
  | "TOO_LARGE"
  | "REFUSED"
  | "UNSUPPORTED"
  | "FENCED"
  | "OWNED"
  | "STALE_MEMBERSHIP"
  | "CHECKPOINT_GAP"
  | "CHECKPOINT_CORRUPT"
  | "CHECKPOINT_NEWER"
  | "CHECKPOINT_CHANGED"
  | "DISK_FULL"
  | "DELETED"
  | "NO_HANDLES"
  | "CLOSED"
  | "INVALID"
  | "INTERNAL";

/** An error of the log. */
export class LogError extends Error {
  override readonly name = "LogError";
  readonly code: LogErrorCode;
  /** Trying the same again later may succeed. */
  readonly retryable: boolean;
  /** With `OFFSET_OUT_OF_RANGE`: what the partition holds. */
  readonly range?: OffsetRange;

  constructor(
    code: LogErrorCode,
    message: string,
    options: { retryable?: boolean; range?: OffsetRange; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? (code === "UNREACHABLE");
    if (options.range !== undefined) this.range = options.range;
  }
}
