// Whether former owners still run: each holds a lock while it has a lasting file open.
import type { Fence } from "./fence.ts";

const NAME = "alive";

/** Locks the file that shows that this owner runs; close it at the end. */
export async function live(fence: Fence): Promise<Deno.FsFile> {
  const file = await Deno.open(`${fence.directory}/${NAME}`, { write: true, create: true });
  await file.tryLock(true);
  return file;
}

/** Whether every former owner is gone, so that none can write to its open files. */
export async function allGone(folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    try {
      using file = await Deno.open(`${folder}/${NAME}`, { write: true });
      if (!await file.tryLock(true)) return false;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      // It was fenced before it locked its file: it can open nothing any more.
    }
  }
  return true;
}
