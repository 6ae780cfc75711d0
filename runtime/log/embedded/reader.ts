/**
 * Readers of the embedded log.
 *
 * @module
 */
import type { Frame } from "../../frame.ts";
import {
  LogError,
  type LogReader,
  type OffsetRange,
  type PartitionReader,
  type ReaderOptions,
} from "../log.ts";
import type { ChangeWatcher } from "./changes.ts";
import type { Database } from "./database.ts";
import { storageError } from "./errors.ts";
import type { Records } from "./records.ts";
import type { Topics } from "./topics.ts";

/** What one look into the database brings at most, so that the event loop is never blocked for long. */
const chunkFrames = 64;
const chunkBytes = 4 << 20;

/** Delay after the database was locked. */
const retryMs = 5;

/** The parts of an open log that reading needs. */
export interface ReaderParts {
  readonly db: Database;
  readonly topics: Topics;
  readonly records: Records;
  readonly changes: ChangeWatcher;
}

/** Reads partitions; each partition reader has a buffer of its own. */
export class EmbeddedReader implements LogReader {
  readonly #parts: ReaderParts;
  readonly #maxFrames: number;
  readonly #maxBytes: number;
  readonly #open = new Set<EmbeddedPartitionReader>();
  #closed = false;

  constructor(
    parts: ReaderParts,
    { maxBufferedFrames = 256, maxBufferedBytes = 16 << 20 }: ReaderOptions,
  ) {
    for (const [name, value] of Object.entries({ maxBufferedFrames, maxBufferedBytes })) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw new LogError(
          "INVALID",
          `Cannot read with ${name} ${value}: expected a whole number from 1`,
        );
      }
    }
    this.#parts = parts;
    this.#maxFrames = maxBufferedFrames;
    this.#maxBytes = maxBufferedBytes;
  }

  async open(topic: string, partition: number, offset: number): Promise<PartitionReader> {
    this.#checkOpen();
    checkOffset(offset);
    const { db, topics } = this.#parts;
    const { id, range } = await db.read(`read ${topic}/${partition}`, () => {
      const id = topics.id(topic, partition);
      return { id, range: topics.range(id) };
    });
    this.#checkOpen();
    const reader: EmbeddedPartitionReader = new EmbeddedPartitionReader(
      this.#parts,
      { id, topic, partition, offset, range, maxFrames: this.#maxFrames, maxBytes: this.#maxBytes },
      () => this.#open.delete(reader),
    );
    this.#open.add(reader);
    return reader;
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const reader of this.#open) reader.close();
    return Promise.resolve();
  }

  #checkOpen(): void {
    if (this.#closed) throw new LogError("CLOSED", "Cannot open a partition: the reader is closed");
  }
}

interface PartitionPlace {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly range: OffsetRange;
  readonly maxFrames: number;
  readonly maxBytes: number;
}

/** A read that waits for the next append. */
interface Waiter {
  readonly max: number;
  readonly resolve: (frames: Frame[]) => void;
  readonly reject: (error: unknown) => void;
}

class EmbeddedPartitionReader implements PartitionReader {
  readonly #parts: ReaderParts;
  readonly #place: PartitionPlace;
  readonly #onClose: () => void;
  readonly #unlisten: () => void;
  #range: OffsetRange;
  #position: number;
  /** Offset of the next frame to buffer. */
  #next: number;
  #buffer: Frame[] = [];
  #bufferedBytes = 0;
  #waiter: Waiter | undefined;
  #filling = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #fault = false;
  #closed = false;

  constructor(parts: ReaderParts, place: PartitionPlace, onClose: () => void) {
    this.#parts = parts;
    this.#place = place;
    this.#onClose = onClose;
    this.#range = place.range;
    this.#position = this.#next = place.offset;
    this.#unlisten = parts.changes.listen(place.id, (range) => {
      this.#range = range;
      if (this.#waiter !== undefined) this.#serve();
      this.#fillLater();
    });
    this.#fillLater();
  }

  get buffered(): number {
    return this.#buffer.length;
  }

  get position(): number {
    return this.#position;
  }

  get latest(): number {
    return this.#range.latest;
  }

  get status(): "reading" | "waiting-for-log" {
    return this.#fault ? "waiting-for-log" : "reading";
  }

  read(max: number, signal?: AbortSignal): Promise<Frame[]> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      this.#checkOpen();
      if (!(max >= 1)) {
        throw new LogError("INVALID", `Cannot read ${max} frames: expected at least 1`);
      }
      if (this.#waiter !== undefined) {
        throw new LogError("INVALID", `Cannot read ${this.#name}: another read is waiting`);
      }
      const abort = () => {
        this.#waiter = undefined;
        reject(signal!.reason);
      };
      const settled = () => {
        this.#waiter = undefined;
        signal?.removeEventListener("abort", abort);
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiter = {
        max,
        resolve: (frames) => (settled(), resolve(frames)),
        reject: (error) => (settled(), reject(error)),
      };
      if (this.#parts.db.turns.exhausted) this.#fillLater();
      else this.#parts.db.turns.spend(() => this.#serve());
    });
  }

  seek(offset: number): void {
    this.#checkOpen();
    checkOffset(offset);
    this.#buffer = [];
    this.#bufferedBytes = 0;
    this.#position = this.#next = offset;
    if (this.#waiter !== undefined) this.#serve();
    this.#fillLater();
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#unlisten();
      clearTimeout(this.#retry);
      this.#buffer = [];
      this.#waiter?.reject(this.#closedError());
      this.#onClose();
    }
    return Promise.resolve();
  }

  get #name(): string {
    return `${this.#place.topic}/${this.#place.partition}`;
  }

  #closedError(): LogError {
    return new LogError("CLOSED", `Cannot read ${this.#name}: the reader is closed`);
  }

  #checkOpen(): void {
    if (this.#closed) throw this.#closedError();
  }

  /** Gives the waiting read what there is. */
  #serve(): void {
    const { max, resolve, reject } = this.#waiter!;
    try {
      if (this.#buffer.length < max) this.#fetch();
      if (this.#buffer.length === 0) return;
      const frames = this.#buffer.splice(0, max);
      for (const { value } of frames) this.#bufferedBytes -= value.length;
      this.#position = frames.at(-1)!.offset + 1;
      resolve(frames);
      if (this.#wantsMore()) this.#fillLater();
    } catch (error) {
      reject(error);
    }
  }

  /** Fills the buffer in later turns of the event loop, one chunk a time. */
  #fillLater(): void {
    if (this.#filling || !(this.#wantsMore() || this.#waiter !== undefined)) return;
    this.#filling = true;
    this.#parts.db.turns.later(() => {
      this.#filling = false;
      if (this.#closed) return;
      if (this.#waiter !== undefined) {
        this.#serve();
        return;
      }
      try {
        this.#fetch();
      } catch (error) {
        // Nobody waits for these frames yet: the next read meets the same error and tells it.
        if (error instanceof LogError) return;
        throw error;
      }
      if (this.#wantsMore()) this.#fillLater();
    });
  }

  /** True when the buffer is at most half full and there is more to read. */
  #wantsMore(): boolean {
    const { maxFrames, maxBytes } = this.#place;
    return !this.#closed && this.#next < this.#range.latest &&
      this.#buffer.length <= maxFrames / 2 && this.#bufferedBytes <= maxBytes / 2;
  }

  /**
   * Reads one chunk into the buffer, as far as there is room.
   *
   * @throws {LogError} `OFFSET_OUT_OF_RANGE` when nothing is buffered and nothing can come.
   */
  #fetch(): void {
    const { maxFrames, maxBytes } = this.#place;
    const frames = Math.min(chunkFrames, maxFrames - this.#buffer.length);
    const bytes = Math.min(chunkBytes, maxBytes - this.#bufferedBytes);
    const empty = this.#buffer.length === 0;
    if (!empty && (frames <= 0 || bytes <= 0)) return;
    let got: Frame[] = [];
    try {
      if (this.#next < this.#range.latest) {
        got = this.#parts.records.read(this.#place, this.#next, {
          maxFrames: Math.min(frames, this.#range.latest - this.#next),
          maxBytes: bytes,
          always: empty,
        });
      }
      if (got.length === 0 && empty) {
        this.#range = this.#parts.topics.range(this.#place.id);
        this.#checkRange();
      }
      this.#fault = false;
    } catch (error) {
      const failed = storageError(error, `read ${this.#name}`, this.#parts.db.path);
      if (!failed.retryable) throw failed;
      this.#fault = true;
      this.#retryLater();
      return;
    }
    for (const frame of got) {
      this.#buffer.push(frame);
      this.#bufferedBytes += frame.value.length;
    }
    if (got.length > 0) this.#next = got.at(-1)!.offset + 1;
  }

  /** The database was locked just now. */
  #retryLater(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      if (this.#waiter !== undefined) this.#serve();
      else this.#fillLater();
    }, retryMs);
  }

  #checkRange(): void {
    const { earliest, latest } = this.#range;
    if (this.#next >= earliest && this.#next <= latest) return;
    const where = this.#next < earliest ? "is no longer there" : "is not there yet";
    throw new LogError(
      "OFFSET_OUT_OF_RANGE",
      `Cannot read ${this.#name} from offset ${this.#next}: it ${where}, the partition holds ` +
        `${earliest} to ${latest - 1}`,
      { range: { earliest, latest } },
    );
  }
}

function checkOffset(offset: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new LogError(
      "INVALID",
      `Cannot read from offset ${offset}: expected a whole number from 0`,
    );
  }
}
