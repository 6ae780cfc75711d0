/**
 * Creates a folder and its parents if absent. Unlike `Deno.mkdir`, it needs no write permission if the folder
 * exists.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.stat(path);
    return;
  } catch (error) {
    // Without permission to stat it, opening it reports the fault.
    if (error instanceof Deno.errors.NotCapable) return;
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(path, { recursive: true });
}

/** Whether anything exists at `path`, even a dangling link. */
export async function exists(path: string): Promise<boolean> {
  return await ifThere(Deno.lstat(path)) !== undefined;
}

/** Whether there is a file at `path`, following links. */
export async function isFile(path: string): Promise<boolean> {
  return (await ifThere(Deno.stat(path)))?.isFile === true;
}

/** Makes a file, or the names in a folder, survive a crash of the machine. */
export async function syncPath(path: string): Promise<void> {
  // Windows cannot open folders, and makes names durable itself.
  if (Deno.build.os === "windows" && !await isFile(path)) return;
  using opened = await Deno.open(path);
  await opened.sync();
}

/** The name of a file while it is being written. */
export function unfinishedOf(path: string): string {
  return `${path}.unfinished`;
}

/**
 * Writes a file under another name and renames it at the end: a crash leaves the old file or the new
 * one. Links and devices are written in place.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const old = await ifThere(Deno.lstat(path));
  if (old?.isFile === false) return await Deno.writeTextFile(path, text);
  const unfinished = unfinishedOf(path);
  const isLaunchers = await exists(unfinished);
  await Deno.writeTextFile(unfinished, text);
  try {
    await Deno.rename(unfinished, path);
  } catch (error) {
    // The launcher's fence allows no renaming. The launcher, who has made the file, does it at the end.
    if (!isLaunchers || !(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
}

/** The result of a file operation; undefined if the path leads to nothing, even through a file or in a circle of links. */
export async function ifThere<Result>(result: Promise<Result>): Promise<Result | undefined> {
  try {
    return await result;
  } catch (error) {
    const { NotFound, NotADirectory, FilesystemLoop } = Deno.errors;
    if ([NotFound, NotADirectory, FilesystemLoop].some((type) => error instanceof type)) return;
    throw error;
  }
}

const SEPARATOR = Deno.build.os === "windows" ? /[\\/]/ : /\//;

/** Whether `path` equals `folder` or lies below it. Both must be absolute and normalized. */
export function isWithin(path: string, folder: string): boolean {
  return path.startsWith(folder) &&
    (path.length === folder.length || SEPARATOR.test(folder.at(-1)!) ||
      SEPARATOR.test(path[folder.length]!));
}

export function overlap(a: string, b: string): boolean {
  return isWithin(a, b) || isWithin(b, a);
}

/** Splits a path into its folder and its last name. */
export function splitPath(path: string): { folder: string; name: string } {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  if (slash === -1) return { folder: ".", name: trimmed };
  return { folder: slash === 0 ? "/" : trimmed.slice(0, slash), name: trimmed.slice(slash + 1) };
}
