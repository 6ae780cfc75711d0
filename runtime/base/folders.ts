// Files and folders: whether they are there, and what lies in what.

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

/** Whether there is something at `path`, even a link that leads nowhere. */
export async function exists(path: string): Promise<boolean> {
  return await infoOf(Deno.lstat(path)) !== undefined;
}

/** Whether there is a file at `path`, or where a link there leads. */
export async function isFile(path: string): Promise<boolean> {
  return (await infoOf(Deno.stat(path)))?.isFile === true;
}

async function infoOf(info: Promise<Deno.FileInfo>): Promise<Deno.FileInfo | undefined> {
  try {
    return await info;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
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

/** The folder of a path, and the name in it. */
export function splitPath(path: string): { folder: string; name: string } {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  if (slash === -1) return { folder: ".", name: trimmed };
  return { folder: slash === 0 ? "/" : trimmed.slice(0, slash), name: trimmed.slice(slash + 1) };
}
