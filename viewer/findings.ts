// What queries find, from the results topics: live for a wall that sees only the log, and for past frames.
import type { Clock } from "../runtime/base/clock.ts";
import type { Frame } from "../runtime/definition/frame.ts";
import type { Findings } from "../runtime/definition/places.ts";
import type { Lane } from "../runtime/lanes.ts";
import { LogError } from "../runtime/log/log.ts";
import { findingsTopic } from "../runtime/sinks/findings.ts";
import { type Check, hasFields, isAbsentOr, isList, isMap } from "./checks.ts";
import type { LogReads, Partition } from "./log_reads.ts";

/** Records per read: some seconds of a playing lane. */
const CHUNK = 128;
/** How long a missing result is cached, milliseconds: it may be written later. */
const FRESH_MS = 500;
/** Interval of checks for a missing topic, milliseconds. */
const LOOK_MS = 2_000;
/** Queries commit once a second: older results belong to another scene, milliseconds. */
const RECENT_MS = 3_000;

/** The newest results of one partition, as other processes' queries commit them. */
export class LiveFindings {
  readonly #byQuery = new Map<string, Findings>();

  /** The most recent results for a picture's capture time, if recent enough: objects first. */
  before(timestamp: number): Findings | undefined {
    return objectsFirst(
      [...this.#byQuery.values()].filter(({ window }) =>
        window !== undefined && Math.abs(timestamp - window.lastTimestamp) <= RECENT_MS
      ),
    );
  }

  /** Follows results until the signal aborts; calls `onRead` whenever the log has answered. */
  async follow(
    reads: LogReads,
    { topic, partition }: Partition,
    clock: Clock,
    signal: AbortSignal,
    onRead: () => void,
  ): Promise<void> {
    const found = { topic: findingsTopic(topic), partition };
    while (await reads.log.partitionCount(found.topic) <= partition) {
      await clock.sleep(LOOK_MS, signal);
    }
    const reader = await reads.open(found, (await reads.offsets(found)).latest);
    try {
      while (!signal.aborted) {
        const records = await reader.read(CHUNK, signal);
        onRead();
        for (const { value } of records) {
          const result = parseResult(value);
          if (result?.query !== undefined) this.#byQuery.set(result.query, result);
        }
      }
    } finally {
      await reader.close();
    }
  }
}

interface Chunk {
  /** Capture times that it has all records of. */
  readonly from: number;
  readonly to: number;
  /** In `performance.now()`. */
  readonly at: number;
  readonly results: readonly Findings[];
}

/** Looks up results of frames; caches those around the last frame of each partition. */
export class PastFindings {
  readonly #reads: LogReads;
  readonly #chunks = new Map<string, Chunk>();

  constructor(reads: LogReads) {
    this.#reads = reads;
  }

  /** The query's result for a frame; for a raw lane, any query's, preferably one with objects. */
  async of(
    lane: Lane,
    { topic, partition, offset, timestamp }: Frame,
  ): Promise<Findings | undefined> {
    const key = `${partition} ${topic}`;
    let chunk = this.#chunks.get(key);
    if (chunk === undefined || !covers(chunk, timestamp)) {
      chunk = await this.#chunkFrom(findingsTopic(topic), partition, timestamp);
      this.#chunks.set(key, chunk);
    }
    const found = chunk.results.filter(({ query, window }) =>
      (lane.query === "raw" || lane.query === query) && window !== undefined &&
      window.firstOffset <= offset && offset <= window.lastOffset
    );
    return objectsFirst(found);
  }

  async #chunkFrom(topic: string, partition: number, time: number): Promise<Chunk> {
    let records: readonly Frame[] = [];
    try {
      records = await this.#reads.readFrom({ topic, partition }, time, CHUNK);
    } catch (error) {
      // There are no results yet, for this partition or at all.
      if (!(error instanceof LogError && error.code.endsWith("_MISSING"))) throw error;
    }
    return {
      from: time,
      to: records.length < CHUNK ? Infinity : records.at(-1)!.timestamp - 1,
      at: performance.now(),
      results: records.flatMap(({ value }) => parseResult(value) ?? []),
    };
  }
}

/** The first result with objects, or else the first one. */
export function objectsFirst(found: readonly Findings[]): Findings | undefined {
  return found.find(({ frames }) => frames?.some(({ objects }) => objects !== undefined)) ??
    found[0];
}

function covers({ from, to, at }: Chunk, time: number): boolean {
  return from <= time && time <= to && (to < Infinity || performance.now() - at < FRESH_MS);
}

/** Parses a result; undefined for other values, such as a picture or a foreign record. */
export function parseResult(value: Uint8Array): Findings | undefined {
  if (value[0] !== 0x7b) return undefined; // "{"
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(value));
    return isResult(parsed) ? parsed as Findings : undefined;
  } catch {
    return undefined; // not JSON
  }
}

/** JSON encodes non-finite numbers as null. */
const isNumber: Check = (value) => typeof value === "number" || value === null;
const areNumbers = isMap(isNumber);
const isPoint = isList(isNumber);

/** Whether everything that a page draws has the expected types, since anyone may write to a topic. */
const isResult = hasFields({
  scores: isAbsentOr(areNumbers),
  zones: isAbsentOr(areNumbers),
  counts: isAbsentOr(isMap(areNumbers)),
  window: isAbsentOr(hasFields({})),
  alert: isAbsentOr(hasFields({})),
  places: isAbsentOr(hasFields({
    zones: isList(hasFields({ polygon: isList(isPoint) })),
    lines: isList(hasFields({ from: isPoint, to: isPoint })),
  })),
  frames: isAbsentOr(isList(hasFields({
    scores: isAbsentOr(areNumbers),
    objects: isAbsentOr(isList(hasFields({ score: isNumber, box: isPoint }))),
  }))),
});
