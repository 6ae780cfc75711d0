/**
 * Records in the database: append, read, expire.
 *
 * @module
 */
import type { Frame, Headers } from "../../definition/frame.ts";
import { LogError, type LogRecord } from "../log.ts";
import type { Database } from "./database.ts";
import { offsetLimit, offsetOfId, recordId, wholeLog } from "./schema.ts";
import type { Retention } from "./url.ts";

/** The largest record, with key and headers. */
export const maxRecordBytes = 64 << 20;

/** What a record takes besides its value, key and headers, roughly. */
const overheadBytes = 64;

/** A record, ready to be written. */
export interface EncodedRecord {
  readonly timestamp: number;
  readonly key: string | null;
  readonly headers: string;
  readonly value: Uint8Array;
  readonly size: number;
}

/**
 * Checks and encodes a record.
 *
 * @throws {LogError} `TOO_LARGE`; `INVALID` when the timestamp is no number.
 */
export function encodeRecord({ timestamp, key, headers, value }: LogRecord): EncodedRecord {
  const text = JSON.stringify(headers);
  const size = value.length + text.length + (key?.length ?? 0) + overheadBytes;
  if (size > maxRecordBytes) {
    throw new LogError(
      "TOO_LARGE",
      `Cannot append a record of ${size} bytes: expected at most ${maxRecordBytes}`,
    );
  }
  if (!Number.isFinite(timestamp) || Math.abs(timestamp) > Number.MAX_SAFE_INTEGER) {
    throw new LogError(
      "INVALID",
      `Cannot append a record with timestamp ${timestamp}: expected epoch milliseconds`,
    );
  }
  return { timestamp: Math.floor(timestamp), key, headers: text, value, size };
}

/** Records as a table. The methods are synchronous: call them within `read` or `write`. */
export class Records {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Within a transaction: a number for it, larger than that of all before. */
  nextChange(): number {
    return this.#db.get<[number]>(
      `UPDATE partitions SET change = change + 1 WHERE id = ${wholeLog} RETURNING change`,
    )![0];
  }

  /**
   * Within a transaction: appends to the partition with this id.
   *
   * @returns the first record's offset.
   */
  append(id: number, records: readonly EncodedRecord[], change: number, now: number): number {
    const [latest] = this.#db.get<[number]>("SELECT latest FROM partitions WHERE id = ?", id)!;
    if (latest + records.length > offsetLimit) {
      throw new LogError(
        "INTERNAL",
        `Cannot append: the partition has used up its ${offsetLimit} offsets`,
      );
    }
    let bytes = 0;
    records.forEach((record, i) => {
      this.#db.run(
        `INSERT INTO records VALUES (${recordId}, ?, ?, ?, ?, ?, ?)`,
        id,
        latest + i,
        record.timestamp,
        now,
        record.size,
        record.key,
        record.headers,
        record.value,
      );
      bytes += record.size;
    });
    this.#db.run(
      "UPDATE partitions SET latest = latest + ?, bytes = bytes + ?, change = ? WHERE id = ?",
      records.length,
      bytes,
      change,
      id,
    );
    return latest;
  }

  /**
   * Within a transaction: removes what retention no longer keeps, at most `limit` records.
   *
   * @returns how many were removed.
   */
  expire(id: number, retention: Retention, change: number, now: number, limit: number): number {
    const [earliest, bytes] = this.#db.get<[number, number]>(
      "SELECT earliest, bytes FROM partitions WHERE id = ?",
      id,
    )!;
    const facts = (count: number) =>
      this.#db.all<[number, number]>(
        `SELECT appended, size FROM records INDEXED BY records_facts
         WHERE id >= ${recordId} AND id < ${recordId} ORDER BY id LIMIT ?`,
        id,
        earliest,
        id,
        offsetLimit - 1,
        count,
      );
    const tooOld = now - retention.ms;
    let excess = bytes - retention.bytes;
    // Most often nothing has to go: one look at the oldest record tells.
    if (excess <= 0 && !facts(1).some(([appended]) => appended <= tooOld)) return 0;
    let count = 0;
    for (const [appended, size] of facts(limit)) {
      if (excess <= 0 && appended > tooOld) break;
      excess -= size;
      count++;
    }
    if (count > 0) this.removeBefore(id, earliest + count, change);
    return count;
  }

  /** Within a transaction: `expire` on all partitions. */
  expireAll(retention: Retention, change: number, now: number, limit: number): void {
    const ids = this.#db.all<[number]>(
      `SELECT id FROM partitions WHERE latest > earliest AND id <> ${wholeLog}`,
    );
    for (const [id] of ids) this.expire(id, retention, change, now, limit);
  }

  /** Within a transaction: removes the records below an offset. */
  removeBefore(id: number, offset: number, change: number): void {
    const [earliest, latest] = this.#db.get<[number, number]>(
      "SELECT earliest, latest FROM partitions WHERE id = ?",
      id,
    )!;
    const end = Math.min(offset, latest);
    if (end <= earliest) return;
    const [bytes] = this.#db.get<[number]>(
      `SELECT total(size) FROM records INDEXED BY records_facts
       WHERE id >= ${recordId} AND id < ${recordId}`,
      id,
      earliest,
      id,
      end,
    )!;
    this.#db.run(
      `DELETE FROM records WHERE id >= ${recordId} AND id < ${recordId}`,
      id,
      earliest,
      id,
      end,
    );
    this.#db.run(
      "UPDATE partitions SET earliest = ?, bytes = bytes - CAST(? AS INTEGER), change = ? WHERE id = ?",
      end,
      bytes,
      change,
      id,
    );
  }

  /**
   * Reads from `offset` on: at most `maxFrames` frames of at most `maxBytes` in sum; with `always` one
   * frame however large it is. Nothing when the offset is not there.
   */
  read(
    { id, topic, partition }: { id: number; topic: string; partition: number },
    offset: number,
    { maxFrames, maxBytes, always }: { maxFrames: number; maxBytes: number; always: boolean },
  ): Frame[] {
    let count = 1;
    if (maxFrames > 1 || !always) {
      count = this.#fitting(id, offset, maxFrames, maxBytes);
      if (count === 0) {
        if (!always) return [];
        count = 1;
      }
    }
    const rows = this.#db.all<[number, number, string | null, string, Uint8Array]>(
      `SELECT ${offsetOfId}, timestamp, key, headers, value FROM records
       WHERE id >= ${recordId} AND id < ${recordId} ORDER BY id LIMIT ?`,
      id,
      offset,
      id,
      offsetLimit - 1,
      count,
    );
    // Retention may have been faster than we.
    if (rows[0]?.[0] !== offset) return [];
    return rows.map(([offset, timestamp, key, headers, value]) => ({
      topic,
      partition,
      offset,
      timestamp,
      key,
      headers: decodeHeaders(headers),
      value,
    }));
  }

  /** How many records from `offset` on have at most `maxBytes` in sum. */
  #fitting(id: number, offset: number, maxFrames: number, maxBytes: number): number {
    const sizes = this.#db.all<[number]>(
      `SELECT size FROM records INDEXED BY records_facts
       WHERE id >= ${recordId} AND id < ${recordId} ORDER BY id LIMIT ?`,
      id,
      offset,
      id,
      offsetLimit - 1,
      maxFrames,
    );
    let bytes = 0;
    const tooMuch = sizes.findIndex(([size]) => (bytes += size) > maxBytes);
    return tooMuch === -1 ? sizes.length : tooMuch;
  }
}

const noHeaders: Headers = Object.freeze({});

function decodeHeaders(text: string): Headers {
  return text === "{}" ? noHeaders : JSON.parse(text);
}
