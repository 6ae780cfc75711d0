// Opens the database file: checks whose it is, its version, and whether it is intact.
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { exists } from "../../base/folders.ts";
import { LogError } from "../log.ts";
import { ignoreMissing, releaseReserve, sizeOf } from "./disk.ts";
import { storageError, storageFault } from "./errors.ts";
import { Presence } from "./presence.ts";
import { preparePrivate } from "./private_files.ts";
import { applicationId, pageSize, schema, schemaVersion, upgrade } from "./schema.ts";
import { busyTimeoutMs, type Waiting, walLimitBytes, whileBusy } from "./waiting.ts";

export const unfinishedName = "log.db.unfinished";

export interface DatabaseFile {
  readonly db: DatabaseSync;
  readonly path: string;
  readonly logId: string;
  readonly place: string;
}

/** Opens `DIR/log.db`; see `Database.open`. */
export async function openDatabase(
  dir: string,
  waiting: Waiting,
  tell: (message: string) => void,
): Promise<DatabaseFile> {
  const path = join(dir, "log.db");
  const action = `open the embedded log in ${dir}`;
  let db: DatabaseSync | undefined;
  try {
    await preparePrivate(dir, "log.db");
    const alone = !(await Presence.look(dir)).any;
    const left = alone && sizeOf(`${path}-wal`) > 0;
    const orphaned = sizeOf(path) === 0 && await holdsRest(dir);
    db = new DatabaseSync(path);
    const opened = db;
    await whileBusy(waiting, () => prepare(opened, path, orphaned, alone));
    const place = placeOf(path)!;
    const identity = await whileBusy(waiting, () => identify(opened, place));
    const copied = identity.before !== undefined;
    if (left || copied) await whileBusy(waiting, () => checkWhole(opened, path));
    if (copied) {
      tell(
        `${dir} is a copy of log ${identity.before}: it continues as log ${identity.logId}, to distinguish it from ` +
          "the original; deno task log check verifies it, deno task log backup makes complete copies",
      );
    }
    return { db, path, place, logId: identity.logId };
  } catch (error) {
    db?.close();
    // Opening takes a little space too.
    const spaceless = ["full", "io"].includes(storageFault(error));
    if (spaceless && releaseReserve(dir)) return await openDatabase(dir, waiting, tell);
    if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists) {
      throw new LogError("INVALID", `Cannot ${action}: it is not a folder; name another one`, {
        cause: error,
      });
    }
    throw storageError(error, action, path);
  }
}

/** Device, inode, and the time of its creation where the system knows it, of a file; undefined when there is none. */
export function placeOf(path: string): string | undefined {
  try {
    const { dev, ino, birthtime } = Deno.statSync(path);
    return `${dev}:${ino}:${birthtime?.getTime() ?? ""}`;
  } catch (error) {
    ignoreMissing(error);
    return undefined;
  }
}

/** Whether there is no log in a folder, not even the rest of one. */
export async function isAbsent(dir: string): Promise<boolean> {
  try {
    const found = await Deno.stat(join(dir, "log.db")).catch(ignoreMissing);
    return found === undefined && !await holdsRest(dir);
  } catch (error) {
    // Opening reports what else is wrong.
    return error instanceof Deno.errors.NotFound && !await exists(dir);
  }
}

/** Whether the folder holds segments, or an unfinished backup's database. */
async function holdsRest(dir: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(dir)) {
    if (name === unfinishedName) return true;
    if (name !== "segments") continue;
    for await (const _ of Deno.readDir(join(dir, name))) return true;
  }
  return false;
}

/** Checks what the file is; creates the tables in an empty one. */
function prepare(db: DatabaseSync, path: string, orphaned: boolean, alone: boolean): void {
  const number = (sql: string) => Number(Object.values(db.prepare(sql).get()!)[0]);
  const refuse = (why: string) => new LogError("INVALID", `Cannot open ${path}: ${why}`);
  const check = () => {
    // Asked first: the tables are made in the same transaction as the rest.
    if (number("SELECT count(*) FROM sqlite_schema") === 0) return false;
    if (number("PRAGMA application_id") !== applicationId) {
      throw refuse("it is another program's database; name another folder");
    }
    const version = number("PRAGMA user_version");
    if (version >= 2 && version <= schemaVersion) return true;
    const [age, advice] = version < 2
      ? ["older", "convert it: deno task log convert --log embedded:DIR"]
      : ["newer", "update Framelane or name another folder"];
    throw refuse(
      `its format is version ${version}, ${age} than version ${schemaVersion}, which this Framelane reads; ${advice}`,
    );
  };
  db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  if (!check()) {
    if (orphaned) {
      throw refuse(
        "it is missing while the frames' segments still exist, or it is an unfinished backup; restore a backup, " +
          "or remove the folder to start over",
      );
    }
    db.exec(`PRAGMA page_size = ${pageSize}; PRAGMA journal_mode = WAL`);
    atomically(db, () => {
      // Another process may have been faster.
      if (check()) return;
      db.exec(schema);
      const id = crypto.randomUUID();
      db.prepare("INSERT INTO log VALUES (1, ?, ?, ?)").run(id, id, placeOf(path)!);
      db.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}`);
    });
  }
  if (number("PRAGMA user_version") < schemaVersion) {
    // An older Framelane does not know the tails.
    if (!alone) throw refuse("an older Framelane has it open; stop that one first");
    atomically(db, () => {
      if (number("PRAGMA user_version") === 2) db.exec(upgrade);
      db.exec(`PRAGMA user_version = ${schemaVersion}`);
    });
  }
  db.exec(`
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = ${walLimitBytes / pageSize};
    PRAGMA journal_size_limit = ${walLimitBytes};
    PRAGMA cache_size = -8192;
  `);
}

function atomically(db: DatabaseSync, work: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    work();
    db.exec("COMMIT");
  } catch (error) {
    // Some errors end the transaction by themselves.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** The log's identity; a copy gets its own, and the one before is returned, too. */
function identify(
  db: DatabaseSync,
  place: string,
): { logId: string; before?: string } {
  const row = db.prepare("SELECT log_id AS id, place FROM log").get()!;
  const before = String(row["id"]);
  if (isSameFile(String(row["place"]), place)) return { logId: before };
  const logId = crypto.randomUUID();
  const { changes } = db.prepare("UPDATE log SET log_id = ?, place = ? WHERE place = ?")
    .run(logId, place, String(row["place"]));
  // Another process was faster.
  if (changes === 0) return identify(db, place);
  return { logId, before };
}

/** A copy has another inode, or was made at another time. The same disk has another device when it is mounted again. */
function isSameFile(a: string, b: string): boolean {
  const [[, inode, made = ""], [, other, otherMade]] = [a.split(":"), b.split(":")];
  return inode === other && (made === "" || otherMade === "" || made === otherMade);
}

/** @throws {LogError} `INTERNAL` if the database is damaged */
function checkWhole(db: DatabaseSync, path: string): void {
  const verdict = String(Object.values(db.prepare("PRAGMA quick_check(1)").get()!)[0]);
  if (verdict === "ok") return;
  throw new LogError(
    "INTERNAL",
    `Cannot open ${path}: it is damaged (${verdict}); restore a backup of it, or move its folder away and start over`,
  );
}
