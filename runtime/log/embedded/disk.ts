// File system helpers.
import { statfsSync } from "node:fs";

/** Free bytes; undefined without the permission (`--allow-sys=statfs`). */
export function freeBytes(dir: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
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

/** Throws all errors but `NotFound`. */
export function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

export async function syncPath(path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.sync();
}
