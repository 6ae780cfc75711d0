/**
 * Folders that may be there already.
 *
 * @module
 */

/**
 * Makes a folder and those above it, unless it is there. Unlike `Deno.mkdir` it needs no permission to
 * write where nothing has to be made.
 */
export async function makeFolder(path: string, mode = 0o777): Promise<void> {
  try {
    await Deno.stat(path);
    return;
  } catch (error) {
    // What may not be seen fails when it is opened.
    if (error instanceof Deno.errors.NotCapable) return;
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(path, { recursive: true, mode });
}
