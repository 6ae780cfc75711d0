// Detects whether former owners are alive: each holds a lock from before it opens lasting files
// until it has closed them, or its process has ended.
import type { Fence } from "./fence.ts";

const NAME = "alive";

/** Marks this owner as alive; close the file when it stops. */
export async function markAlive(fence: Fence): Promise<Deno.FsFile> {
  const file = await Deno.open(`${fence.directory}/${NAME}`, { write: true, create: true });
  await file.tryLock(true);
  return file;
}

/** True if every former owner has certainly ended, so that none can write to its open files. */
export async function allEnded(folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    try {
      using file = await Deno.open(`${folder}/${NAME}`, { write: true });
      if (!await file.tryLock(true)) return false;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      // It was fenced before it was marked as alive, so it cannot open anything.
    }
  }
  return true;
}
