/**
 * From what SQLite, Deno KV and the file system say to errors of the log.
 *
 * @module
 */
import { dirname } from "node:path";
import { LogError } from "../log.ts";

/** A segment that this log wrote to was sealed or removed by another: the process was taken for dead. */
export class SegmentLost<Segment = unknown> extends Error {
  override readonly name = "SegmentLost";
  readonly segment: Segment;

  constructor(segment: Segment) {
    super("The segment is no longer this log's");
    this.segment = segment;
  }
}

/** Texts by which SQLite's result codes reach us; neither driver hands on the codes themselves. */
const texts = {
  busy: /database (?:table )?is (?:locked|busy)|checkpoint in progress/i,
  full: /database or disk is full|no space left on device/i,
  handles: /too many open files/i,
  foreign: /file is not a database/i,
  malformed: /database disk image is malformed|malformed database schema/i,
  readonly: /attempt to write a readonly database|read-?only file ?system/i,
  cannotOpen: /unable to open database file/i,
} as const;

/** What an error of the storage is about. */
export type StorageFault = keyof typeof texts | "denied" | "other";

/**
 * Classifies an error that SQLite, Deno KV or the file system threw.
 *
 * @param path the file that it is about: SQLite does not say why it cannot open or read one.
 */
export function storageFault(error: unknown, path?: string): StorageFault {
  const fault = faultOf(error);
  const vague = fault === "cannotOpen" || fault === "other";
  return vague && path !== undefined && outOfHandles(path) ? "handles" : fault;
}

/**
 * Whether no file can be opened any more, whatever it is. Never the database itself: closing it would take SQLite's
 * locks away.
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

/**
 * The log's error for a fault of its storage.
 *
 * @param action what could not be done, e.g. `open the embedded log`.
 * @param path the file or folder it is about.
 */
export function storageError(error: unknown, action: string, path: string): LogError {
  if (error instanceof LogError || error instanceof SegmentLost) return error as LogError;
  const cause = error;
  const say = (
    code: ConstructorParameters<typeof LogError>[0],
    advice: string,
    retryable = false,
  ) => new LogError(code, `Cannot ${action}: ${advice}`, { cause, retryable });
  switch (storageFault(error, path)) {
    case "busy":
      return say("UNREACHABLE", `${path} is locked by another process`, true);
    case "full":
      return say(
        "DISK_FULL",
        `no space is left for ${path}; free some, or keep less: deno task log retention TOPIC --bytes N`,
        true,
      );
    case "handles":
      return say(
        "NO_HANDLES",
        `out of file handles: too many open files to open ${path}; raise the limit (ulimit -n)`,
        true,
      );
    case "foreign":
      return say("INVALID", `${path} is not a database of an embedded log; name another folder`);
    case "malformed":
      return say(
        "INTERNAL",
        `${path} is damaged; restore a backup of it, or move its folder away and start again`,
      );
    case "readonly":
      return say(
        "INVALID",
        `${path} cannot be written; expected a folder that this user may write`,
      );
    case "denied":
      return say(
        "INVALID",
        `access to ${path} is denied; expected a folder that this user may read and write, ` +
          "and Deno's permissions --allow-read and --allow-write for it",
      );
    case "cannotOpen":
      return say("INVALID", `${path} cannot be opened; expected a folder that this user may write`);
    case "other":
      return say("INTERNAL", error instanceof Error ? error.message : String(error));
  }
}
