// Errors of a sink's files, explained for the user.

type SinkErrorCode =
  | "DISK_FULL"
  | "NO_HANDLES"
  | "NOT_WRITABLE"
  | "TAKEN_OVER"
  | "CONFLICT"
  | "INVALID"
  | "FAILED";

/** A sink that cannot continue. The streaming query restarts from its checkpoint. */
export class SinkError extends Error {
  override readonly name = "SinkError";
  readonly code: SinkErrorCode;
  /** True if space may be freed soon: worth retrying every few seconds without limit. */
  readonly retryable: boolean;

  constructor(code: SinkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryable = code === "DISK_FULL" || code === "NO_HANDLES";
  }
}

/**
 * Turns a file system error into one that says what failed and why.
 *
 * @param action what the sink was doing, e.g. `write images to "out"`
 */
export function failure(action: string, error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const code = (error as { code?: string }).code ?? "";
  const text = error instanceof Error ? error.message : String(error);
  const because = (kind: SinkErrorCode, reason: string) =>
    new SinkError(kind, `Cannot ${action}: ${reason}`, { cause: error });
  if (code === "ENOSPC" || /no space left|os error 28/i.test(text)) {
    return because("DISK_FULL", "the disk is full");
  }
  if (code === "EDQUOT" || /quota exceeded/i.test(text)) {
    return because("DISK_FULL", "the disk quota is used up");
  }
  if (code === "EMFILE" || code === "ENFILE" || /too many open files/i.test(text)) {
    return because(
      "NO_HANDLES",
      "out of file handles: too many open files; raise the limit (ulimit -n)",
    );
  }
  if (code === "EROFS" || /read-only file system/i.test(text)) {
    return because("NOT_WRITABLE", "the file system is read-only");
  }
  if (error instanceof Deno.errors.NotCapable) {
    return because("NOT_WRITABLE", `Deno may not write there (${text})`);
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return because("NOT_WRITABLE", "no permission to write there");
  }
  if (error instanceof Deno.errors.NotADirectory || code === "ENOTDIR") {
    return because("NOT_WRITABLE", "a part of the path is a file, not a folder");
  }
  if (error instanceof Deno.errors.IsADirectory || code === "EISDIR") {
    return because("NOT_WRITABLE", "it is a folder, not a file");
  }
  return because("FAILED", text);
}

export async function withFileErrors<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failure(action, error);
  }
}
