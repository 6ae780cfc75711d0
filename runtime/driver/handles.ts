// Whether the process may open more files. Deno ends the process when a worker is started without a
// handle for its event loop.

/** More than a worker opens before it can report an error. */
const WORKER_HANDLES = 48;

export function enoughHandles(count = WORKER_HANDLES): boolean {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < count) files.push(Deno.openSync(new URL(import.meta.url)));
    return true;
  } catch (error) {
    return !/too many open files/i.test(String(error));
  } finally {
    for (const file of files) file.close();
  }
}
