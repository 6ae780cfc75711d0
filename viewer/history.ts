// Recorded frames by offset or time, with the outputs of queries.
import { given } from "../runtime/base/options.ts";
import type { Frame } from "../runtime/definition/frame.ts";
import type { Findings } from "../runtime/definition/places.ts";
import type { Lane, LanePicture } from "../runtime/lanes.ts";
import { LogError, type TopicLog } from "../runtime/log/log.ts";
import { videoCodecOf } from "../runtime/video/access_unit.ts";
import { LogReads } from "./log_reads.ts";
import { parseResult, PastFindings } from "./findings.ts";
import { isImage } from "./picture.ts";
import { UnitReader } from "./unit_reader.ts";
import type { RangeView, TimeMove } from "./protocol.ts";

export interface HistoryOptions {
  readonly log: TopicLog;
  /** Output topic of each query, by name. */
  readonly outputTopics?: Readonly<Record<string, string>>;
}

/** Outputs have their source's timestamp, so a frame's output is among few with the same time. */
const OUTPUT_SEARCH = 64;
const MARKER_SEARCH = 512;
/** Number of samples when looking for gaps, and the shortest gap, milliseconds. */
const GAP_MOMENTS = 100;
const SHORTEST_GAP_MS = 3_000;
/** Frames read at a time when skipping transaction markers. */
const BATCH = 16;

export class History extends LogReads {
  readonly #outputTopics: Readonly<Record<string, string>>;
  readonly units = new UnitReader(this);
  readonly #findings = new PastFindings(this);

  constructor({ log, outputTopics = {} }: HistoryOptions) {
    super(log);
    this.#outputTopics = outputTopics;
  }

  /** The first and the last frame. */
  async range(lane: Lane): Promise<RangeView> {
    const { earliest, latest } = await this.offsets(lane);
    const [first, last] = await Promise.all([this.source(lane, earliest), this.newest(lane)]);
    const times = given({ earliestTime: first?.timestamp, latestTime: last?.timestamp });
    return { earliest, latest, ...times };
  }

  /** Gaps in [after, before), as far as sampled times reveal them. */
  async gaps(lane: Lane, after: number, before: number): Promise<[number, number][]> {
    const step = (before - after) / GAP_MOMENTS;
    const moments = Array.from(
      { length: GAP_MOMENTS + 1 },
      (_, at) => Math.round(after + at * step),
    );
    const offsets = await Promise.all(moments.map((time) => this.offsetAt(lane, time)));
    const gaps: [number, number][] = [];
    for (let at = 0, next = 1; at < GAP_MOMENTS; at = next, next = at + 1) {
      while (next < GAP_MOMENTS && offsets[next + 1] === offsets[at]) next++;
      const [from, to] = [moments[at]!, moments[next]!];
      if (offsets[next] === offsets[at] && to - from >= SHORTEST_GAP_MS) gaps.push([from, to]);
    }
    return gaps;
  }

  /**
   * The frame at `offset`, or the first one after it; undefined at the end of the log. Here and below a frame
   * whose keyframe is gone gives way to the next keyframe.
   *
   * @param units returns an access unit undecoded, here and below
   */
  async at(lane: Lane, offset: number, units = false): Promise<LanePicture | undefined> {
    return await this.#from(lane, await this.source(lane, offset), units);
  }

  /** The frame `by` frames after `offset` (before it if negative), or the last one in that direction. */
  async step(
    lane: Lane,
    offset: number,
    by: number,
    units = false,
  ): Promise<LanePicture | undefined> {
    const frame = by >= 0
      ? (await this.read(lane, offset, Infinity, by + 1)).at(-1)
      : await this.lastBefore(lane, offset, -by) ?? await this.source(lane, offset);
    return await this.#from(lane, frame, units);
  }

  /** The last frame captured at or before `time`, or the first one after it if there is none. */
  async atTime(lane: Lane, time: number, units = false): Promise<LanePicture | undefined> {
    const offset = await this.offsetAt(lane, time);
    const next = await this.source(lane, offset);
    const shown = next !== undefined && next.timestamp <= time
      ? await this.#lastUpTo(next, time)
      : await this.lastBefore(lane, offset) ?? next;
    return await this.#from(lane, shown, units);
  }

  /** The frame that a page moves to; the last one before an offset that is not there. */
  async moved(lane: Lane, move: TimeMove, units: boolean): Promise<LanePicture | undefined> {
    switch (move.action) {
      case "seek":
        return await this.at(lane, move.offset, units) ??
          await this.step(lane, move.offset, -1, units);
      case "step":
        return await this.step(lane, move.offset, move.by, units);
      case "jump":
        return await this.atTime(lane, move.time, units);
    }
  }

  async #from(
    lane: Lane,
    frame: Frame | undefined,
    units: boolean,
  ): Promise<LanePicture | undefined> {
    if (frame === undefined) return undefined;
    const picture = await this.picture(lane, frame, units);
    if (picture !== undefined && (!units || picture.video === undefined)) return picture;
    return await this.units.keyframeBefore(frame) === undefined
      ? await this.picture(lane, await this.units.keyframeAfter(frame), units)
      : picture;
  }

  /** Whether the lane shows an original frame, since its query stored no picture of it. */
  async showsSource(lane: Lane, frame: Frame): Promise<boolean> {
    const output = await this.#outputFor(lane, frame);
    return output === undefined || !isImage(output.value);
  }

  /**
   * The access units needed to decode the one at `offset`, in order: from its keyframe, or from after
   * `decoded` if a decoder got that one last and the group continues. Empty if the keyframe is gone.
   */
  async unitsUpTo(lane: Lane, offset: number, decoded: number): Promise<readonly Frame[]> {
    const frame = await this.source(lane, offset);
    const keyframe = frame?.offset === offset ? await this.units.keyframeBefore(frame) : undefined;
    if (keyframe === undefined) return [];
    const from = decoded >= keyframe && decoded < offset ? decoded + 1 : keyframe;
    return await this.read(lane, from, offset + 1);
  }

  /** Closes the readers, but not the log. */
  override async close(): Promise<void> {
    await this.units.close();
    await super.close();
  }

  /** A frame as the lane shows it: the query's output if one was stored. */
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
    const shown = units && video !== undefined ? image : await this.units.image(image);
    if (shown === undefined) return undefined;
    const result = await this.#resultOf(lane, frame, output);
    return {
      lane: lane.id,
      offset: frame.offset,
      timestamp: frame.timestamp,
      bytes: shown.value,
      headers: shown.headers,
      ...given({ result, video }),
      ...(drawn || lane.query === "raw" ? {} : { source: true as const }),
    };
  }

  /** The results for a frame: from its output, or from the results topic. */
  async #resultOf(
    lane: Lane,
    frame: Frame,
    output: Frame | undefined,
  ): Promise<Findings | undefined> {
    const { result, drawn } = output?.headers ?? {};
    if (drawn === "results") return undefined; // already drawn
    const own = result === undefined ? output?.value : new TextEncoder().encode(result);
    return own && parseResult(own) || await this.#findings.of(lane, frame);
  }

  /** The stored output for a frame, if the query stores outputs. */
  async #outputFor({ query }: Lane, { partition, offset, timestamp }: Frame) {
    const topic = this.#outputTopics[query];
    if (topic === undefined) return undefined;
    try {
      const candidates = await this.readFrom({ topic, partition }, timestamp, OUTPUT_SEARCH);
      return candidates.find(({ headers }) => {
        const only = headers["source-offset"];
        if (only !== undefined) return Number(only) === offset;
        return Number(headers["source-first-offset"]) <= offset &&
          offset <= Number(headers["source-last-offset"]);
      });
    } catch (error) {
      // The query may not have stored anything yet: show its source.
      if (error instanceof LogError && error.code.endsWith("_MISSING")) return undefined;
      throw error;
    }
  }

  /**
   * The last frame after `first` that was captured at or before `time`. Usually `first` itself, but a search
   * by time may end at a transaction marker, which has a timestamp too.
   */
  async #lastUpTo(first: Frame, time: number): Promise<Frame> {
    let last = first;
    for (let looked = 0, count = 1; looked < MARKER_SEARCH; looked += count, count = BATCH) {
      const frames = await this.read(last, last.offset + 1, Infinity, count);
      for (const frame of frames) {
        if (frame.timestamp > time) return last;
        last = frame;
      }
      if (frames.length < count) break;
    }
    return last;
  }
}
