// Turns errors of SQLite, Deno KV and the file system into errors of the log.
import { dirname } from "node:path";
import { DISK_FULL, QUOTA_USED } from "../../base/errors.ts";
import { LogError, type LogErrorCode } from "../log.ts";

/** Another log sealed or removed a segment of this one, whose process it took for dead. */
export class SegmentLost<Segment = unknown> extends Error {
  override readonly name = "SegmentLost";
  readonly segment: Segment;

  constructor(segment: Segment) {
    super("The segment is no longer this log's");
    this.segment = segment;
  }
}

/** Texts of SQLite's result codes; neither driver passes on the codes. */
const texts = {
  busy: /database (?:table )?is (?:locked|busy)|checkpoint in progress/i,
  full: new RegExp(`database or disk is full|${DISK_FULL.source}|${QUOTA_USED.source}`, "i"),
  io: /disk I\/O error|Input\/output error/i,
  handles: /too many open files/i,
  foreign: /file is not a database/i,
  malformed: /database disk image is malformed|malformed database schema/i,
  readonly: /attempt to write a readonly database|read-?only file ?system/i,
  cannotOpen: /unable to open database file/i,
} as const;

export type StorageFault = keyof typeof texts | "denied" | "other";

/** @param path the file that it is about: SQLite does not say why it cannot open or read one. */
export function storageFault(error: unknown, path?: string): StorageFault {
  const fault = faultOf(error);
  const vague = fault === "cannotOpen" || fault === "other";
  return vague && path !== undefined && outOfHandles(path) ? "handles" : fault;
}

/**
 * Whether no file can be opened any more. Never tries the database: closing it would drop SQLite's
 * locks.
 */
function outOfHandles(path: string): boolean {
  try {
    Deno.openSync(dirname(path)).close();
    return false;
  } catch (error) {
    return faultOf(error) === "handles";
  }
}

function faultOf(error: unknown): StorageFault {
  if (
    error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied
  ) return "denied";
  const message = error instanceof Error ? error.message : String(error);
  for (const [fault, text] of Object.entries(texts)) {
    if (text.test(message)) return fault as keyof typeof texts;
  }
  return "other";
}

/** The log's error for each fault; the storage's own message where there is no text. */
const advice: Readonly<
  Record<StorageFault, [code: LogErrorCode, text?: string, retryable?: boolean]>
> = {
  busy: ["UNREACHABLE", "PATH is locked by another process", true],
  full: [
    "DISK_FULL",
    "no space is left for PATH; free some, or reduce retention: deno task log retention TOPIC --bytes N",
    true,
  ],
  io: ["INTERNAL", "PATH cannot be read or written: the disk is full, or failing"],
  handles: [
    "NO_HANDLES",
    "out of file handles: too many open files to open PATH; raise the limit (ulimit -n)",
    true,
  ],
  foreign: ["INVALID", "PATH is not a database of an embedded log; name another folder"],
  malformed: [
    "INTERNAL",
    "PATH is damaged; restore a backup of it, or move its folder away and start over",
  ],
  readonly: ["INVALID", "PATH cannot be written; expected a folder that this user may write"],
  denied: [
    "INVALID",
    "access to PATH is denied; expected a folder that this user may read and write, " +
    "and Deno's permissions --allow-read and --allow-write for it",
  ],
  cannotOpen: [
    "INVALID",
    "PATH cannot be opened; expected a folder that this user may write, of at most 490 bytes in its path, " +
    "and free file handles (ulimit -n)",
  ],
  other: ["INTERNAL"],
};

/**
 * The log's error for a storage fault.
 *
 * @param action the action that failed, e.g. `open the embedded log`
 * @param path the file or folder concerned
 */
export function storageError(error: unknown, action: string, path: string): LogError {
  if (error instanceof LogError || error instanceof SegmentLost) return error as LogError;
  const [code, text, retryable = false] = advice[storageFault(error, path)];
  const what = text === undefined
    ? error instanceof Error ? error.message : String(error)
    : text.replace("PATH", () => path);
  return new LogError(code, `Cannot ${action}: ${what}`, { cause: error, retryable });
}
