// Whether the process may open more files. Deno ends the whole process when a worker is started and there is no handle
// left for its event loop: none may be started then.

/** More than a worker opens before it can say what is wrong: its event loop, its modules, its logs. */
const WORKER_HANDLES = 48;

/** Whether there are handles for another worker. */
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
