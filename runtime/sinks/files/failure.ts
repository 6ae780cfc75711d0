// Errors of a sink's files.
import { codeOf, DISK_FULL, messageOf, nameOf, QUOTA_USED } from "../../base/errors.ts";
import { given } from "../../base/options.ts";
import type { SinkContext, SinkTask } from "../../definition/sink.ts";

type SinkErrorCode =
  | "DISK_FULL"
  | "NO_HANDLES"
  | "NOT_WRITABLE"
  | "TAKEN_OVER"
  | "INVALID"
  | "FAILED";

/** A sink that cannot continue. The streaming query restarts from its checkpoint. */
export class SinkError extends Error {
  override readonly name = "SinkError";
  readonly code: SinkErrorCode;
  /** True if worth retrying, since space may be freed. */
  readonly retryable: boolean;

  constructor(code: SinkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryable = code === "DISK_FULL" || code === "NO_HANDLES";
  }
}

/** File system errors, by Deno's class, code or text, and their meaning. */
const FAULTS: readonly (readonly [SinkErrorCode, string, RegExp])[] = [
  ["DISK_FULL", "the disk is full", DISK_FULL],
  ["DISK_FULL", "the disk quota is used up", QUOTA_USED],
  [
    "NO_HANDLES",
    "out of file handles: too many open files; raise the limit (ulimit -n)",
    /\bE[MN]FILE|too many open files/i,
  ],
  ["NOT_WRITABLE", "the file system is read-only", /EROFS|read-only file system/i],
  ["NOT_WRITABLE", "the file system has no hard links", /not (permitted|supported).*: link '/i],
  ["NOT_WRITABLE", "no permission to write there", /^PermissionDenied/],
  [
    "NOT_WRITABLE",
    "a part of the path is a file, not a folder",
    /^NotADirectory|ENOTDIR|file exists.*mkdir/i,
  ],
  ["NOT_WRITABLE", "it is a folder, not a file", /^IsADirectory|EISDIR/],
  ["NOT_WRITABLE", "its symbolic links lead in a circle", /^FilesystemLoop|ELOOP/],
];

/**
 * An error of the file system as one that says what was tried and why it failed.
 *
 * @param action of the sink, e.g. `write images to "out"`.
 */
export function failure(action: string, error: unknown): SinkError {
  if (error instanceof SinkError) return error;
  const text = messageOf(error);
  const full = `${nameOf(error)} ${codeOf(error) ?? ""} ${text}`;
  const [code, reason] = error instanceof Deno.errors.NotCapable
    ? ["NOT_WRITABLE", `Deno may not write there (${text})`] as const
    : FAULTS.find(([, , pattern]) => pattern.test(full)) ?? ["FAILED", text] as const;
  return new SinkError(code, `Cannot ${action}: ${reason}`, { cause: error });
}

export async function withFileErrors<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failure(action, error);
  }
}

/** Opens a task whose errors of files say that it could not do `action`. */
export async function openNamed(action: string, open: () => Promise<SinkTask>): Promise<SinkTask> {
  const task = await withFileErrors(action, open);
  const named = <Args extends unknown[]>(method?: (...args: Args) => void | Promise<void>) =>
    method &&
    ((...args: Args) => withFileErrors(action, async () => await method.apply(task, args)));
  return given({
    write: named(task.write),
    flush: named(task.flush),
    committed: named(task.committed),
    refeed: named(task.refeed),
    restartOffset: task.restartOffset && (() => task.restartOffset!()),
    close: named(task.close),
  });
}

/** Opens a task that writes into a folder, in whose name `{query}` stands for the query's. */
export function openFolder(
  directory: string,
  what: string,
  { query }: SinkContext,
  open: (root: string) => Promise<SinkTask>,
): Promise<SinkTask> {
  const root = directory.replaceAll("{query}", query).replace(/(?<=.)\/+$/, "");
  return openNamed(`write ${what} to ${JSON.stringify(root)}`, () => open(root));
}
