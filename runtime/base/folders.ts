/**
 * Folders: made where they are missing, and what lies in them.
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

const SEPARATOR = Deno.build.os === "windows" ? /[\\/]/ : /\//;

/** Whether one path is the other, or below it. Both must be absolute and normalized. */
export function isWithin(path: string, folder: string): boolean {
  return path.startsWith(folder) &&
    (path.length === folder.length || SEPARATOR.test(folder.at(-1)!) ||
      SEPARATOR.test(path[folder.length]!));
}

/** Whether one of two paths is within the other. */
export function overlap(a: string, b: string): boolean {
  return isWithin(a, b) || isWithin(b, a);
}
