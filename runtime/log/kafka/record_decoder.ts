/**
 * Reads record batches out of a fetch response: frames are views on the response, nothing is copied
 * unless it was compressed.
 *
 * @module
 */
import { BadFrameError, type Frame, type Headers } from "../../definition/frame.ts";
import { LogError } from "../log.ts";
import type { Seen } from "./epochs.ts";
import { FREE_BYTES, unpack } from "./unpack.ts";

/** A transaction that was aborted: its records from `firstOffset` on are not to be seen. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** What was read out of the batches of one partition. */
export interface Decoded {
  readonly frames: Frame[];
  /** Offset to go on from: behind holes and markers too. */
  readonly next: number;
  /** Leader epochs of the batches that something was taken of, each with its offsets. */
  readonly epochs: readonly Seen[];
}

const HEADER = 61;
const COMPRESSION = 0b111;
const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;
const LOG_APPEND_TIME = 1 << 3;
/** Unpacking goes on, batch after batch, up to so much. */
const UNPACKED_BYTES = 2 * FREE_BYTES;
const NO_HEADERS: Headers = Object.freeze({});
const NO_VALUE = new Uint8Array(0);
const text = new TextDecoder();

/**
 * Decodes the whole batches in `bytes`.
 *
 * @param from records below this offset are left out: a batch is always sent as a whole.
 * @param limit how many frames and how many bytes of them are wanted; one frame always passes.
 * @returns what could be read. Records that could not (their batch unpacks to too much, or is damaged) are
 * empty frames with their offset and a `fault`.
 */
export function decodeBatches(
  bytes: Uint8Array,
  options: {
    readonly topic: string;
    readonly partition: number;
    readonly from: number;
    readonly aborted: readonly AbortedTransaction[];
    readonly limit: { readonly frames: number; readonly bytes: number };
  },
): Decoded {
  const { topic, partition, from, limit } = options;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const aborted = options.aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const open = new Set<bigint>();
  const frames: Frame[] = [];
  let budget = limit.bytes;
  let next = from;
  const epochs: Seen[] = [];
  const took = (epoch: number, from: number, to: number) => {
    const last = epochs.at(-1);
    if (last?.epoch === epoch) last.to = to;
    else epochs.push({ epoch, from, to });
  };
  /** Takes the frame, unless there is no room for it. */
  const take = (frame: Frame, epoch: number, packed: boolean): boolean => {
    const weight = weightOf(frame);
    if (frames.length >= limit.frames || (frames.length > 0 && weight > budget)) return false;
    budget -= weight;
    took(epoch, frame.offset, frame.offset + 1);
    // What was unpacked may be much larger than the frames that are taken of it.
    frames.push(packed ? { ...frame, value: frame.value.slice() } : frame);
    next = frame.offset + 1;
    return true;
  };
  let upcoming = 0;
  let unpacked = 0;
  for (let at = 0; at + HEADER <= bytes.length;) {
    const size = 12 + view.getInt32(at + 8);
    if (at + size > bytes.length) break;
    const base = Number(view.getBigInt64(at));
    const magic = view.getInt8(at + 16);
    if (magic !== 2) {
      throw new LogError(
        "INVALID",
        `Cannot read ${topic} partition ${partition} at offset ${base}: record format ${magic} is older than Kafka 0.11`,
      );
    }
    const attributes = view.getInt16(at + 21);
    const last = base + view.getInt32(at + 23);
    const producerId = view.getBigInt64(at + 43);
    while (upcoming < aborted.length && aborted[upcoming]!.firstOffset <= last) {
      open.add(aborted[upcoming++]!.producerId);
    }
    const batchEpoch = view.getInt32(at + 12);
    if ((attributes & CONTROL) !== 0) {
      // The marker that ends a transaction: what the producer writes after it is another one.
      open.delete(producerId);
    } else if ((attributes & TRANSACTIONAL) === 0 || !open.has(producerId)) {
      const count = view.getInt32(at + 57);
      const firstTimestamp = Number(view.getBigInt64(at + 27));
      const appendTime = (attributes & LOG_APPEND_TIME) !== 0
        ? Number(view.getBigInt64(at + 35))
        : undefined;
      const compression = count > 0 && last >= from ? attributes & COMPRESSION : 0;
      // The rest comes with the next fetch: others want the thread too.
      if (compression !== 0 && unpacked >= UNPACKED_BYTES && frames.length > 0) break;
      try {
        let records = bytes.subarray(at + HEADER, at + size);
        if (compression !== 0) {
          unpacked += FREE_BYTES;
          records = unpack(records, compression);
          unpacked += records.length - FREE_BYTES;
        }
        const cursor = new Cursor(records);
        const origin = { topic, partition, base, from, firstTimestamp, appendTime };
        for (let i = 0; i < count; i++) {
          const frame = cursor.frame(origin);
          if (frame === undefined) continue;
          if (!(frame.offset >= next && frame.offset <= last)) {
            throw new RangeError(`it holds offset ${frame.offset} between ${next} and ${last}`);
          }
          if (!take(frame, batchEpoch, compression !== 0)) return { frames, next, epochs };
        }
      } catch (error) {
        const fault = error instanceof BadFrameError
          ? error
          : new BadFrameError("corrupt", `Cannot read a record batch: ${(error as Error).message}`);
        // Nobody knows the records that are left, but each has its offset: none is passed over in silence.
        const timestamp = appendTime ?? firstTimestamp;
        for (let offset = Math.max(base, next); offset <= last; offset++) {
          const place = { topic, partition, offset, timestamp };
          const frame = { ...place, key: null, headers: NO_HEADERS, value: NO_VALUE, fault };
          if (!take(frame, batchEpoch, false)) return { frames, next, epochs };
        }
      }
    }
    if (last >= next) {
      took(batchEpoch, Math.max(base, from), last + 1);
      next = last + 1;
    }
    at += size;
  }
  return { frames, next, epochs };
}

/** Bytes that a frame stands for in a buffer: headers may be as large as pictures. */
export function weightOf({ value, key, headers }: Frame): number {
  let weight = value.length + (key?.length ?? 0);
  for (const name in headers) weight += name.length + headers[name]!.length;
  return weight;
}

/** What the records of a batch have in common. */
interface Origin {
  readonly topic: string;
  readonly partition: number;
  readonly base: number;
  readonly from: number;
  readonly firstTimestamp: number;
  readonly appendTime: number | undefined;
}

/** Walks over the records of a batch. */
class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The next record; undefined when it lies below `from`. */
  frame({ topic, partition, base, from, firstTimestamp, appendTime }: Origin): Frame | undefined {
    const end = this.#varint() + this.#at;
    this.#at++;
    const timestamp = firstTimestamp + this.#varint();
    const offset = base + this.#varint();
    if (offset < from) {
      this.#at = end;
      return undefined;
    }
    const key = this.#take();
    const value = this.#take();
    const headers = this.#headers();
    this.#at = end;
    return {
      topic,
      partition,
      offset,
      timestamp: appendTime ?? timestamp,
      key: key === null ? null : text.decode(key),
      headers,
      value: value ?? NO_VALUE,
    };
  }

  #headers(): Headers {
    const count = this.#varint();
    if (count <= 0) return NO_HEADERS;
    const headers: Record<string, string> = {};
    for (let i = 0; i < count; i++) {
      const name = text.decode(this.#take() ?? undefined);
      const value = text.decode(this.#take() ?? undefined);
      // Assigning to this one name would set the object's prototype.
      if (name === "__proto__") Object.defineProperty(headers, name, { value, enumerable: true });
      else headers[name] = value;
    }
    return headers;
  }

  /** Bytes with their length before them; null when that is −1. */
  #take(): Uint8Array<ArrayBuffer> | null {
    const length = this.#varint();
    if (length < 0) return null;
    if (this.#at + length > this.#bytes.length) throw new RangeError("it ends inside a record");
    const { buffer, byteOffset } = this.#bytes;
    const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset + this.#at, length);
    this.#at += length;
    return bytes;
  }

  #varint(): number {
    let shift = 1;
    let rest = 0;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError("it ends inside a record");
      rest += (byte & 127) * shift;
      if (byte < 128) break;
      shift *= 128;
    }
    return rest % 2 === 0 ? rest / 2 : -(rest + 1) / 2;
  }
}
