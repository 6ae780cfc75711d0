// Files named by options: faults in plain words.
import { messageOf } from "./errors.ts";

/** Why a path does not lead to a file or folder. */
export function pathFault(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists) {
    return "a part of the path is a file, not a folder";
  }
  if (error instanceof Deno.errors.FilesystemLoop) return "its symbolic links lead in a circle";
  return messageOf(error);
}

/**
 * Checks that a path leads to a regular file: reading a pipe or a device may never end.
 *
 * @throws {Error} saying what is there instead
 */
export function checkFile(path: string): Deno.FileInfo {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (error) {
    throw new Error(pathFault(error));
  }
  if (info.isFile) return info;
  throw new Error(info.isDirectory ? "it is a folder, not a file" : "it is not a regular file");
}

/**
 * Reads a text file named by an option.
 *
 * @throws {Error} saying why it cannot be read
 */
export function readGiven(path: string): string {
  checkFile(path);
  return Deno.readTextFileSync(path);
}
