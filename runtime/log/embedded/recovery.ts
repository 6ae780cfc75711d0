// Seals the segments of dead processes, truncates uncommitted records, and repairs tails.
import { basename, join } from "node:path";
import type { Database } from "./database.ts";
import { ignoreMissing } from "./disk.ts";
import { sealRow } from "./segment_writer.ts";

/**
 * Seals the segments of dead writers and removes files without a row.
 *
 * @param own segments that this log writes
 */
export async function recover(dir: string, db: Database, own: ReadonlySet<number>): Promise<void> {
  const open = await db.read(
    "look for segments of dead writers",
    () =>
      db.all<[number, number, string]>(
        "SELECT id, partition, file FROM segments WHERE next IS NULL",
      ),
  );
  for (const [id, partition, file] of open) {
    if (!own.has(id)) await seal(join(dir, file), db, id, partition);
  }
  await removeUnknown(dir, db);
}

/**
 * Clears damaged slots of the file `tails`: their partitions continue from their rows. It costs the frames of one chunk
 * at most, which no checkpoint counts.
 *
 * @returns the partitions' ids
 */
export async function repairTails(db: Database): Promise<number[]> {
  const damaged = (ids: readonly number[]) => ids.filter((id) => db.tails.file.isDamaged(id));
  const open = "SELECT id FROM partitions WHERE open_segment IS NOT NULL";
  const found = await db.read("check the tails", () => damaged(db.all<[number]>(open).flat()));
  if (found.length === 0) return found;
  return await db.write("repair the tails", () => {
    // While the lock is held the others wait.
    const ids = damaged(found);
    for (const id of ids) db.tails.file.put(id);
    return ids;
  });
}

/** Seals a segment unless its writer is alive and holds the lock. */
async function seal(path: string, db: Database, id: number, partition: number): Promise<void> {
  const end = () =>
    db.write("seal a segment", () => {
      sealRow(db, id, partition);
      return db.get<[number]>("SELECT bytes FROM segments WHERE id = ?", id)?.[0];
    });
  try {
    using file = await Deno.open(path, { read: true, write: true });
    if (!await file.tryLock(true)) return;
    const bytes = await end();
    if (bytes !== undefined && (await file.stat()).size > bytes) await file.truncate(bytes);
  } catch (error) {
    ignoreMissing(error);
    // Its frames read as damaged until they expire.
    await end();
  }
}

/**
 * Removes files without a row: of a writer that died before its first commit, or of an unfinished
 * removal.
 */
async function removeUnknown(dir: string, db: Database): Promise<void> {
  const files: string[] = [];
  for (const folder of await names(join(dir, "segments"))) {
    for (const name of await names(join(dir, "segments", folder))) {
      if (name.endsWith(".seg")) files.push(join("segments", folder, name));
    }
  }
  // By name: on a file system that ignores case one folder may belong to several topics.
  const known = async () => {
    const rows = await db.read(
      "list segments",
      () => db.all<[string]>("SELECT file FROM segments"),
    );
    return new Set(rows.map(([file]) => basename(file)));
  };
  const before = await known();
  for (const file of files.filter((file) => !before.has(basename(file)))) {
    try {
      using handle = await Deno.open(join(dir, file), { write: true });
      // Its writer may have committed since.
      if (!await handle.tryLock(true) || (await known()).has(basename(file))) continue;
      await Deno.remove(join(dir, file));
    } catch (error) {
      ignoreMissing(error);
    }
  }
}

async function names(dir: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return [];
    }
    throw error;
  }
}
