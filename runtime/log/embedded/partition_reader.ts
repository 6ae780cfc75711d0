import type { Frame } from "../../definition/frame.ts";
import { checkMost, checkWhole, outOfRange } from "../checks.ts";
import { LogError, type OffsetRange, type PartitionReader, type ReadProblem } from "../log.ts";
import { weightOf } from "../records.ts";
import { storageError } from "./errors.ts";
import { FrameReader, type PartitionId } from "./frame_reader.ts";
import type { OpenLog } from "./open_log.ts";
import type { PartitionView } from "./topics.ts";

/**
 * Most frames and bytes of one look into the database, so that the event loop is never blocked for
 * long.
 */
const chunkFrames = 64;
const chunkBytes = 4 << 20;
/** First delay before a retry while the log cannot be read; doubles up to the longest. */
const [retryMs, mostRetryMs] = [5, 500];
/** Failures in a row from which on they are reported. */
const reportedFailures = 4;

/** What to read, where to begin, and how much to buffer. */
export interface PartitionPlace extends PartitionId {
  readonly offset: number;
  readonly range: OffsetRange;
  readonly maxFrames: number;
  readonly maxBytes: number;
  readonly onProblem: ((problem?: ReadProblem) => void) | undefined;
}

/** A read waiting for the next append. */
interface Waiter {
  readonly max: number;
  readonly until: number;
  readonly resolve: (frames: Frame[]) => void;
  readonly reject: (error: unknown) => void;
}

export class EmbeddedPartitionReader implements PartitionReader {
  readonly #parts: OpenLog;
  readonly #place: PartitionPlace;
  readonly #onClose: () => void;
  readonly #unlisten: () => void;
  readonly #frames: FrameReader;
  #range: OffsetRange;
  position: number;
  #next: number;
  #buffer: Frame[] = [];
  #bufferedBytes = 0;
  #waiter: Waiter | undefined;
  #filling = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** In a row. */
  #failures = 0;
  #closed = false;

  constructor(parts: OpenLog, place: PartitionPlace, onClose: () => void) {
    this.#parts = parts;
    this.#place = place;
    this.#onClose = onClose;
    this.#frames = new FrameReader(parts, place);
    this.#range = place.range;
    this.position = this.#next = place.offset;
    this.#unlisten = parts.changes.listen(place.id, (view) => {
      if (view === undefined) this.#failures ||= 1;
      // It is older than what was read here: changed rows are about to be announced.
      else if (view.range.latest < this.#range.latest) return;
      else this.#range = view.range;
      if (this.#waiter !== undefined) this.#serve(view);
      else this.#refill();
    });
    this.#refill();
  }

  get buffered(): number {
    return this.#buffer.length;
  }

  get latest(): number {
    return this.#range.latest;
  }

  get status(): "reading" | "waiting-for-log" {
    return this.#failures > 0 ? "waiting-for-log" : "reading";
  }

  read(max: number, signal?: AbortSignal, until = Infinity): Promise<Frame[]> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      this.#checkOpen();
      checkMost(this.#name, max);
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
        until,
        resolve: (frames) => (settled(), resolve(frames)),
        reject: (error) => (settled(), reject(error)),
      };
      if (this.#parts.db.turns.exhausted) this.#later();
      else this.#parts.db.turns.spend(() => this.#serve());
    });
  }

  seek(offset: number): void {
    this.#checkOpen();
    checkWhole(`Cannot read ${this.#name} from offset ${offset}`, offset, 0);
    this.#buffer = [];
    this.#bufferedBytes = 0;
    this.position = this.#next = offset;
    if (this.#waiter !== undefined) this.#serve();
    else this.#refill();
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#unlisten();
      clearTimeout(this.#retry);
      this.#frames.close();
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

  #serve(view?: PartitionView): void {
    const { max, until, resolve, reject } = this.#waiter!;
    try {
      if (this.position < until) {
        // Reading ahead comes later: who wants one frame does not wait for more.
        if (this.#buffer.length < max) this.#fetch(Math.min(max, until - this.position), view);
        if (this.#buffer.length === 0 && this.#next < until) return;
      }
      const beyond = this.#buffer.findIndex(({ offset }) => offset >= until);
      const frames = this.#buffer.splice(0, Math.min(max, beyond === -1 ? max : beyond));
      for (const frame of frames) this.#bufferedBytes -= weightOf(frame);
      if (frames.length > 0) this.position = frames.at(-1)!.offset + 1;
      resolve(frames);
      this.#refill();
    } catch (error) {
      reject(error);
    }
  }

  /** Fills the buffer when it is at most half full. */
  #refill(): void {
    const { maxFrames, maxBytes } = this.#place;
    if (
      !this.#closed && this.#next < this.#range.latest &&
      this.#buffer.length <= maxFrames / 2 && this.#bufferedBytes <= maxBytes / 2
    ) this.#later();
  }

  /** Serves or fills in a later turn of the event loop. */
  #later(): void {
    if (this.#filling) return;
    this.#filling = true;
    this.#parts.db.turns.later(() => {
      this.#filling = false;
      if (this.#closed) return;
      if (this.#waiter !== undefined) {
        this.#serve();
        return;
      }
      const before = this.#next;
      try {
        this.#fetch();
      } catch {
        // No read waits yet: the next one meets the same error.
        return;
      }
      if (this.#next > before) this.#refill();
    });
  }

  /**
   * Reads one chunk into the buffer, which then holds `most` frames at most.
   *
   * @throws {LogError} `OFFSET_OUT_OF_RANGE` if nothing is buffered and nothing can follow
   */
  #fetch(most = this.#place.maxFrames, view?: PartitionView): void {
    const { id, maxFrames, maxBytes } = this.#place;
    const frames = Math.min(chunkFrames, Math.min(most, maxFrames) - this.#buffer.length);
    const bytes = Math.min(chunkBytes, maxBytes - this.#bufferedBytes);
    const empty = this.#buffer.length === 0;
    if (!empty && (frames <= 0 || bytes <= 0)) return;
    let got: Frame[] = [];
    try {
      this.#parts.db.checkPresent();
      // At the end: the next change wakes the reader.
      if (view === undefined && this.#next === this.#range.latest && this.#failures === 0) return;
      const { tail, range } = view ?? this.#parts.topics.view(id);
      this.#range = range;
      if (empty) this.#checkRange();
      if (this.#next < this.#range.earliest || this.#next >= this.#range.latest) {
        return this.#succeeded();
      }
      const limits = { maxFrames: frames, maxBytes: bytes, always: empty };
      const read = this.#frames.read(tail, this.#next, limits);
      got = read.frames;
      this.#next = read.next;
      this.#succeeded();
    } catch (error) {
      const failed = storageError(error, `read ${this.#name}`, this.#parts.db.path);
      if (!failed.retryable) throw failed;
      this.#retryLater(failed);
      return;
    }
    for (const frame of got) {
      this.#buffer.push(frame);
      this.#bufferedBytes += weightOf(frame);
    }
  }

  #succeeded(): void {
    if (this.#failures >= reportedFailures) this.#place.onProblem?.();
    this.#failures = 0;
  }

  #retryLater({ code, message }: LogError): void {
    clearTimeout(this.#retry);
    const delay = Math.min(retryMs * 2 ** Math.min(this.#failures++, 10), mostRetryMs);
    if (this.#failures >= reportedFailures) this.#place.onProblem?.({ reason: code, message });
    this.#retry = setTimeout(() => {
      if (this.#waiter !== undefined) this.#serve();
      else this.#refill();
    }, delay);
  }

  #checkRange(): void {
    const { earliest, latest } = this.#range;
    if (this.#next >= earliest && this.#next <= latest) return;
    throw outOfRange(this.#name, this.#next, this.#range);
  }
}
