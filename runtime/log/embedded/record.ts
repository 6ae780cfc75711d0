// A record as bytes in a segment file:
//
// | bytes | what                                                                 |
// | ----- | -------------------------------------------------------------------- |
// | 4     | CRC-32 of the rest of the head                                       |
// | 4     | CRC-32 of key, headers and value                                     |
// | 8     | timestamp, epoch milliseconds                                        |
// | 4     | length of the key plus one; 0: no key                                |
// | 4     | length of the headers, JSON; 0: none                                 |
// | 4     | length of the value                                                  |
// | …     | key, headers, value                                                  |
//
// Numbers are big-endian. Offsets are not stored: the transaction that makes the record visible assigns them.
//
// Padding may separate two records: a head with key length 0xffffffff, then as many zeros as its value length.
import { crc32 } from "node:zlib";
import { BadFrameError, type Frame, type Headers } from "../../definition/frame.ts";
import { checkRecord, frameTime, timeOf } from "../checks.ts";
import { LogError, type LogRecord } from "../log.ts";

/** Maximum size of a record including key and headers. */
export const maxRecordBytes = 64 << 20;

export const headBytes = 28;

export interface EncodedRecord {
  readonly timestamp: number;
  /** Head, key and headers. */
  readonly head: Uint8Array;
  readonly value: Uint8Array;
  readonly size: number;
}

/** In place of the length of the key. */
export const padMark = 0xffffffff;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const noHeaders: Headers = Object.freeze({});
const noValue = new Uint8Array(0);

/**
 * Validates and encodes a record.
 *
 * @throws {LogError} `TOO_LARGE`; `INVALID` if a field is of another type
 */
export function encodeRecord(record: LogRecord): EncodedRecord {
  const { key, headers, value } = record;
  checkRecord(record);
  const timestamp = timeOf(record);
  const text = JSON.stringify(headers);
  const fields = encoder.encode((key ?? "") + (text === "{}" ? "" : text));
  const keyBytes = key === null ? 0 : encoder.encode(key).length;
  const size = headBytes + fields.length + value.length;
  if (size > maxRecordBytes) {
    throw new LogError(
      "TOO_LARGE",
      `Cannot append a record of ${size} bytes: expected at most ${maxRecordBytes}`,
    );
  }
  const head = new Uint8Array(headBytes + fields.length);
  head.set(fields, headBytes);
  const view = new DataView(head.buffer);
  view.setUint32(4, crc32(value, crc32(fields)));
  view.setBigInt64(8, BigInt(timestamp));
  view.setUint32(16, key === null ? 0 : keyBytes + 1);
  view.setUint32(20, fields.length - keyBytes);
  view.setUint32(24, value.length);
  view.setUint32(0, crc32(head.subarray(4, headBytes)));
  return { timestamp, head, value, size };
}

export function encodePadding(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(16, padMark);
  view.setUint32(24, size - headBytes);
  view.setUint32(0, crc32(bytes.subarray(4, headBytes)));
  return bytes;
}

/** Without the objects that a view would be, since each record is read by it. */
function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

/** Whether padding with an intact head begins here. */
export function isPadding(bytes: Uint8Array, at: number): boolean {
  return uint32(bytes, at + 16) === padMark;
}

export interface FramePlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface RecordPlace {
  readonly at: number;
  readonly size: number;
}

/**
 * The places of adjacent records in `bytes`; undefined for one whose head is damaged or cut. Those
 * behind a damaged head are found by their own heads.
 *
 * @param size of all of them when they were written.
 */
export function* recordPlaces(
  bytes: Uint8Array,
  count: number,
  size: number,
): Generator<RecordPlace | undefined> {
  for (let [at, left] = [0, count]; left > 0;) {
    const found = recordSize(bytes, at);
    if (found !== undefined) {
      if (!isPadding(bytes, at)) {
        yield { at, size: found };
        left--;
      }
      at += found;
      continue;
    }
    const next = bytes.length < size ? undefined : nextRecord(bytes, at + headBytes, left - 1);
    const lost = left - (next?.count ?? 0);
    for (let i = 0; i < lost; i++) yield undefined;
    if (next === undefined) return;
    [at, left] = [next.at, next.count];
  }
}

/** The first place from `from` on where `most` records or fewer begin that reach to the end. */
function nextRecord(
  bytes: Uint8Array,
  from: number,
  most: number,
): { at: number; count: number } | undefined {
  for (let at = from; at + headBytes <= bytes.length && most > 0; at++) {
    let count = 0;
    for (let end = at; count <= most;) {
      if (end === bytes.length) return { at, count };
      const size = recordSize(bytes, end);
      if (size === undefined) break;
      if (!isPadding(bytes, end)) count++;
      end += size;
    }
  }
  return undefined;
}

/** Size of the record or padding at `at`; undefined if its head is damaged or truncated. */
export function recordSize(bytes: Uint8Array, at: number): number | undefined {
  if (at + headBytes > bytes.length) return undefined;
  const key = isPadding(bytes, at) ? 0 : Math.max(0, uint32(bytes, at + 16) - 1);
  const size = headBytes + key + uint32(bytes, at + 20) + uint32(bytes, at + 24);
  const whole = crc32(bytes.subarray(at + 4, at + headBytes)) === uint32(bytes, at);
  return whole ? size : undefined;
}

export function recordTime(bytes: Uint8Array, at: number): number {
  return (uint32(bytes, at + 8) | 0) * 2 ** 32 + uint32(bytes, at + 12);
}

/** Decodes a record; a damaged one becomes a frame with a `fault`. */
export function decodeRecord(
  bytes: Uint8Array,
  { at, size }: RecordPlace,
  place: FramePlace,
): Frame {
  const timestamp = frameTime(recordTime(bytes, at));
  const body = bytes.subarray(at + headBytes, at + size);
  if (crc32(body) !== uint32(bytes, at + 4)) {
    return badFrame(place, timestamp, "its content is damaged");
  }
  const keyLength = uint32(bytes, at + 16);
  const keyBytes = Math.max(0, keyLength - 1);
  const fieldBytes = keyBytes + uint32(bytes, at + 20);
  const key = keyLength === 0 ? null : decoder.decode(body.subarray(0, keyBytes));
  const headers = fieldBytes === keyBytes
    ? noHeaders
    : JSON.parse(decoder.decode(body.subarray(keyBytes, fieldBytes))) as Headers;
  return { ...place, timestamp, key, headers, value: body.slice(fieldBytes) };
}

/** The frame of a damaged record. */
export function badFrame(place: FramePlace, timestamp: number, why: string): Frame {
  const { topic, partition, offset } = place;
  const fault = new BadFrameError(
    "corrupt",
    `Cannot read record ${offset} of ${topic}/${partition}: ${why}`,
  );
  return { ...place, timestamp, key: null, headers: noHeaders, value: noValue, fault };
}
