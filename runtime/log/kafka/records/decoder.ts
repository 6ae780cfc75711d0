// Decodes the record batches of a Fetch response. Frames are views of the response; only compressed
// ones are copied.
import { messageOf } from "../../../base/errors.ts";
import { BadFrameError, type Frame } from "../../../definition/frame.ts";
import { frameTime } from "../../checks.ts";
import { LogError } from "../../log.ts";
import { weightOf } from "../../records.ts";
import { crc32c } from "./crc32c.ts";
import { type BatchHead, NO_HEADERS, NO_VALUE, RecordCursor } from "./record.ts";
import { FREE_BYTES, unpack } from "./unpack.ts";

/** A producer's records from `firstOffset` on must be skipped. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** Offsets from `from` to before `to`, written in one leader epoch. */
export interface EpochRange {
  readonly epoch: number;
  from: number;
  to: number;
}

export interface Decoded {
  readonly frames: Frame[];
  /** Offset to continue from, after any holes and control records. */
  readonly next: number;
  readonly epochs: readonly EpochRange[];
}

/** Limits of a buffer, and of `take`. */
export interface FrameLimit {
  readonly frames: number;
  readonly bytes: number;
}

export interface BatchSource {
  readonly topic: string;
  readonly partition: number;
  /** Earlier records are skipped: brokers send complete batches. */
  readonly from: number;
  readonly aborted: readonly AbortedTransaction[];
  /** See `RecordCursor`. */
  readonly texts?: string[];
}

const HEADER = 61;
const MAGIC_AT = 16;
/** The checksum covers the batch from here. */
const CHECKED_FROM = 21;
const COMPRESSION = 0b111;
const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;
const LOG_APPEND_TIME = 1 << 3;
/** Decompressed by one call of `take`. */
const UNPACKED_BYTES = 2 * FREE_BYTES;
/** Larger decompressed batches are not kept until the next call. */
const KEPT_BYTES = 2 * 1024 * 1024;

/** The batch that is being read. */
interface Batch extends BatchHead {
  readonly last: number;
  readonly epoch: number;
  readonly count: number;
  readonly compression: number;
  /** Where its records are in the response. */
  readonly from: number;
  readonly end: number;
  /** Undefined until the records are decompressed. */
  cursor: RecordCursor | undefined;
  /** Number of records read. */
  passed: number;
  fault: BadFrameError | undefined;
}

/** Decodes the complete batches of a response step by step. */
export class BatchDecoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #source: BatchSource;
  readonly #aborted: readonly AbortedTransaction[];
  /** Producers of open transactions that will be aborted. */
  #open: Set<bigint> | undefined;
  #upcoming = 0;
  #at = 0;
  #next: number;
  #batch: Batch | undefined;
  /** A frame beyond the last limit. */
  #held: Frame | undefined;

  constructor(bytes: Uint8Array, source: BatchSource) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#source = source;
    if (source.aborted.length > 0) this.#open = new Set();
    this.#aborted = source.aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
    this.#next = source.from;
  }

  get done(): boolean {
    return this.#batch === undefined && this.#held === undefined && !this.#hasBatch();
  }

  /**
   * Decodes the next frames. Records of a batch that is damaged or too large have an empty value and a `fault`.
   *
   * @param least this many frames may exceed the limit in bytes
   * @throws {LogError} `INVALID` for batches older than Kafka 0.11
   */
  take(limit: FrameLimit, least = 1): Decoded {
    const frames: Frame[] = [];
    const epochs: EpochRange[] = [];
    let budget = limit.bytes;
    let unpacked = 0;
    for (;;) {
      const batch = this.#batch ??= this.#nextBatch();
      if (batch === undefined) break;
      if (this.#held === undefined && batch.cursor === undefined && batch.fault === undefined) {
        // Yield the thread to other queries.
        if (batch.compression !== 0 && unpacked >= UNPACKED_BYTES && frames.length > 0) break;
        unpacked += this.#unpack(batch);
      }
      for (let frame; (frame = this.#held ?? this.#frame(batch)) !== undefined;) {
        const weight = weightOf(frame);
        if (frames.length >= limit.frames || (frames.length >= least && weight > budget)) {
          this.#held = frame;
          if (batch.cursor !== undefined && unpacked > KEPT_BYTES) this.#forget(batch);
          return { frames, next: this.#next, epochs };
        }
        this.#held = undefined;
        budget -= weight;
        this.#pass(epochs, batch.epoch, frame.offset, frame.offset + 1);
        // The decompressed batch may be much larger than these frames.
        const packed = batch.compression !== 0 && frame.fault === undefined;
        frames.push(packed ? { ...frame, value: frame.value.slice() } : frame);
      }
      if (batch.last >= this.#next) {
        this.#pass(epochs, batch.epoch, Math.max(batch.base, this.#next), batch.last + 1);
      }
      this.#batch = undefined;
    }
    return { frames, next: this.#next, epochs };
  }

  #pass(epochs: EpochRange[], epoch: number, from: number, to: number): void {
    const last = epochs.at(-1);
    if (last?.epoch === epoch) last.to = to;
    else epochs.push({ epoch, from, to });
    this.#next = to;
  }

  #hasBatch(): boolean {
    const left = this.#bytes.length - this.#at;
    // Older formats have a shorter header, with this field in the same place.
    if (left > MAGIC_AT && this.#view.getInt8(this.#at + MAGIC_AT) !== 2) return true;
    if (left < HEADER) return false;
    const size = 12 + this.#view.getInt32(this.#at + 8);
    return size < HEADER || size <= left;
  }

  /** The next batch from `#next` on. */
  #nextBatch(): Batch | undefined {
    const { topic, partition } = this.#source;
    const view = this.#view;
    while (this.#hasBatch()) {
      const at = this.#at;
      const size = 12 + view.getInt32(at + 8);
      const base = int64(view, at);
      const magic = view.getInt8(at + MAGIC_AT);
      if (magic !== 2) {
        throw new LogError(
          "INVALID",
          `Cannot read ${topic} partition ${partition} at offset ${base}: unsupported record format ${magic}, expected 2 (Kafka 0.11 and later)`,
        );
      }
      if (size < HEADER) {
        // The next batch is found by another fetch, after this offset.
        this.#at = this.#bytes.length;
        return this.#broken(this.#next, this.#next, `its length is ${size} bytes`);
      }
      this.#at += size;
      const attributes = view.getInt16(at + 21);
      const span = view.getInt32(at + 23);
      const last = base + span;
      if (span >= 0 && last < this.#next && (attributes & CONTROL) === 0) continue;
      if (view.getUint32(at + 17) !== crc32c(this.#bytes.subarray(at + CHECKED_FROM, at + size))) {
        const end = span >= 0 && span < size ? last : base;
        return this.#broken(
          Math.max(base, this.#next),
          Math.max(end, this.#next),
          "wrong checksum",
        );
      }
      const hidden = this.#isAborted(at, last, attributes);
      if (last < this.#next) continue;
      return {
        base,
        last,
        epoch: view.getInt32(at + 12),
        count: hidden || (attributes & CONTROL) !== 0 ? 0 : view.getInt32(at + 57),
        compression: attributes & COMPRESSION,
        from: at + HEADER,
        end: at + size,
        firstTimestamp: int64(view, at + 27),
        appendTime: (attributes & LOG_APPEND_TIME) === 0 ? undefined : int64(view, at + 35),
        cursor: undefined,
        passed: 0,
        fault: undefined,
      };
    }
  }

  /** Whether the batch at this place belongs to an aborted transaction. */
  #isAborted(at: number, last: number, attributes: number): boolean {
    const open = this.#open;
    if (open === undefined || (attributes & (TRANSACTIONAL | CONTROL)) === 0) return false;
    const aborted = this.#aborted;
    while (this.#upcoming < aborted.length && aborted[this.#upcoming]!.firstOffset <= last) {
      open.add(aborted[this.#upcoming++]!.producerId);
    }
    const producerId = this.#view.getBigInt64(at + 43);
    // A commit or abort marker ends the producer's transaction.
    return (attributes & CONTROL) === 0 ? open.has(producerId) : open.delete(producerId);
  }

  #broken(base: number, last: number, why: string): Batch {
    const fault = faultOf(new RangeError(why));
    const nothing = { epoch: -1, count: 0, compression: 0, from: 0, end: 0 };
    const times = { firstTimestamp: 0, appendTime: undefined };
    return { base, last, ...nothing, ...times, cursor: undefined, passed: 0, fault };
  }

  /** @returns the number of decompressed bytes */
  #unpack(batch: Batch): number {
    const { from, end, compression, count } = batch;
    if (count <= 0 || compression === 0) {
      batch.cursor = new RecordCursor(this.#bytes, this.#source.texts, from, end);
      return 0;
    }
    batch.cursor = new RecordCursor(NO_VALUE, this.#source.texts);
    try {
      const plain = unpack(this.#bytes.subarray(from, end), compression);
      batch.cursor = new RecordCursor(plain, this.#source.texts);
      return plain.length;
    } catch (error) {
      batch.fault = faultOf(error);
      return FREE_BYTES;
    }
  }

  /** Releases the decompressed records; the next `take` decompresses them again. */
  #forget(batch: Batch): void {
    batch.cursor = undefined;
    batch.passed = 0;
    this.#held = undefined;
  }

  #frame(batch: Batch): Frame | undefined {
    const { topic, partition } = this.#source;
    if (batch.fault === undefined) {
      try {
        while (batch.passed < batch.count) {
          batch.passed++;
          const frame = batch.cursor!.frame(batch, this.#source, this.#next);
          if (frame === undefined) continue;
          if (!(frame.offset >= this.#next && frame.offset <= batch.last)) {
            throw new RangeError(
              `it holds offset ${frame.offset} between ${this.#next} and ${batch.last}`,
            );
          }
          return frame;
        }
        return undefined;
      } catch (error) {
        batch.fault = faultOf(error);
      }
    }
    // Each offset that cannot be read becomes a frame with a fault.
    const offset = Math.max(batch.base, this.#next);
    if (offset > batch.last) return undefined;
    const timestamp = frameTime(batch.appendTime ?? batch.firstTimestamp);
    const place = { topic, partition, offset, timestamp };
    return { ...place, key: null, headers: NO_HEADERS, value: NO_VALUE, fault: batch.fault };
  }
}

/** Exact up to 2 ** 53. */
function int64(view: DataView, at: number): number {
  return view.getInt32(at) * 2 ** 32 + view.getUint32(at + 4);
}

function faultOf(error: unknown): BadFrameError {
  return error instanceof BadFrameError
    ? error
    : new BadFrameError("corrupt", `Cannot read a record batch: ${messageOf(error)}`);
}
