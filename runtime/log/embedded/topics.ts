/**
 * Topics and their partitions in the database.
 *
 * @module
 */
import { LogError, type OffsetRange } from "../log.ts";
import type { Database } from "./database.ts";
import { offsetBits, offsetOfId, recordId } from "./schema.ts";

/** Topics as tables of the database. The methods are synchronous: call them within `read` or `write`. */
export class Topics {
  readonly #db: Database;
  /** A partition never goes away, so its id is looked up once. */
  readonly #ids = new Map<string, number>();

  constructor(db: Database) {
    this.#db = db;
  }

  names(): string[] {
    return this.#db.all<[string]>("SELECT name FROM topics").map(([name]) => name).toSorted();
  }

  partitionCount(topic: string): number {
    return this.#db.get<[number]>("SELECT partitions FROM topics WHERE name = ?", topic)?.[0] ?? 0;
  }

  /** Within a transaction: makes sure that the topic has at least so many partitions. */
  ensure(topic: string, partitions: number): number {
    const there = this.partitionCount(topic);
    if (there >= partitions) return there;
    this.#db.run(
      `INSERT INTO topics (name, partitions) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET partitions = excluded.partitions`,
      topic,
      partitions,
    );
    const [id] = this.#db.get<[number]>("SELECT id FROM topics WHERE name = ?", topic)!;
    for (let partition = there; partition < partitions; partition++) {
      this.#db.run(
        `INSERT INTO partitions (topic, partition, earliest, latest, bytes, change)
         VALUES (?, ?, 0, 0, 0, 0)`,
        id,
        partition,
      );
    }
    const [last] = this.#db.get<[number]>("SELECT max(id) FROM partitions")!;
    if (last >= 2 ** (63 - offsetBits)) {
      throw new LogError(
        "INVALID",
        `Cannot create topic ${topic}: the log has too many partitions`,
      );
    }
    return partitions;
  }

  /**
   * The id of a partition.
   *
   * @throws {LogError} `TOPIC_MISSING`, `PARTITION_MISSING`.
   */
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
    if (row === undefined) throw missing(topic, partition, this.partitionCount(topic));
    this.#ids.set(name, row[0]);
    return row[0];
  }

  range(id: number): OffsetRange {
    const [earliest, latest] = this.#db.get<[number, number]>(
      "SELECT earliest, latest FROM partitions WHERE id = ?",
      id,
    )!;
    return { earliest, latest };
  }

  offsetForTime(id: number, timestamp: number): number {
    const { earliest, latest } = this.range(id);
    const row = this.#db.get<[number]>(
      `SELECT ${offsetOfId} FROM records INDEXED BY records_facts
       WHERE id >= ${recordId} AND id < ${recordId} AND timestamp >= ? ORDER BY id LIMIT 1`,
      id,
      earliest,
      id,
      latest,
      timestamp,
    );
    return row?.[0] ?? latest;
  }
}

function missing(topic: string, partition: number, count: number): LogError {
  return count === 0
    ? new LogError(
      "TOPIC_MISSING",
      `Cannot find topic ${JSON.stringify(topic)} in the log; create it first`,
    )
    : new LogError(
      "PARTITION_MISSING",
      `Cannot find partition ${partition} of topic ${topic}: it has ${count}, numbered from 0`,
    );
}

/**
 * Checks the name and partition count of a topic to create. What Kafka takes is taken, so that a
 * topic can move there.
 *
 * @throws {LogError} `INVALID`.
 */
export function checkTopic(topic: string, partitions: number): void {
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(topic) || topic === "." || topic === "..") {
    throw new LogError(
      "INVALID",
      `Cannot create topic ${
        JSON.stringify(topic)
      }: expected 1 to 249 letters, digits, ".", "_" and "-"`,
    );
  }
  if (!Number.isSafeInteger(partitions) || partitions < 1 || partitions > 100_000) {
    throw new LogError(
      "INVALID",
      `Cannot create topic ${topic} with ${partitions} partitions: expected 1 to 100 000`,
    );
  }
}
