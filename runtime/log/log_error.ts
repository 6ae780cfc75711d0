import type { OffsetRange } from "./records.ts";

/**
 * Machine-readable error code. `REFUSED`: the topic's configuration does not allow the record. `UNSUPPORTED`:
 * the server lacks a required feature.
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

/** An error of the log, with a code for programs. */
export class LogError extends Error {
  override readonly name = "LogError";
  readonly code: LogErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** For `OFFSET_OUT_OF_RANGE`: the offsets that exist. */
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
