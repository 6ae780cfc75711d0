// Converts a log of version 1, which kept frames in `log.db` and checkpoints in Deno KV.
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { exists, isFile } from "../../base/folders.ts";
import { LogError } from "../log.ts";
import { decodeBatch, decodeCheckpoint, decodeEntry, textOf } from "./checkpoint_entry.ts";
import { storeOf } from "./checkpoint_store.ts";
import { type CheckpointKey, Checkpoints } from "./checkpoints.ts";
import { Database } from "./database.ts";
import { ignoreMissing } from "./disk.ts";
import { storageError } from "./errors.ts";
import { modes } from "./private_files.ts";
import { type EncodedRecord, encodeRecord } from "./record.ts";
import { Records } from "./records.ts";
import { applicationId, offsetBits } from "./schema.ts";
import { SegmentWriter } from "./segment_writer.ts";
import { Topics } from "./topics.ts";

export interface ConvertReport {
  readonly records: number;
  readonly checkpoints: number;
}

const oldFolder = "version-1";
const batchRecords = 64;
const files = ["log.db", "checkpoints.kv"];

/**
 * Converts the log in a folder, which must not be in use. The old files are kept in `DIR/version-1`.
 *
 * @param checkpointDirs checkpoint folders used with it (`--checkpoint`)
 * @throws {LogError} `INVALID` if there is no log of version 1, `UNREACHABLE` while it is in use
 */
export async function convertLog(
  dir: string,
  checkpointDirs: readonly string[] = [],
): Promise<ConvertReport> {
  const made = join(dir, "converting");
  const move = (file: string, from: string, to: string) =>
    Deno.rename(join(from, file), join(to, file)).catch(ignoreMissing);
  const remove = (path: string) => Deno.remove(path, { recursive: true }).catch(ignoreMissing);
  let old: DatabaseSync | undefined;
  try {
    if (await exists(made) && !await exists(join(dir, "log.db"))) {
      // A conversion was broken off while it moved the files.
      for (const file of files) await move(file, join(dir, oldFolder), dir);
      await remove(join(dir, "segments"));
    }
    await remove(made);
    old = openOld(dir);
    const report = await copyInto(made, old, [dir, ...checkpointDirs]);
    old.close();
    await Deno.mkdir(join(dir, oldFolder), { recursive: true, mode: modes.folder });
    for (const file of files) await move(file, dir, join(dir, oldFolder));
    for (const file of ["segments", "log.db"]) await move(file, made, dir);
    await remove(made);
    return report;
  } catch (error) {
    if (old?.isOpen) old.close();
    throw storageError(error, `convert the log in ${dir}`, dir);
  }
}

/** Opens the old database, locked against others. */
function openOld(dir: string): DatabaseSync {
  const path = join(dir, "log.db");
  let db: DatabaseSync | undefined;
  try {
    Deno.statSync(path);
    db = new DatabaseSync(path);
    const number = (pragma: string) => Number(Object.values(db!.prepare(pragma).get()!)[0]);
    const version = number("PRAGMA user_version");
    if (number("PRAGMA application_id") !== applicationId || version !== 1) {
      throw new LogError(
        "INVALID",
        `Cannot convert ${path}: it is ${
          version > 1 ? "already converted" : "not a log of version 1"
        }`,
      );
    }
    // Merge the write-ahead log into the file, so that the file can be moved alone.
    db.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof Deno.errors.NotFound) {
      throw new LogError("INVALID", `Cannot convert ${dir}: there is no log.db in it`);
    }
    throw storageError(error, `convert ${path}`, path);
  }
}

async function copyInto(
  made: string,
  old: DatabaseSync,
  checkpointDirs: readonly string[],
): Promise<ConvertReport> {
  const logId = String(old.prepare("SELECT log_id FROM log").get()!["log_id"]);
  const db = await Database.open(made, { clock: systemClock, timeoutMs: 10_000 });
  try {
    await db.write("keep the identity", () => db.run("UPDATE log SET log_id = ?", logId));
    const records = await copyRecords(made, db, old);
    let checkpoints = 0;
    for (const [index, dir] of checkpointDirs.entries()) {
      const store = index === 0 ? "" : (await storeOf(dir, logId)).id;
      checkpoints += await copyCheckpoints(db, old, dir, store);
    }
    return { records, checkpoints };
  } finally {
    await db.close();
  }
}

/** Copies records with their offsets and arrival times. */
async function copyRecords(made: string, db: Database, old: DatabaseSync): Promise<number> {
  let arrived = 0;
  const topics = new Topics(db, () => 0);
  const table = new Records(db);
  const segments = new SegmentWriter(made, db, topics, () => arrived);
  const partitions = old.prepare(
    `SELECT p.id, t.name, t.partitions, p.partition, p.earliest, p.latest FROM partitions p
     JOIN topics t ON t.id = p.topic ORDER BY t.name, p.partition`,
  ).all();
  const select = old.prepare(
    "SELECT id, timestamp, appended, key, headers, value FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
  );
  let count = 0;
  for (const { id: oldId, name, partitions: number, partition, earliest, latest } of partitions) {
    const [topic, start] = [String(name), BigInt(Number(oldId)) << BigInt(offsetBits)];
    const id = await db.write("make a topic", () => {
      topics.ensure(topic, Number(number));
      const id = topics.id(topic, Number(partition));
      db.run(
        "UPDATE partitions SET floor = ?, latest = ? WHERE id = ?",
        Number(earliest),
        Number(earliest),
        id,
      );
      return id;
    });
    for (let offset = Number(earliest); offset < Number(latest);) {
      const rows = select.all(start + BigInt(offset), start + BigInt(Number(latest)), batchRecords);
      const batch: EncodedRecord[] = rows.map(({ timestamp, key, headers, value }) =>
        encodeRecord({
          timestamp: Number(timestamp),
          key: key === null ? null : String(key),
          headers: JSON.parse(String(headers)),
          value: value as Uint8Array,
        })
      );
      if (batch.length === 0) break;
      arrived = Number(rows.at(-1)!["appended"]);
      const row = topics.row(id);
      const placed = segments.place(row, batch);
      await db.write("copy records", () => {
        return table.append(id, batch, placed, { kept: row.retention, now: arrived });
      });
      placed.segment.known = true;
      segments.done(placed.segment);
      offset += batch.length;
      count += batch.length;
    }
  }
  await segments.seal(true);
  return count;
}

/** Copies the last commit of each checkpoint, and the batch planned after it. */
async function copyCheckpoints(
  db: Database,
  old: DatabaseSync,
  dir: string,
  store: string,
): Promise<number> {
  const path = join(dir, "checkpoints.kv");
  if (!await isFile(path)) return 0;
  const table = new Checkpoints(db);
  using kv = await Deno.openKv(path);
  const identity = await kv.get(["framelane", "store"]);
  const oldStore = textOf(decodeEntry(identity.value, path), "id", path);
  const prefix = ["framelane", "checkpoint"];
  const found = await Array.fromAsync(kv.list({ prefix }));
  const queries = found.filter(({ key }) => key.at(-1) === "query");
  for (const { key, value } of queries) {
    const [group, query, topic, partition] = key.slice(prefix.length) as [
      string,
      string,
      string,
      number,
    ];
    const place: CheckpointKey = { store, group, query, topic, partition };
    const name = `the checkpoint of query ${query} on ${topic}/${partition} in ${path}`;
    const last = async (kind: string) => {
      const list = kv.list({ prefix: [...key.slice(0, -1), kind] }, { reverse: true, limit: 1 });
      return (await list.next()).value?.value;
    };
    const [offsets, commits] = [await last("offsets"), await last("commits")];
    // Records and `commits/N` were separate steps: the database may be ahead.
    const row = old.prepare(
      "SELECT checkpoint FROM producers WHERE store = ? AND grp = ? AND query = ? AND topic = ? AND partition = ?",
    ).get(oldStore, group, query, topic, partition);
    const done = [commits, row?.["checkpoint"] ?? undefined].filter((entry) => entry !== undefined)
      .map((entry) => decodeCheckpoint(entry, name))
      .toSorted((a, b) => b.batchId - a.batchId)[0];
    const planned = offsets === undefined ? undefined : decodeBatch(offsets, name);
    await db.write(`convert ${name}`, () => {
      const taken = table.takeOver(place, null, "");
      const id = textOf(decodeEntry(value, name), "id", name);
      db.run("UPDATE checkpoints SET query_id = ?, process = NULL WHERE id = ?", id, taken.id);
      const { batchId, end } = done ?? { batchId: -1, end: 0 };
      const batch = planned?.batchId === batchId ? planned : { batchId, start: end, end };
      if (done !== undefined) table.commit(taken, batch, done);
      if (planned?.batchId === batchId + 1) table.plan(taken, planned);
    });
  }
  return queries.length;
}
