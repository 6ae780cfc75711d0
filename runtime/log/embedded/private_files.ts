// Makes a log's files readable by their owner alone: they hold pictures of cameras.
import { join } from "node:path";

export const modes = { file: 0o600, folder: 0o700 } as const;

/** Names in a log's folder. */
const ours =
  /^(?:log\.db(?:-wal|-shm)?|checkpoints\.kv(?:-wal|-shm)?|segments|open|reserve|tails|metadata|version-1|converting)$/;

/**
 * Makes the folder private, an existing one too unless it holds other things. Makes an empty file
 * for the database, so that SQLite does not choose its mode.
 */
export async function preparePrivate(dir: string, database: string): Promise<void> {
  await Deno.mkdir(dir, { recursive: true, mode: modes.folder });
  let mixed = false;
  for await (const { name } of Deno.readDir(dir)) mixed ||= !ours.test(name);
  if (!mixed) await restrict(dir, modes.folder);
  const path = join(dir, database);
  try {
    (await Deno.open(path, { createNew: true, write: true, mode: modes.file })).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    for (const suffix of ["", "-wal", "-shm"]) await restrict(path + suffix, modes.file);
  }
}

/** Removes others' rights; files of other users, and of file systems without rights, stay as they are. */
export async function restrict(path: string, mode: number): Promise<void> {
  if (Deno.build.os === "windows") return;
  try {
    const { mode: now } = await Deno.stat(path);
    if (now !== null && (now & 0o077) !== 0) await Deno.chmod(path, mode);
  } catch (error) {
    const theirs = error instanceof Deno.errors.PermissionDenied;
    if (!theirs && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}
