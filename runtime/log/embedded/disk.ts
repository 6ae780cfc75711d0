// Disk space, and when what was written is on the disk.
import { existsSync, statfsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { syncPath } from "../../base/folders.ts";
import { storageError, storageFault } from "./errors.ts";
import { modes } from "./private_files.ts";

/** What a disk reads or fails to read as a whole, and the most bytes that are given up in one read. */
const [sectorBytes, mostLostBytes] = [4 << 10, 64 << 10];

/** Free bytes; undefined where the file system does not tell, or without the permission (`--allow-sys=statfs`). */
export function freeBytes(dir: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  } catch {
    // What is wrong with the folder is reported by what is written there.
    return undefined;
  }
}

/** Size of a file; 0 if it does not exist. */
export function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    ignoreMissing(error);
    return 0;
  }
}

/** Throws all errors but those of a path that does not exist, perhaps below a file. */
export function ignoreMissing(error: unknown): void {
  const { NotFound, NotADirectory } = Deno.errors;
  if (!(error instanceof NotFound || error instanceof NotADirectory)) throw error;
}

/**
 * Reads what the file has at a place. A sector that cannot be read becomes zeros, which costs the records in it.
 * Where more than 64 KiB are missing, or all of it, the disk may be away for a while: that is an error.
 *
 * @throws {LogError} with the name of the file
 */
export function readAround(
  { file, path }: { readonly file: Deno.FsFile; readonly path: string },
  position: number,
  into: Uint8Array,
): { got: number; lost: number } {
  file.seekSync(position, Deno.SeekMode.Start);
  let [got, lost] = [0, 0];
  while (got < into.length) {
    try {
      const more = file.readSync(into.subarray(got));
      if (more === null) break;
      got += more;
    } catch (error) {
      const end = Math.min(into.length, got + sectorBytes - (position + got) % sectorBytes);
      lost += end - got;
      if (storageFault(error) !== "io" || lost === into.length || lost > mostLostBytes) {
        throw storageError(error, `read frames at byte ${position}`, path);
      }
      into.fill(0, got, end);
      got = end;
      file.seekSync(position + got, Deno.SeekMode.Start);
    }
  }
  return { got, lost };
}

/** Reserved on the disk, so that removing works when it is full. */
const reserveBytes = 2 << 20;

/**
 * Reserves space in a log's folder, with zeros: a sparse file reserves nothing. False on a full disk.
 *
 * @param create whether to make the file, too: while a folder is being deleted, nothing may appear in it
 */
export function keepReserve(dir: string, create = true): boolean {
  const path = join(dir, "reserve");
  const missing = reserveBytes - sizeOf(path);
  if (missing <= 0) return true;
  try {
    // Appended: another process may release it meanwhile.
    using file = Deno.openSync(path, { create, append: true, mode: modes.file });
    const zeros = new Uint8Array(missing);
    for (let at = 0; at < missing;) at += file.writeSync(zeros.subarray(at));
    return true;
  } catch (error) {
    if (storageFault(error) === "full") return false;
    // That the log was deleted is reported by its next transaction.
    ignoreMissing(error);
    return true;
  }
}

/** Frees the space that is reserved in a log's folder for a full disk; false if there is none. */
export function releaseReserve(dir: string): boolean {
  const path = join(dir, "reserve");
  if (sizeOf(path) === 0) return false;
  Deno.truncateSync(path, 0);
  return true;
}

/**
 * Creates a file that others see only once it is locked: the lock shows that its process is alive.
 *
 * @returns undefined if there is one of this name, which is left as it is
 */
export function createLocked(path: string): Deno.FsFile | undefined {
  const hidden = join(dirname(path), `.${basename(path)}.new`);
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(hidden, { createNew: true, read: true, write: true, mode: modes.file });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw error;
  }
  // The one log that has the hidden name may take the visible one.
  if (existsSync(path)) {
    file.close();
    Deno.removeSync(hidden);
    return undefined;
  }
  file.lockSync(true);
  Deno.renameSync(hidden, path);
  return file;
}

/** Syncs what was written to a file, and the first time its name in its folder. */
export class FileSync {
  readonly #file: Pick<Deno.FsFile, "syncData">;
  readonly #path: string;
  #fresh = true;
  #dirty = false;
  #running: Promise<void> | undefined;

  constructor(file: Pick<Deno.FsFile, "syncData">, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** Call after each write. */
  written(): void {
    this.#dirty = true;
  }

  get isDue(): boolean {
    return this.#dirty || this.#running !== undefined;
  }

  /** Resolves when all that was written is on the disk, also if another call began to sync it. */
  async finished(): Promise<void> {
    if (!this.#dirty) return await this.#running;
    this.#dirty = false;
    const running = this.#running = this.#run();
    try {
      await running;
    } catch (error) {
      this.#dirty = true;
      throw error;
    } finally {
      if (this.#running === running) this.#running = undefined;
    }
  }

  async #run(): Promise<void> {
    await this.#file.syncData();
    if (this.#fresh) await syncPath(dirname(this.#path));
    this.#fresh = false;
  }
}
