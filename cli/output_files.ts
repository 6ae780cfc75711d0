// Files that the launcher makes for what a command writes, so that the kernel's fence can name them.

/** Whether a file holds nothing, or is not there. */
export async function isEmpty(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).size === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

/** Removes those that a command which failed has not written. */
export async function removeUnwritten(environment: (name: string) => string | undefined) {
  for (const path of JSON.parse(environment("FRAMELANE_LAUNCH_MADE") ?? "[]") as string[]) {
    if (await isEmpty(path)) await Deno.remove(path).catch(() => {});
  }
}
