// What every log refuses, in the same words. What Kafka takes is taken, so that a log can move there.
import { shown, TOPIC, whole } from "../base/options.ts";
import { checkContent } from "../definition/result.ts";
import type { ReaderOptions } from "./log.ts";
import { LogError } from "./log_error.ts";
import type { LogRecord, OffsetRange } from "./records.ts";

const MOST_PARTITIONS = 100_000;

/**
 * @param action with the value, as the beginning of a message
 * @throws {LogError} `INVALID` unless the value is a whole number in this range
 */
export function checkWhole(action: string, value: number, from: number, to?: number): void {
  const { takes, accepted } = whole(from, to);
  if (!takes(value)) throw new LogError("INVALID", `${action}: expected ${accepted}`);
}

/** @throws {LogError} `INVALID` unless a topic may be created with this name and number of partitions */
export function checkTopic(
  topic: string,
  partitions = 1,
  { retentionBytes }: { readonly retentionBytes?: number | undefined } = {},
): void {
  if (!TOPIC.takes(topic)) {
    const accepted = `expected ${TOPIC.accepted}`;
    throw new LogError("INVALID", `Cannot create topic ${shown(topic)}: ${accepted}`);
  }
  const action = `Cannot create topic ${topic} with ${partitions} partitions`;
  checkWhole(action, partitions, 1, MOST_PARTITIONS);
  if (retentionBytes === undefined) return;
  checkWhole(
    `Cannot create topic ${topic} with retentionBytes ${retentionBytes}`,
    retentionBytes,
    1,
  );
}

/** The last moment of a date, epoch milliseconds. */
const LAST_MS = 8.64e15;

/** The nearest time that a frame can have: other programs store any number as a record's time. */
export function frameTime(ms: number): number {
  return Math.min(Math.max(0, Math.floor(ms) || 0), LAST_MS);
}

/**
 * A record's time as it is stored: whole milliseconds since 1970.
 *
 * @throws {LogError} `INVALID` if it is not a number of milliseconds
 */
export function timeOf({ timestamp }: Pick<LogRecord, "timestamp">): number {
  const isTime = typeof timestamp === "number" && Math.abs(timestamp) <= Number.MAX_SAFE_INTEGER;
  if (isTime) return frameTime(timestamp);
  return refuse("timestamp", "epoch milliseconds", timestamp);
}

/**
 * Refuses what no reader could read, since plain JavaScript is not type-checked.
 *
 * @throws {LogError} `INVALID` unless each field is of its type
 */
export function checkRecord(record: LogRecord): void {
  const { key } = record;
  timeOf(record);
  if (key !== null && typeof key !== "string") refuse("key", "text or null", key);
  checkContent(record, refuse);
}

function refuse(field: string, accepted: string, given: unknown): never {
  const message = `Cannot append a record with ${field} ${shown(given)}: expected ${accepted}`;
  throw new LogError("INVALID", message);
}

/** @param count of the topic's partitions; 0 if there is no such topic */
export function partitionMissing(topic: string, partition: number, count: number): LogError {
  return count === 0
    ? new LogError(
      "TOPIC_MISSING",
      `Cannot find topic ${shown(topic)} in the log; create it first`,
    )
    : new LogError(
      "PARTITION_MISSING",
      `Cannot find partition ${partition} of topic ${topic}: it has ${count}, numbered from 0`,
    );
}

/** @param why by default the offset itself says it */
export function outOfRange(
  place: string,
  offset: number,
  range: OffsetRange,
  why = offset < range.earliest ? "it no longer exists" : "it does not exist yet",
): LogError {
  const { earliest, latest } = range;
  const held = earliest < latest ? `${earliest} to ${latest - 1}` : "nothing";
  return new LogError(
    "OFFSET_OUT_OF_RANGE",
    `Cannot read ${place} from offset ${offset}: ${why}, the partition holds ${held}`,
    { range },
  );
}

/** @throws {LogError} `INVALID` unless a reader may buffer this much */
export function checkBuffers(
  { maxBufferedFrames, maxBufferedBytes }: Required<ReaderOptions>,
): void {
  checkWhole(`Cannot read with maxBufferedFrames ${maxBufferedFrames}`, maxBufferedFrames, 1);
  checkWhole(`Cannot read with maxBufferedBytes ${maxBufferedBytes}`, maxBufferedBytes, 1);
}

/** @throws {LogError} `INVALID` unless at least one frame is wanted; `Infinity` is accepted */
export function checkMost(place: string, frames: number): void {
  if (frames >= 1) return;
  throw new LogError("INVALID", `Cannot read ${frames} frames of ${place}: expected at least 1`);
}
