// Options of the source: where a query starts, where it ends, and the size of its batches.
import { optionFaults } from "../base/fields.ts";
import {
  FLAG,
  type OptionRow,
  type OptionRows,
  readBy,
  shown,
  TEXT,
  whole,
} from "../base/options.ts";
import type { OffsetJson } from "./progress.ts";
import { parseDuration } from "./trigger.ts";

/** Where a query without a checkpoint starts. */
export type StartingOffsets =
  | "earliest"
  | "latest"
  | OffsetJson
  | `${number}-${number}-${string}`
  | `-${number} frames`
  | `-${number} minutes`
  | `-${number} seconds`;

/** Options of `readStream`, as in Spark if Spark has them. */
export interface ReadStreamOptions {
  /**
   * `earliest`, `latest` (default), offsets by topic and partition as JSON (−2 is earliest, −1
   * latest; other partitions start at latest), relative to the end (`-100 frames`, `-10 minutes`),
   * or a capture time in ISO 8601. Ignored on resume.
   */
  readonly startingOffsets?: StartingOffsets;
  /** Capture time to start at, epoch milliseconds or ISO 8601. Overrides `startingOffsets`. */
  readonly startingTimestamp?: number | string;
  /**
   * Where the read ends: `latest` (as of the start), or offsets by topic and partition as JSON (−1
   * is latest; other partitions end at latest). The frame at that offset is not read. The query
   * then ends, with any trigger. By default there is no end.
   */
  readonly endingOffsets?: "latest" | OffsetJson;
  /** Ends the read at the first frame from this time: epoch milliseconds or ISO 8601. */
  readonly endingTimestamp?: number | string;
  /** Most frames in a batch. Default 64. */
  readonly maxFramesPerTrigger?: number;
  /** A batch waits for this many frames … Default 1. */
  readonly minFramesPerTrigger?: number;
  /** … but no longer than this, a duration such as `500ms` or `15m` (default). */
  readonly maxTriggerDelay?: string;
  /**
   * If frames were deleted from the log before the query read them: true (default) stops the query
   * with an error that names them, false continues with the oldest remaining frame and counts the
   * lost ones.
   */
  readonly failOnDataLoss?: boolean;
  /** Directory of the checkpoints for the embedded log. That of the run (`--checkpoint`) replaces it. */
  readonly checkpointLocation?: string;
  /** Overrides the definition's name. */
  readonly queryName?: string;
}

export const READ_ROWS: OptionRows<ReadStreamOptions> = {
  startingOffsets: readBy(parseStartingOffsets),
  startingTimestamp: readBy((given) => parseTimestamp("startingTimestamp", given)),
  endingOffsets: readBy(parseEndingOffsets),
  endingTimestamp: readBy((given) => parseTimestamp("endingTimestamp", given)),
  maxFramesPerTrigger: whole(1),
  minFramesPerTrigger: whole(1),
  maxTriggerDelay: readBy(parseDuration),
  failOnDataLoss: FLAG,
  checkpointLocation: TEXT,
  queryName: readBy(checkQueryName),
};

/**
 * Checks the name of a query.
 *
 * @throws {RangeError} if it has another form.
 */
export function checkQueryName(name: string): string {
  if (typeof name === "string" && /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) return name;
  throw new RangeError(
    `Cannot name a query ${shown(name)}: expected 1 to 64 letters, digits, - and _`,
  );
}

/** Faults of options that include those of the source: option, given, accepted. */
export function readFaults(
  options: ReadStreamOptions,
  rows: Readonly<Record<string, OptionRow>> = READ_ROWS,
): string[] {
  const faults = optionFaults(options, rows);
  const { minFramesPerTrigger: min = 1, maxFramesPerTrigger: max = 64 } = options ?? {};
  if (faults.length === 0 && min > max) {
    faults.push(
      `minFramesPerTrigger: expected at most maxFramesPerTrigger (${max}), given ${min}`,
    );
  }
  return faults;
}

/**
 * Checks source options.
 *
 * @throws {RangeError} naming every fault.
 */
export function checkReadOptions(options: ReadStreamOptions): ReadStreamOptions {
  const faults = readFaults(options);
  if (faults.length > 0) throw new RangeError(`Cannot use source options: ${faults.join("; ")}`);
  return options;
}

/** Where to start, parsed. */
export type StartPoint =
  | { readonly kind: "earliest" | "latest" }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "last-frames"; readonly frames: number }
  | { readonly kind: "last-ms"; readonly ms: number }
  | { readonly kind: "timestamp"; readonly timestamp: number };

/**
 * Parses `startingOffsets`, from the API or from the command line (JSON as text).
 *
 * @throws {RangeError} saying what was given and what is accepted.
 */
export function parseStartingOffsets(
  given: StartingOffsets | string,
): (topic: string, partition: number) => StartPoint {
  const refuse = () =>
    new RangeError(
      `Cannot read starting offsets ${
        shown(given)
      }: expected earliest, latest, "-100 frames", "-10 minutes", a time such as 2026-01-31T12:00Z, or JSON such as {"VideoStreaming":{"0":17}}`,
    );
  if (given === "earliest" || given === "latest") return () => ({ kind: given });
  if (typeof given === "string") {
    const match =
      /^-(\d+(?:\.\d+)?)\s*(frames?|offsets?|milliseconds?|ms|seconds?|s|minutes?|m|hours?|h)$/
        .exec(given.trim());
    if (match !== null) {
      const amount = Number(match[1]);
      const unit = match[2]!;
      if (/^(frame|offset)/.test(unit)) {
        if (!Number.isInteger(amount)) throw refuse();
        return () => ({ kind: "last-frames", frames: amount });
      }
      const short = /^(ms|milli)/.test(unit) ? "ms" : unit[0];
      const ms = parseDuration(`${match[1]}${short}`);
      return () => ({ kind: "last-ms", ms });
    }
    if (/^\d{4}-\d\d/.test(given)) {
      const timestamp = Date.parse(given);
      if (Number.isNaN(timestamp)) throw refuse();
      return () => ({ kind: "timestamp", timestamp });
    }
  }
  const offsets = offsetsOf(given, -2);
  if (offsets === undefined) throw refuse();
  return (topic, partition) => {
    const offset = offsets[topic]?.[String(partition)] ?? -1;
    if (offset === -2) return { kind: "earliest" };
    return offset === -1 ? { kind: "latest" } : { kind: "offset", offset };
  };
}

/** Parses offsets by topic and partition, possibly as JSON text; undefined if invalid. */
function offsetsOf(given: unknown, least: number): OffsetJson | undefined {
  if (typeof given === "string") {
    try {
      given = JSON.parse(given);
    } catch {
      return undefined;
    }
  }
  const isMap = (value: unknown): value is object =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isMap(given)) return undefined;
  const good = Object.values(given).every((partitions) =>
    isMap(partitions) &&
    Object.entries(partitions).every(([partition, offset]) =>
      /^(0|[1-9]\d*)$/.test(partition) && Number.isSafeInteger(offset) && Number(offset) >= least
    )
  );
  return good ? given as OffsetJson : undefined;
}

/**
 * Parses a capture time: epoch milliseconds or ISO 8601.
 *
 * @throws {RangeError} if it is neither.
 */
function parseTimestamp(name: string, given: number | string): number {
  const number = typeof given === "number" ? given : /^\d+$/.test(given) ? Number(given) : NaN;
  const timestamp = Number.isFinite(number) ? number : Date.parse(String(given));
  if (!Number.isFinite(timestamp)) {
    throw new RangeError(
      `Cannot read ${name} ${shown(given)}: expected epoch milliseconds or ISO 8601`,
    );
  }
  return timestamp;
}

/** Where a query on one partition starts when it has no checkpoint. */
export function startPoint(
  options: ReadStreamOptions,
  topic: string,
  partition: number,
): StartPoint {
  if (options.startingTimestamp !== undefined) {
    return {
      kind: "timestamp",
      timestamp: parseTimestamp("startingTimestamp", options.startingTimestamp),
    };
  }
  return parseStartingOffsets(options.startingOffsets ?? "latest")(topic, partition);
}

/** Parses where the read of a partition ends. */
function parseEndingOffsets(
  given: ReadStreamOptions["endingOffsets"] | string,
): (topic: string, partition: number) => number | "latest" {
  const offsets = given === "latest" ? {} : offsetsOf(given, -1);
  if (offsets === undefined) {
    throw new RangeError(
      `Cannot end a read at ${
        shown(given)
      }: expected latest or JSON such as {"VideoStreaming":{"0":17}}, without −2`,
    );
  }
  return (topic, partition) => {
    const offset = offsets[topic]?.[String(partition)] ?? -1;
    return offset === -1 ? "latest" : offset;
  };
}

/** Where the read of one partition ends; `Infinity` for no end. */
export function endPoint(
  { endingOffsets: offsets, endingTimestamp: time }: ReadStreamOptions,
  topic: string,
  partition: number,
): { readonly offset: number | "latest"; readonly timestamp: number } {
  return {
    offset: offsets === undefined ? Infinity : parseEndingOffsets(offsets)(topic, partition),
    timestamp: time === undefined ? Infinity : parseTimestamp("endingTimestamp", time),
  };
}

/** True if the read has an end. */
export function hasEnd({ endingOffsets, endingTimestamp }: ReadStreamOptions): boolean {
  return endingOffsets !== undefined || endingTimestamp !== undefined;
}
