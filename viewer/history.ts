// Frames that the log still holds: by offset, by time, and what a query made of them.
import type { Frame } from "../runtime/definition/frame.ts";
import type { Findings } from "../runtime/definition/places.ts";
import type { Lane, LanePicture } from "../runtime/lanes.ts";
import {
  LogError,
  type OffsetRange,
  type PartitionReader,
  type TopicLog,
} from "../runtime/log/log.ts";
import { videoCodecOf } from "../runtime/video/access_unit.ts";
import { LogReads, type LogReadsOptions } from "./log_reads.ts";
import { parseResult, PastFindings } from "./past_findings.ts";
import { isImage } from "./picture.ts";
import { UnitReader } from "./unit_reader.ts";
import type { RangeView } from "./protocol.ts";

export interface HistoryOptions extends LogReadsOptions {
  readonly log: TopicLog;
  /** Topic that a query's outputs are kept in, by the query's name. */
  readonly outputTopics?: Readonly<Record<string, string>>;
}

/** Ranges are asked for by every page that scrubs: one answer serves them all for this long, milliseconds. */
const RANGE_FRESH_MS = 500;
/** Outputs carry their source's time, so the one of a frame is among few of the same time. */
const OUTPUT_SEARCH = 64;
const MARKER_SEARCH = 512;
/** Moments of a stretch that are looked at for gaps, and the shortest pause that counts, milliseconds. */
const GAP_MOMENTS = 100;
const SHORTEST_GAP_MS = 3_000;
/** Frames that are looked at for that at a time. */
const BATCH = 16;

/** Reads what the log retains. */
export class History {
  readonly #reads: LogReads;
  readonly #outputTopics: Readonly<Record<string, string>>;
  readonly #units: UnitReader;
  readonly #findings: PastFindings;
  readonly #ranges = new Map<string, { at: number; range: Promise<RangeView> }>();

  constructor({ log, outputTopics = {}, ...options }: HistoryOptions) {
    const reads = this.#reads = new LogReads(log, options);
    this.#outputTopics = outputTopics;
    this.#units = new UnitReader(reads);
    this.#findings = new PastFindings(reads);
  }

  /** What the log holds of a lane. */
  range(lane: Lane): Promise<RangeView> {
    const key = `${lane.partition} ${lane.topic}`;
    const known = this.#ranges.get(key);
    if (known !== undefined && performance.now() - known.at < RANGE_FRESH_MS) return known.range;
    const range = this.#range(lane);
    this.#ranges.set(key, { at: performance.now(), range });
    range.catch(() => this.#ranges.delete(key));
    return range;
  }

  /** Stretches of [after, before) without frames: those that the distance of the moments looked at can show. */
  async gaps(
    { topic, partition }: Lane,
    after: number,
    before: number,
  ): Promise<[number, number][]> {
    const step = (before - after) / GAP_MOMENTS;
    const moments = Array.from(
      { length: GAP_MOMENTS + 1 },
      (_, at) => Math.round(after + at * step),
    );
    const offsets = await Promise.all(
      moments.map((time) => this.#reads.offsetAt(topic, partition, time)),
    );
    const gaps: [number, number][] = [];
    for (let at = 0, next = 1; at < GAP_MOMENTS; at = next, next = at + 1) {
      while (next < GAP_MOMENTS && offsets[next + 1] === offsets[at]) next++;
      const [from, to] = [moments[at]!, moments[next]!];
      if (offsets[next] === offsets[at] && to - from >= SHORTEST_GAP_MS) gaps.push([from, to]);
    }
    return gaps;
  }

  /**
   * The frame at `offset`, or the first one after it; undefined at the end of the log.
   *
   * @param units an access unit comes as it is, for those who decode it themselves; the same below
   */
  async at(lane: Lane, offset: number, units = false): Promise<LanePicture | undefined> {
    return await this.picture(lane, await this.source(lane, offset), units);
  }

  /** The frame `by` frames after `offset` (before it when negative), or as far as there are any. */
  async step(
    lane: Lane,
    offset: number,
    by: number,
    units = false,
  ): Promise<LanePicture | undefined> {
    const { topic, partition } = lane;
    if (by >= 0) {
      const frames = await this.#reads.read(topic, partition, offset, Infinity, by + 1);
      return await this.picture(lane, frames.at(-1), units);
    }
    const before = await this.#reads.lastBefore(topic, partition, offset, -by);
    const frame = before ?? await this.source(lane, offset);
    return await this.picture(lane, frame, units);
  }

  /** The last frame captured at or before `time`, or the first one after it when there is none. */
  async atTime(lane: Lane, time: number, units = false): Promise<LanePicture | undefined> {
    const { topic, partition } = lane;
    const offset = await this.#reads.offsetAt(topic, partition, time);
    const next = await this.source(lane, offset);
    const shown = next !== undefined && next.timestamp <= time
      ? await this.#lastUpTo(next, time)
      : await this.#reads.lastBefore(topic, partition, offset) ?? next;
    return await this.picture(lane, shown, units);
  }

  /** The first offset captured at or after `time`. */
  async offsetAt({ topic, partition }: Lane, time: number): Promise<number> {
    return await this.#reads.offsetAt(topic, partition, time);
  }

  /** First offset that the log holds of a lane, and one past the last. */
  async offsets({ topic, partition }: Lane): Promise<OffsetRange> {
    return await this.#reads.log.offsets(topic, partition);
  }

  /** A reader of the lane's frames from `offset` on; for playback, which reads in order. */
  async open(lane: Lane, offset: number): Promise<PartitionReader> {
    return await this.#reads.open(lane.topic, lane.partition, offset);
  }

  /** The frame at `offset` as it came, or the first one after it; undefined at the end of the log. */
  async source({ topic, partition }: Lane, offset: number): Promise<Frame | undefined> {
    return await this.#reads.firstFrom(topic, partition, offset);
  }

  /** The newest frame as it came; undefined when there is none. */
  async newest({ topic, partition }: Lane): Promise<Frame | undefined> {
    return await this.#reads.newest(topic, partition);
  }

  /** Whether the lane shows a frame as it came: its query has kept no picture of it. */
  async showsSource(lane: Lane, frame: Frame): Promise<boolean> {
    const output = await this.#outputFor(lane, frame);
    return output === undefined || !isImage(output.value);
  }

  /** The frame's offset, or that of the keyframe it depends on; undefined when that is gone. */
  async keyframeBefore(frame: Frame): Promise<number | undefined> {
    return await this.#units.keyframeBefore(frame);
  }

  /** The offset of the newest frame that can be shown by itself. */
  async newestKeyframe(lane: Lane): Promise<number | undefined> {
    const newest = await this.newest(lane);
    return newest && await this.keyframeBefore(newest);
  }

  /**
   * The access units to decode so that the one at `offset` can be shown, in order: from its keyframe
   * on, or from behind `decoded`, where that was the last one that a decoder took and the group still
   * continues. Empty where the keyframe is gone.
   */
  async unitsUpTo(lane: Lane, offset: number, decoded: number): Promise<readonly Frame[]> {
    const frame = await this.source(lane, offset);
    const keyframe = frame?.offset === offset ? await this.keyframeBefore(frame) : undefined;
    if (keyframe === undefined) return [];
    const from = decoded >= keyframe && decoded < offset ? decoded + 1 : keyframe;
    return await this.#reads.read(lane.topic, lane.partition, from, offset + 1);
  }

  /** Closes the reader; the log itself is its owner's. */
  async close(): Promise<void> {
    await this.#units.close();
    await this.#reads.close();
  }

  async #range(lane: Lane): Promise<RangeView> {
    const { earliest, latest } = await this.offsets(lane);
    if (earliest >= latest) return { earliest, latest };
    const [first, last] = await Promise.all([this.source(lane, earliest), this.newest(lane)]);
    if (first === undefined || last === undefined) return { earliest, latest };
    return { earliest, latest, earliestTime: first.timestamp, latestTime: last.timestamp };
  }

  /** A frame of the lane's topic as the lane shows it: its query's output where that was kept. */
  async picture(
    lane: Lane,
    frame: Frame | undefined,
    units = false,
  ): Promise<LanePicture | undefined> {
    if (frame === undefined) return undefined;
    const output = await this.#outputFor(lane, frame);
    const drawn = output !== undefined && isImage(output.value);
    const image = drawn ? { ...frame, value: output.value, headers: output.headers } : frame;
    const video = drawn ? undefined : videoCodecOf(frame.headers["content-type"]);
    const shown = units && video !== undefined ? image : await this.#units.image(image);
    if (shown === undefined) return undefined;
    const result = await this.#resultOf(lane, frame, output);
    return {
      lane: lane.id,
      offset: frame.offset,
      timestamp: frame.timestamp,
      contentType: shown.headers["content-type"] ?? "image/jpeg",
      bytes: shown.value,
      headers: shown.headers,
      ...(result === undefined ? {} : { result }),
      ...(video === undefined ? {} : { video }),
      ...(drawn || lane.query === "raw" ? {} : { source: true as const }),
    };
  }

  /** What was found in a frame: beside its output, or as it, or in the topic of findings. */
  async #resultOf(
    lane: Lane,
    frame: Frame,
    output: Frame | undefined,
  ): Promise<Findings | undefined> {
    const { result, drawn } = output?.headers ?? {};
    if (drawn === "results") return undefined; // the picture shows it
    const own = result === undefined ? output?.value : new TextEncoder().encode(result);
    return own && parseResult(own) || await this.#findings.of(lane, frame);
  }

  /** The record that the lane's query made of a frame, where it keeps them. */
  async #outputFor({ query }: Lane, { partition, offset, timestamp }: Frame) {
    const topic = this.#outputTopics[query];
    if (topic === undefined) return undefined;
    try {
      const candidates = await this.#reads.readFrom(topic, partition, timestamp, OUTPUT_SEARCH);
      return candidates.find(({ headers }) => {
        const only = headers["source-offset"];
        if (only !== undefined) return Number(only) === offset;
        return Number(headers["source-first-offset"]) <= offset &&
          offset <= Number(headers["source-last-offset"]);
      });
    } catch (error) {
      // The query may have kept nothing yet: then its source is shown.
      if (error instanceof LogError && error.code.endsWith("_MISSING")) return undefined;
      throw error;
    }
  }

  /**
   * The last frame from `first` on that was captured at or before `time`. Usually `first` itself:
   * but the markers of transactions have times too, and a search by time may end at one of them.
   */
  async #lastUpTo(first: Frame, time: number): Promise<Frame> {
    let last = first;
    for (let looked = 0, count = 1; looked < MARKER_SEARCH; looked += count, count = BATCH) {
      const { topic, partition, offset } = last;
      const frames = await this.#reads.read(topic, partition, offset + 1, Infinity, count);
      for (const frame of frames) {
        if (frame.timestamp > time) return last;
        last = frame;
      }
      if (frames.length < count) break;
    }
    return last;
  }
}
