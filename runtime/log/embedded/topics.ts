import { checkTopic, checkWhole, partitionMissing } from "../checks.ts";
import type { OffsetRange } from "../log.ts";
import type { Database } from "./database.ts";
import { offsetBits, offsetLimit, offsetOfId, placeId } from "./schema.ts";
import { type Tail, tailColumns, type TailRow } from "./tails.ts";
import { defaultRetention, type Retention } from "./url.ts";

export interface PartitionRow {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly retention: Retention;
}

export interface PartitionView {
  readonly tail: Tail;
  /** The offsets that are not expired, whether removed already or not. */
  readonly range: OffsetRange;
}

/** What determines which records are kept, besides the tail; the last three describe the floor's chunk. */
type KeptRow = [
  floor: number,
  retentionBytes: number,
  retentionMs: number,
  first: number | null,
  total: number | null,
  arrived: number | null,
];
/** Rows of partitions, by id. */
export type PartitionRows = Map<number, TailRow<KeptRow>>;

const partitionsOfTopics = "partitions p JOIN topics t ON t.id = p.topic";
const keptColumns = `floor, retention_bytes, retention_ms, c.id & ${
  offsetLimit - 1
}, c.total, c.arrived
  FROM ${partitionsOfTopics} LEFT JOIN chunks c ON c.id = (
    SELECT max(id) FROM chunks WHERE id >= p.id << ${offsetBits} AND id <= p.id << ${offsetBits} | floor
  )`;
const viewSql = `SELECT ${tailColumns}, ${keptColumns} WHERE p.id = ?`;

/**
 * Topics and partitions in the database. Synchronous: call the methods within `read` or `write`.
 */
export class Topics {
  readonly #db: Database;
  readonly #now: () => number;
  /** Partitions never go away. */
  readonly #ids = new Map<string, number>();
  readonly #rows = new Map<number, PartitionRow>();

  constructor(db: Database, now: () => number) {
    this.#db = db;
    this.#now = now;
  }

  names(): string[] {
    return this.#db.all<[string]>("SELECT name FROM topics").map(([name]) => name).toSorted();
  }

  partitionCount(topic: string): number {
    return this.#db.get<[number]>("SELECT partitions FROM topics WHERE name = ?", topic)?.[0] ?? 0;
  }

  /**
   * Within a transaction: makes the topic and at least this many partitions; a given retention is
   * stored.
   */
  ensure(topic: string, partitions: number, retention: Partial<Retention> = {}): number {
    checkTopic(topic, partitions);
    const existing = this.partitionCount(topic);
    this.#db.run(
      `INSERT INTO topics (name, partitions, retention_bytes, retention_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET partitions = max(partitions, excluded.partitions)`,
      ...[topic, partitions, defaultRetention.bytes, defaultRetention.ms],
    );
    this.setRetention(topic, retention);
    if (existing >= partitions) return existing;
    const [id] = this.#db.get<[number]>("SELECT id FROM topics WHERE name = ?", topic)!;
    for (let partition = existing; partition < partitions; partition++) {
      this.#db.run(
        `INSERT INTO partitions (topic, partition, floor, latest, bytes, arrived, change)
         VALUES (?, ?, 0, 0, 0, 0, 0)`,
        id,
        partition,
      );
    }
    return partitions;
  }

  /**
   * Within a transaction: stores a retention; missing limits stay.
   *
   * @throws {LogError} `INVALID` unless they are positive whole numbers
   */
  setRetention(topic: string, { bytes, ms }: Partial<Retention>): void {
    if (bytes === undefined && ms === undefined) return;
    for (const [value, unit] of [[bytes, "bytes"], [ms, "ms"]] as const) {
      if (value !== undefined) checkWhole(`Cannot keep ${value} ${unit} of ${topic}`, value, 1);
    }
    this.#db.run(
      `UPDATE topics SET retention_bytes = coalesce(?, retention_bytes),
       retention_ms = coalesce(?, retention_ms) WHERE name = ?`,
      ...[bytes ?? null, ms ?? null, topic],
    );
    this.#rows.clear();
  }

  /** A partition by its id; its retention is current as of the last `refresh`. */
  row(id: number): PartitionRow {
    let row = this.#rows.get(id);
    if (row === undefined) {
      const [topic, partition, bytes, ms] = this.#db.get<[string, number, number, number]>(
        `SELECT name, partition, retention_bytes, retention_ms FROM ${partitionsOfTopics} WHERE p.id = ?`,
        id,
      )!;
      this.#rows.set(id, row = { id, topic, partition, retention: { bytes, ms } });
    }
    return row;
  }

  /** Others may have changed retentions. */
  refresh(): void {
    this.#rows.clear();
  }

  /** @throws {LogError} `TOPIC_MISSING`, `PARTITION_MISSING`. */
  id(topic: string, partition: number): number {
    const name = `${partition}/${topic}`;
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const row = this.#db.get<[number]>(
      `SELECT partitions.id FROM partitions JOIN topics ON topics.id = partitions.topic
       WHERE topics.name = ? AND partition = ?`,
      topic,
      partition,
    );
    if (row === undefined) throw partitionMissing(topic, partition, this.partitionCount(topic));
    this.#ids.set(name, row[0]);
    return row[0];
  }

  /**
   * The partition as it is now.
   *
   * @param known rows of partitions, of earlier calls: the partition may be as it was then
   */
  view(id: number, known?: PartitionRows): PartitionView {
    const { tail, rest } = this.#db.tails.readWith<KeptRow>(id, viewSql, known);
    const earliest = this.#floor(id, rest, tail);
    return { tail, range: { earliest, latest: Math.max(earliest, tail.latest) } };
  }

  range(id: number): OffsetRange {
    return this.view(id).range;
  }

  /** Partitions with newly expired records, and their new floors. */
  expired(): { id: number; floor: number }[] {
    const rows = this.#db.all<[number, ...KeptRow]>(
      `SELECT p.id, ${keptColumns} WHERE latest > floor`,
    );
    return rows.flatMap(([id, ...kept]) => {
      const floor = this.#floor(id, kept, this.#db.tails.read(id));
      return floor > kept[0] ? { id, floor } : [];
    });
  }

  #floor(
    id: number,
    [floor, keptBytes, keptMs, first, total, arrived]: KeptRow,
    { latest, bytes, open }: Tail,
  ): number {
    if (floor >= latest) return floor;
    const young = this.#now() - keptMs;
    if (first !== null && total! >= bytes - keptBytes && arrived! > young) return floor;
    // The newest chunk is always kept.
    const newest = open === undefined
      ? `id = (SELECT max(id) FROM chunks WHERE id < ${placeId})`
      : `id >= ${placeId}`;
    const kept = this.#db.get<[number]>(
      `SELECT ${offsetOfId} FROM chunks WHERE id >= ${placeId} AND id < ${placeId} AND arrived > ?
       AND (total >= ? OR ${newest}) ORDER BY id LIMIT 1`,
      ...[id, first ?? floor, id, offsetLimit - 1, young],
      ...[bytes - keptBytes, id, offsetLimit - 1],
    );
    const growing = open !== undefined && open.arrived > young ? open.first : latest;
    return Math.max(floor, Math.min(kept?.[0] ?? growing, latest));
  }
}
