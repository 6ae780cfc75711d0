/**
 * Who may write outputs, and up to which batch they are written: the database's half of a checkpoint.
 *
 * @module
 */
import type { Database } from "./database.ts";

/** Whose outputs: a query on a partition, with its checkpoint in a certain store. */
export interface ProducerKey {
  readonly store: string;
  readonly group: string;
  readonly query: string;
  readonly topic: string;
  readonly partition: number;
}

/** The table of producers. The methods are synchronous: call them within `read` or `write`. */
export class Producers {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Within a transaction: a new owner takes over; all earlier epochs are fenced.
   *
   * @param above the new epoch is larger than this one, too.
   * @returns its epoch, and the entry of the last batch whose records were written.
   */
  takeOver(key: ProducerKey, above: number): { epoch: number; entry: string | null } {
    const [epoch, entry] = this.#db.get<[number, string | null]>(
      `INSERT INTO producers VALUES (?, ?, ?, ?, ?, ?6 + 1, NULL)
       ON CONFLICT DO UPDATE SET epoch = max(epoch, ?6) + 1 RETURNING epoch, checkpoint`,
      ...cells(key),
      above,
    )!;
    return { epoch, entry };
  }

  /**
   * Within a transaction: notes that the records of a batch are written.
   *
   * @returns false when the epoch is no longer the newest one.
   */
  advance(key: ProducerKey, epoch: number, entry: string): boolean {
    return this.#db.run(
      `UPDATE producers SET checkpoint = ?1 WHERE epoch = ?2 AND
       store = ?3 AND grp = ?4 AND query = ?5 AND topic = ?6 AND partition = ?7`,
      entry,
      epoch,
      ...cells(key),
    ) > 0;
  }

  /** The entry of the last batch whose records were written; null when there is none. */
  entry(key: ProducerKey): string | null {
    return this.#db.get<[string | null]>(
      `SELECT checkpoint FROM producers WHERE
       store = ? AND grp = ? AND query = ? AND topic = ? AND partition = ?`,
      ...cells(key),
    )?.[0] ?? null;
  }

  /** The id that the store at a path had when it was last opened. */
  storeAt(path: string): string | undefined {
    return this.#db.get<[string]>("SELECT id FROM stores WHERE path = ?", path)?.[0];
  }

  /** Within a transaction. */
  rememberStore(path: string, id: string): void {
    this.#db.run(
      "INSERT INTO stores VALUES (?, ?) ON CONFLICT DO UPDATE SET id = excluded.id",
      path,
      id,
    );
  }
}

function cells(
  { store, group, query, topic, partition }: ProducerKey,
): [string, string, string, string, number] {
  return [store, group, query, topic, partition];
}
