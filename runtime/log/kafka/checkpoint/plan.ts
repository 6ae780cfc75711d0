/**
 * Which batch follows which.
 *
 * @module
 */
import { type BatchRange, type CommitterOptions, LogError } from "../../log.ts";
import type { Stored } from "./metadata.ts";

/** Whose checkpoint it is, for people. */
export function placeOf(
  { query, topic, partition }: Omit<CommitterOptions, "group">,
): string {
  return `query ${query} on ${topic} partition ${partition}`;
}

/** Whether two batches take the same offsets. */
export function sameRange(a: BatchRange, b: BatchRange): boolean {
  return a.batchId === b.batchId && a.start === b.start && a.end === b.end;
}

/** @throws {LogError} `INVALID` when the offsets are no range. */
export function checkRange({ start, end }: BatchRange, action: string): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new LogError(
      "INVALID",
      `${action}: offsets ${start} to ${end} are no range`,
    );
  }
}

/** The error of a batch that is not the one that was planned. */
export function planGap(
  action: string,
  planned: BatchRange | undefined,
  batch: BatchRange,
): LogError {
  const range = ({ batchId, start, end }: BatchRange) => `batch ${batchId} from ${start} to ${end}`;
  return new LogError(
    "CHECKPOINT_GAP",
    planned === undefined
      ? `${action}: it was not planned`
      : `${action}: given ${range(batch)}, planned is ${range(planned)}`,
  );
}

/** Whether a checkpoint is as its owner left it. */
export function isSame(found: Stored | undefined, left: Stored | undefined): boolean {
  return found?.queryId === left?.queryId && found?.batchId === left?.batchId &&
    found?.offset === left?.offset;
}
