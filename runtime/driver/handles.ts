// Whether the process may open more files. Deno crashes the whole process if a worker starts and no file
// handle is left for its event loop.

/** More than a worker opens before it can report an error: its event loop, its modules, its logs. */
const WORKER_HANDLES = 48;

/** Whether enough handles are left for another worker. */
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
