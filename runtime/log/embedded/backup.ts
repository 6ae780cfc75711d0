// Copies a log that is in use: the database at one moment, then the segments that it lists.
import { DatabaseSync } from "node:sqlite";
import { dirname, join, resolve } from "node:path";
import { isWithin, syncPath } from "../../base/folders.ts";
import { shown } from "../../base/options.ts";
import { LogError } from "../log.ts";
import type { Database } from "./database.ts";
import { placeOf, unfinishedName } from "./database_file.ts";
import { ignoreMissing, readAround } from "./disk.ts";
import { storageError, storageFault } from "./errors.ts";
import { modes, restrict } from "./private_files.ts";
import { sealRow } from "./segment_writer.ts";
import { Tails } from "./tails.ts";

const pieceBytes = 1 << 20;

export interface BackupReport {
  readonly segments: number;
  readonly bytes: number;
  /** Segments that expired while they were to be copied. */
  readonly expired: number;
  /** Bytes in sectors that could not be read: their records are damaged in the copy too. */
  readonly unreadable: number;
}

/**
 * Copies a log into a new or empty folder. The database gets its name last: an unfinished copy is
 * refused when it is opened.
 *
 * @throws {LogError} `INVALID` if the folder is not empty or belongs to the log; `DISK_FULL`
 */
export async function backup(
  from: string,
  database: Database,
  to: string,
  signal?: AbortSignal,
): Promise<BackupReport> {
  await prepareFolder(from, to);
  const [unfinished, path] = [join(to, unfinishedName), join(to, "log.db")];
  try {
    await database.copyTo(unfinished);
    await restrict(unfinished, modes.file);
    const copy = new DatabaseSync(unfinished);
    let report: BackupReport;
    try {
      copy.prepare("UPDATE log SET log_id = ?, place = ?")
        .run(crypto.randomUUID(), placeOf(unfinished)!);
      report = await copySegments(copy, from, to, signal);
    } finally {
      copy.close();
    }
    await syncPath(unfinished);
    await Deno.rename(unfinished, path);
    await syncPath(to);
    return report;
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw storageError(error, `back up ${from}`, path);
  }
}

async function prepareFolder(from: string, to: string): Promise<void> {
  const refuse = (why: string) =>
    new LogError(
      "INVALID",
      `Cannot back up into ${shown(to)}: ${why}; expected a new folder or an empty one`,
    );
  const refuseWithin = (to: string, from: string) => {
    if (isWithin(to, from)) throw refuse("it is within the log's own folder");
  };
  refuseWithin(resolve(to), resolve(from));
  try {
    await Deno.mkdir(to, { recursive: true, mode: modes.folder });
    for await (const { name } of Deno.readDir(to)) throw refuse(`it holds ${shown(name)}`);
    refuseWithin(await Deno.realPath(to), await Deno.realPath(from));
  } catch (error) {
    const { AlreadyExists, NotADirectory } = Deno.errors;
    const isFile = error instanceof AlreadyExists || error instanceof NotADirectory;
    throw isFile ? refuse("it is not a folder") : storageError(error, `back up ${from}`, to);
  }
}

async function copySegments(
  copy: DatabaseSync,
  from: string,
  to: string,
  signal: AbortSignal | undefined,
): Promise<BackupReport> {
  copy.exec("PRAGMA journal_mode = WAL");
  // The copy has no partition owners and no segment writers.
  copy.exec("UPDATE checkpoints SET process = NULL; DELETE FROM claims; DELETE FROM members");
  sealAll(copy, from);
  const segments = copy.prepare("SELECT * FROM segments ORDER BY id").all();
  let [copied, bytes, expired, unreadable] = [0, 0, 0, 0];
  for (const { id, partition, file, next, bytes: size } of segments) {
    signal?.throwIfAborted();
    const target = join(to, String(file));
    await Deno.mkdir(dirname(target), { recursive: true, mode: modes.folder });
    try {
      unreadable += await copySegment(join(from, String(file)), target);
    } catch (error) {
      ignoreMissing(error);
      copy.prepare("UPDATE partitions SET floor = max(floor, ?) WHERE id = ?").run(
        next!,
        partition!,
      );
      copy.prepare("DELETE FROM chunks WHERE segment = ?").run(id!);
      copy.prepare("DELETE FROM segments WHERE id = ?").run(id!);
      expired++;
      continue;
    }
    using opened = await Deno.open(target, { read: true, write: true });
    // What its writer has appended since is not in the copied database.
    if ((await opened.stat()).size > Number(size)) await opened.truncate(Number(size));
    await opened.sync();
    await restrict(target, modes.file);
    copied++;
    bytes += Number(size);
  }
  return { segments: copied, bytes, expired, unreadable };
}

/** Returns how many bytes could not be read; they are zeros in the copy. */
async function copySegment(path: string, target: string): Promise<number> {
  try {
    await Deno.copyFile(path, target);
    return 0;
  } catch (error) {
    if (storageFault(error) !== "io") throw error;
  }
  using file = await Deno.open(path);
  using to = await Deno.open(target, { create: true, write: true, truncate: true });
  const piece = new Uint8Array(pieceBytes);
  for (let [position, unreadable] = [0, 0];;) {
    const { got, lost } = readAround({ file, path }, position, piece);
    if (got === 0) return unreadable;
    for (let at = 0; at < got;) at += await to.write(piece.subarray(at, got));
    position += got;
    unreadable += lost;
  }
}

/** Tails of the log may be ahead of the copied rows. */
function sealAll(copy: DatabaseSync, from: string): void {
  const run: Database["run"] = (sql, ...values) => Number(copy.prepare(sql).run(...values).changes);
  const tails = new Tails(from, {
    get: (sql, ...values) => {
      const row = copy.prepare(sql).get(...values);
      return row && Object.values(row) as never;
    },
    run,
    dataVersion: () => 0,
  });
  try {
    const open = copy.prepare("SELECT id, partition FROM segments WHERE next IS NULL").all();
    for (const { id, partition } of open) sealRow({ run, tails }, Number(id), Number(partition));
    tails.flush(true);
  } finally {
    tails.file.close();
  }
}
