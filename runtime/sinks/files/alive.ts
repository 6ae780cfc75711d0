// Whether former owners still live: each holds a lock from before it opens any lasting file until
// it has closed them, or its process is gone.
import type { Fence } from "./fence.ts";

const NAME = "alive";

/** Says that this owner lives; close the file when it stops. */
export async function live(fence: Fence): Promise<Deno.FsFile> {
  const file = await Deno.open(`${fence.directory}/${NAME}`, { write: true, create: true });
  await file.tryLock(true);
  return file;
}

/** Whether every former owner is certainly gone, so that none can write to its open files. */
export async function allGone(folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    try {
      using file = await Deno.open(`${folder}/${NAME}`, { write: true });
      if (!await file.tryLock(true)) return false;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      // It was fenced before it came to say that it lives: it can open nothing any more.
    }
  }
  return true;
}
