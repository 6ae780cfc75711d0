// Reads segment files, a piece at a time.
import { join } from "node:path";
import type { Database } from "./database.ts";
import { ignoreMissing, readAround } from "./disk.ts";
import { headBytes, isPadding, recordSize, recordTime } from "./record.ts";
import type { ChunkRow } from "./records.ts";

const nothing = { segment: -1, position: 0, size: 0 };
/** Heads of small records are read several at a time. */
const headsAhead = 16 << 10;

interface OpenFile {
  readonly segment: number;
  readonly path: string;
  readonly file: Deno.FsFile;
}

export interface RecordHead {
  readonly offset: number;
  readonly at: number;
  readonly size: number;
  readonly time: number;
}

export class SegmentCursor {
  readonly #dir: string;
  readonly #db: Database;
  #open: OpenFile | undefined;
  #buffer = new Uint8Array(64 << 10);
  #held = nothing;

  constructor(dir: string, db: Database) {
    this.#dir = dir;
    this.#db = db;
  }

  /**
   * Bytes of a segment, valid until the next call; fewer when the file is shorter, undefined when
   * it is gone.
   *
   * @param ahead bytes to read at once, for the next calls.
   */
  read(segment: number, position: number, size: number, ahead = size): Uint8Array | undefined {
    const from = position - this.#held.position;
    if (this.#held.segment !== segment || from < 0 || from + size > this.#held.size) {
      if (!this.#fill(segment, position, Math.max(size, ahead))) return undefined;
      return this.#buffer.subarray(0, Math.min(size, this.#held.size));
    }
    return this.#buffer.subarray(from, from + size);
  }

  /** The records of a chunk, read from their heads, up to the first damaged one. */
  *heads([first, count, segment, position]: ChunkRow): Generator<RecordHead> {
    for (let [offset, at] = [first, position]; offset < first + count;) {
      const head = this.read(segment, at, headBytes, headsAhead);
      const size = head && recordSize(head, 0);
      if (head === undefined || size === undefined) return;
      if (!isPadding(head, 0)) yield { offset: offset++, at, size, time: recordTime(head, 0) };
      at += size;
    }
  }

  close(): void {
    this.#open?.file.close();
    this.#open = undefined;
    this.#held = nothing;
  }

  #fill(segment: number, position: number, size: number): boolean {
    const open = this.#opened(segment);
    if (open === undefined) return false;
    // What fails leaves a part of what it read.
    this.#held = nothing;
    // A large record must not keep its memory.
    const room = 2 ** Math.ceil(Math.log2(Math.max(size, 64 << 10)));
    if (this.#buffer.length < room || this.#buffer.length > 4 << 20) {
      this.#buffer = new Uint8Array(room);
    }
    const { got } = readAround(open, position, this.#buffer.subarray(0, size));
    this.#held = { segment, position, size: got };
    return true;
  }

  #opened(segment: number): OpenFile | undefined {
    if (this.#open?.segment === segment) return this.#open;
    this.close();
    const row = this.#db.get<[string]>("SELECT file FROM segments WHERE id = ?", segment);
    if (row === undefined) return undefined;
    try {
      const path = join(this.#dir, row[0]);
      return this.#open = { segment, path, file: Deno.openSync(path) };
    } catch (error) {
      ignoreMissing(error);
      return undefined;
    }
  }
}
