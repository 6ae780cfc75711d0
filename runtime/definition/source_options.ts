/**
 * Options of the source: where a query starts and how much a batch takes.
 *
 * @module
 */
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

/** Options of `readStream`, with Spark's meaning where Spark has them. */
export interface ReadStreamOptions {
  /**
   * `earliest`, `latest` (default), offsets by topic and partition as JSON (−2 is earliest, −1
   * latest; a partition that is not named starts at latest), relative to the end (`-100 frames`, `-10 minutes`),
   * or a capture time in ISO 8601.
   * Ignored on resume.
   */
  readonly startingOffsets?: StartingOffsets;
  /** Capture time to start at, epoch milliseconds or ISO 8601. Wins over `startingOffsets`. */
  readonly startingTimestamp?: number | string;
  /**
   * Where the read ends: `latest` (as it is at the start), or offsets by topic and partition as JSON (−1
   * latest); the frame at that offset is not read. The query ends there, whatever its trigger. Without
   * it a read has no end.
   */
  readonly endingOffsets?: "latest" | OffsetJson;
  /** The first frame captured at or after this time ends the read: epoch milliseconds or ISO 8601. */
  readonly endingTimestamp?: number | string;
  /** Most frames that a batch takes. Default 64. */
  readonly maxFramesPerTrigger?: number;
  /** A batch waits until there are this many frames … Default 1. */
  readonly minFramesPerTrigger?: number;
  /** … but no longer than this, a duration such as `500ms` or `15m` (default). */
  readonly maxTriggerDelay?: string;
  /**
   * What happens when frames were deleted from the log before the query read them: true (default)
   * stops the query with an error that names them, false goes on with the oldest frame that is there and counts the lost ones.
   */
  readonly failOnDataLoss?: boolean;
  /** Directory of the checkpoints on the embedded log. */
  readonly checkpointLocation?: string;
  /** Another name than the definition's. */
  readonly queryName?: string;
}

const KNOWN = new Set([
  "startingOffsets",
  "startingTimestamp",
  "endingOffsets",
  "endingTimestamp",
  "maxFramesPerTrigger",
  "minFramesPerTrigger",
  "maxTriggerDelay",
  "failOnDataLoss",
  "checkpointLocation",
  "queryName",
]);

/**
 * Checks source options.
 *
 * @throws {RangeError} naming every fault: field, given, accepted.
 */
export function checkReadOptions(options: ReadStreamOptions): ReadStreamOptions {
  const faults: string[] = [];
  for (const key of Object.keys(options)) {
    if (!KNOWN.has(key)) {
      faults.push(`${key}: unknown; expected ${[...KNOWN].join(", ")}`);
    }
  }
  for (const name of ["maxFramesPerTrigger", "minFramesPerTrigger"] as const) {
    const value = options[name];
    if (value !== undefined && (!Number.isInteger(value) || value < 1)) {
      faults.push(`${name}: expected a whole number from 1 up, given ${value}`);
    }
  }
  if ((options.minFramesPerTrigger ?? 1) > (options.maxFramesPerTrigger ?? 64)) {
    faults.push(
      `minFramesPerTrigger: expected at most maxFramesPerTrigger (${
        options.maxFramesPerTrigger ?? 64
      }), given ${options.minFramesPerTrigger}`,
    );
  }
  try {
    if (options.maxTriggerDelay !== undefined) parseDuration(options.maxTriggerDelay);
    if (options.startingOffsets !== undefined) parseStartingOffsets(options.startingOffsets);
    endPoint(options, "", 0);
    for (const name of ["startingTimestamp", "endingTimestamp"] as const) {
      if (options[name] !== undefined) parseTimestamp(name, options[name]);
    }
  } catch (error) {
    faults.push((error as Error).message);
  }
  if (faults.length > 0) throw new RangeError(`Cannot use source options: ${faults.join("; ")}`);
  return options;
}

/** Where to start, understood. */
export type StartPoint =
  | { readonly kind: "earliest" | "latest" }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "last-frames"; readonly frames: number }
  | { readonly kind: "last-ms"; readonly ms: number }
  | { readonly kind: "timestamp"; readonly timestamp: number };

/**
 * Understands `startingOffsets`, also as the command line gives it (JSON as text).
 *
 * @throws {RangeError} saying what was given and what is accepted.
 */
export function parseStartingOffsets(
  given: StartingOffsets | string,
): (topic: string, partition: number) => StartPoint {
  const refuse = () =>
    new RangeError(
      `Cannot read starting offsets ${
        typeof given === "string" ? JSON.stringify(given) : JSON.stringify(given)
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
      const ms = amount *
        (/^(ms|milli)/.test(unit)
          ? 1
          : unit.startsWith("s")
          ? 1000
          : unit.startsWith("m")
          ? 60_000
          : 3_600_000);
      return () => ({ kind: "last-ms", ms });
    }
    if (/^\d{4}-\d\d/.test(given)) {
      const timestamp = parseTimestamp("startingOffsets", given);
      return () => ({ kind: "timestamp", timestamp });
    }
    let parsed: unknown;
    try {
      parsed = JSON.parse(given);
    } catch {
      throw refuse();
    }
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw refuse();
    return parseStartingOffsets(parsed as OffsetJson);
  }
  for (const partitions of Object.values(given)) {
    if (typeof partitions !== "object" || partitions === null) throw refuse();
    for (const [partition, offset] of Object.entries(partitions)) {
      if (!/^\d+$/.test(partition) || !Number.isSafeInteger(offset) || offset < -2) throw refuse();
    }
  }
  return (topic, partition) => {
    const offset = given[topic]?.[String(partition)] ?? -1;
    if (offset === -2) return { kind: "earliest" };
    return offset === -1 ? { kind: "latest" } : { kind: "offset", offset };
  };
}

/**
 * Understands a capture time: epoch milliseconds or ISO 8601.
 *
 * @throws {RangeError} when it is neither.
 */
function parseTimestamp(name: string, given: number | string): number {
  const number = typeof given === "number" ? given : /^\d+$/.test(given) ? Number(given) : NaN;
  const timestamp = Number.isFinite(number) ? number : Date.parse(String(given));
  if (!Number.isFinite(timestamp)) {
    throw new RangeError(
      `Cannot read ${name} ${JSON.stringify(given)}: expected epoch milliseconds or ISO 8601`,
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

/** Where the read of a partition ends; nothing where it has no end. */
export interface EndPoint {
  readonly offset?: number | "latest";
  readonly timestamp?: number;
}

/**
 * Where the read of one partition ends.
 *
 * @throws {RangeError} saying what was given and what is accepted.
 */
export function endPoint(
  { endingOffsets, endingTimestamp }: ReadStreamOptions,
  topic: string,
  partition: number,
): EndPoint {
  if (endingOffsets !== undefined && endingOffsets !== "latest") {
    parseStartingOffsets(endingOffsets);
  }
  const offset = endingOffsets === "latest" ? -1 : endingOffsets?.[topic]?.[String(partition)];
  const earliest = typeof endingOffsets === "object" &&
    Object.values(endingOffsets).some((offsets) => Object.values(offsets).includes(-2));
  if (endingOffsets as unknown === "earliest" || earliest) {
    throw new RangeError(
      `Cannot end a read at ${
        JSON.stringify(endingOffsets)
      }: expected latest or JSON such as {"VideoStreaming":{"0":17}}, without −2`,
    );
  }
  return {
    ...(offset === undefined ? {} : { offset: offset === -1 ? "latest" : offset }),
    ...(endingTimestamp === undefined
      ? {}
      : { timestamp: parseTimestamp("endingTimestamp", endingTimestamp) }),
  };
}

/** Whether reads have an end. */
export function hasEnd({ endingOffsets, endingTimestamp }: ReadStreamOptions): boolean {
  return endingOffsets !== undefined || endingTimestamp !== undefined;
}
