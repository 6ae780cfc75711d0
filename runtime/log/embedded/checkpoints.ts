// Checkpoints in the database: the owner of each, the offsets of its batches, and which are
// committed.
//
// An owner is known by its epoch: each of its transactions checks that it is still the newest one.
// The outputs of a batch and `commits/N` are one transaction, so a crash leaves nothing to repair.
import { crc32 } from "node:zlib";
import { given } from "../../base/options.ts";
import { byPlace, listed } from "../checkpoint.ts";
import { corrupt, gap } from "../checkpoint_plan.ts";
import {
  type BatchRange,
  type Checkpoint,
  type CheckpointFilter,
  type CheckpointInfo,
  LogError,
} from "../log.ts";
import {
  decodeBatch,
  decodeCheckpoint,
  encodeBatch,
  encodeCheckpoint,
} from "./checkpoint_entry.ts";
import type { CheckpointStore } from "./checkpoint_store.ts";
import type { Cell, Database } from "./database.ts";
import { offsetBits, offsetLimit, offsetOfId, placeId } from "./schema.ts";

/** A query on a partition, in a set of checkpoints. */
export interface CheckpointKey {
  readonly store: string;
  readonly group: string;
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
}

export interface CheckpointRow extends CheckpointKey {
  readonly id: number;
  readonly queryId: string;
  readonly epoch: number;
  readonly member: string | null;
  /** Its owner's `Presence`. */
  readonly process: string | null;
}

/** Past entries to keep at least, and how many are removed at a time. */
const [keptEntries, removedAtOnce] = [100, 50];
/** A larger state is kept of the last commit alone: each executor's first take-over reads all entries. */
const keptStateBytes = 4 << 10;

const rowsWhere = "SELECT id, query_id, epoch, member, process, grp, query, topic, partition " +
  "FROM checkpoints WHERE store = ?1 AND ";
type Columns = [
  ...[id: number, queryId: string, epoch: number, member: string | null, process: string | null],
  ...[group: string, query: string, topic: string, partition: number],
];

/** The tables of checkpoints. Methods are synchronous: call them within `read` or `write`. */
export class Checkpoints {
  readonly #db: Database;
  #checked = false;

  constructor(db: Database) {
    this.#db = db;
  }

  find(key: CheckpointKey): CheckpointRow | undefined {
    return this.#select("grp = ? AND query = ? AND topic = ? AND partition = ?", ...cells(key))[0];
  }

  /** Whether there are checkpoints of a store. */
  holds(store: string): boolean {
    return this.#db.get("SELECT 1 FROM checkpoints WHERE store = ?", store) !== undefined;
  }

  /** The checkpoints of a store that match the filter, without taking them over. */
  list(store: CheckpointStore, { group, query, topic }: CheckpointFilter): CheckpointInfo[] {
    const filter =
      "grp = coalesce(?2, grp) AND query = coalesce(?3, query) AND topic = coalesce(?4, topic)";
    return this.#select(filter, store.id, group ?? null, query ?? null, topic ?? null)
      .map((row) => this.#describe(row, store))
      .sort(byPlace);
  }

  #select(where: string, store: string, ...values: Cell[]): CheckpointRow[] {
    return this.#db.all<Columns>(rowsWhere + where, store, ...values).map(
      ([id, queryId, epoch, member, process, group, query, topic, partition]) => (
        { id, queryId, epoch, member, process, store, group, query, topic, partition }
      ),
    );
  }

  #describe(row: CheckpointRow, store: CheckpointStore): CheckpointInfo {
    const { group, query, topic, partition, queryId, epoch, member } = row;
    const place = { group, query, topic, partition };
    try {
      const entries = listed(this.read(row.id, checkpointName(row, store)));
      return {
        ...place,
        queryId,
        ...entries,
        owner: { epoch, ...given({ member: member ?? undefined }) },
      };
    } catch (error) {
      if (!(error instanceof LogError) || !error.code.startsWith("CHECKPOINT_")) throw error;
      return { ...place, fault: error.message };
    }
  }

  /** Within a transaction: sets a new owner, which fences all earlier epochs. */
  takeOver(key: CheckpointKey, member: string | null, process: string): CheckpointRow {
    const sum = crc32(JSON.stringify(cells(key)));
    this.#db.run(
      `INSERT INTO checkpoints (store, grp, query, topic, partition, query_id, epoch, member, process, sum)
       VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE
       SET epoch = epoch + 1, member = excluded.member, process = excluded.process, sum = excluded.sum`,
      ...[...cells(key), crypto.randomUUID(), member, process, sum],
    );
    return this.find(key)!;
  }

  /**
   * Call before the first take-over: SQLite trusts what it finds, and an entry in a damaged page would just be missing,
   * and a checkpoint whose name is damaged look like a first start. It reads all entries, so not within a transaction,
   * for which others wait.
   *
   * @throws {LogError} `CHECKPOINT_CORRUPT`
   */
  checkTables(): void {
    if (this.#checked) return;
    const shared =
      "SELECT name FROM sqlite_schema WHERE rootpage > 0 GROUP BY rootpage HAVING count(*) > 1";
    const [table] = this.#db.get<[string]>(shared) ?? [];
    if (table !== undefined) {
      throw corrupt("the checkpoints", `table ${table} was put where another belongs`);
    }
    for (const table of ["checkpoints", "entries"]) {
      const [found] = this.#db.get<[string]>(`PRAGMA integrity_check(${table})`)!;
      if (found !== "ok") throw corrupt("the checkpoints", `table ${table} is damaged: ${found}`);
    }
    this.#checked = true;
  }

  /** An entry whose id is damaged must not just be missing. Further than beside the others it is out of order. */
  #checkBeside(ends: readonly number[], name: string): void {
    const stray = this.#db.get(
      `SELECT 1 FROM (
         SELECT max(id) AS id FROM entries WHERE id < ${placeId}
         UNION SELECT min(id) FROM entries WHERE id > ${placeId}
       ) WHERE id >> ${offsetBits} NOT IN (SELECT id FROM checkpoints)`,
      ...ends,
    );
    if (stray !== undefined) throw corrupt(name, "an entry beside it belongs to no checkpoint");
  }

  /** Within a transaction: the owner releases it, unless another has taken over. */
  release({ id, epoch }: CheckpointRow): void {
    this.#db.run("UPDATE checkpoints SET process = NULL WHERE id = ? AND epoch = ?", id, epoch);
  }

  owns({ id, epoch }: CheckpointRow): boolean {
    return this.#db.get("SELECT 1 FROM checkpoints WHERE id = ? AND epoch = ?", id, epoch) !==
      undefined;
  }

  /** Within a transaction: writes `offsets/N`. */
  plan({ id }: CheckpointRow, batch: BatchRange): void {
    this.#db.run(
      `INSERT INTO entries VALUES (${placeId}, ?, NULL) ON CONFLICT DO UPDATE SET offsets = excluded.offsets`,
      ...[id, batch.batchId, encodeBatch(batch)],
    );
  }

  /**
   * Within a transaction: writes `offsets/N` and `commits/N`.
   *
   * @param before the last commit
   */
  commit(
    { id }: CheckpointRow,
    batch: BatchRange,
    checkpoint: Checkpoint,
    before?: Checkpoint,
  ): void {
    this.#db.run(
      `INSERT OR REPLACE INTO entries VALUES (${placeId}, ?, ?)`,
      ...[id, batch.batchId, encodeBatch(batch), encodeCheckpoint(checkpoint)],
    );
    if ((before?.state?.length ?? 0) > keptStateBytes) {
      const { state: _state, ...rest } = before!;
      this.#db.run(
        `UPDATE entries SET commits = ? WHERE id = ${placeId}`,
        ...[encodeCheckpoint(rest), id, rest.batchId],
      );
    }
    const past = batch.batchId - keptEntries;
    if (past < 0 || past % removedAtOnce !== 0) return;
    this.#db.run(
      `DELETE FROM entries WHERE id >= ${placeId} AND id <= ${placeId}`,
      ...[id, 0, id, past],
    );
  }

  /**
   * Reads and validates all entries: consecutive ids, at most one batch planned beyond the last commit, no stray beside.
   *
   * @param name of the checkpoint, for messages
   * @throws {LogError} `CHECKPOINT_GAP`, `CHECKPOINT_NEWER`, `CHECKPOINT_CORRUPT`
   */
  read(id: number, name: string): { committed?: Checkpoint; planned?: BatchRange } {
    let before: number | undefined;
    let committed: Checkpoint | undefined;
    let planned: BatchRange | undefined;
    const ends = [id, 0, id, offsetLimit - 1];
    const rows = this.#db.all<[number, string | null, string | null]>(
      `SELECT ${offsetOfId}, offsets, commits FROM entries
       WHERE id >= ${placeId} AND id <= ${placeId} ORDER BY id`,
      ...ends,
    );
    this.#checkBeside(ends, name);
    for (const [batchId, offsets, commits] of rows) {
      if (before !== undefined && batchId !== before + 1) {
        throw gap(`offsets/${batchId} of ${name}`, `offsets/${before} precedes it`);
      }
      if (planned !== undefined) {
        throw gap(name, `offsets/${batchId} is planned, commits/${before} is not done`);
      }
      before = batchId;
      const named = <T extends { batchId: number }>(
        kind: string,
        decode: (name: string) => T,
      ): T => {
        const entry = `${kind}/${batchId} of ${name}`;
        const content = decode(entry);
        if (content.batchId === batchId) return content;
        throw corrupt(entry, `it belongs to batch ${content.batchId}`);
      };
      const batch = named("offsets", (entry) => decodeBatch(offsets, entry));
      if (commits === null) planned = batch;
      else committed = named("commits", (entry) => decodeCheckpoint(commits, entry));
    }
    return given({ committed, planned });
  }
}

export function checkpointName(
  { query, topic, partition }: Omit<CheckpointKey, "store" | "group">,
  store: CheckpointStore,
): string {
  return `the checkpoint of query ${query} on ${topic}/${partition} in ${store.name}`;
}

function cells(
  { store, group, query, topic, partition }: CheckpointKey,
): [string, string, string, string, number] {
  return [store, group, query, topic, partition];
}
